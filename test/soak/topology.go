//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/sessioncast/sessioncast/internal/admin"
	"github.com/sessioncast/sessioncast/internal/nstest"
	"github.com/sessioncast/sessioncast/test/rig"
)

// topology is the daemons, one a namespace, and a stranger beside them. Safe for concurrent use.
type topology struct {
	t     testing.TB
	net   *nstest.Net
	site  *rig.Site
	dir   string
	h     *history
	nodes []*node

	mu     sync.Mutex // of the network's rules and of every node's fields
	healed time.Time  // when a fault was ended last, whatever time its healing takes
}

// node is one daemon.
type node struct {
	daemon  *rig.Daemon
	down    bool // ended by us
	stopped bool
	fault   func() // ends the trouble noted for it, from its end to when it is ready again; nil: there is none
	starts  int
}

var errNotReady = errors.New("not ready in time")

const readyLimit = 60 * time.Second

// newTopology starts the daemons and waits until all see each other synced.
func newTopology(t testing.TB, nodes int, h *history, extra func(*nstest.Net) []string) *topology {
	dir, err := os.MkdirTemp("", "soak")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	top := &topology{t: t, net: nstest.New(t, nodes+1), site: rig.NewSite(t), dir: dir, h: h, healed: time.Now()}
	var all []*rig.Daemon
	for i := range nodes {
		args := []string{"--log-level", "info", "--resp", "unix://" + top.socket(i), "--admin", "unix://" + top.admin(i)}
		d := top.site.Serve(rig.In(top.net, i), nodeName(i), append(args, extra(top.net)...)...)
		top.nodes = append(top.nodes, &node{daemon: d, starts: 1})
		all = append(all, d)
	}
	for i := range all {
		if !top.await(i, func(s *admin.Status) bool { return s.Ready && synced(s) == nodes }) {
			t.Fatalf("%s does not find the others:\n%s", nodeName(i), all[i].AllLogs())
		}
	}
	return top
}

func synced(s *admin.Status) (n int) {
	for _, m := range s.Members {
		if m.State == "synced" {
			n++
		}
	}
	return n
}

func (t *topology) socket(i int) string { return filepath.Join(t.dir, nodeName(i)+".resp") }
func (t *topology) admin(i int) string  { return filepath.Join(t.dir, nodeName(i)+".admin") }

// connect implements place.
func (t *topology) connect(i int) client { return &socketClient{path: t.socket(i)} }

// shun implements place.
func (t *topology) shun(i int) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.nodes[i].down || t.nodes[i].stopped
}

// status asks one daemon.
func (t *topology) status(i int) (*admin.Status, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	s, _, err := admin.Ask(ctx, "unix://"+t.admin(i))
	return s, err
}

func (t *topology) await(i int, holds func(*admin.Status) bool) bool {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(readyLimit); time.Now().Before(deadline); <-tick.C {
		if s, err := t.status(i); err == nil && holds(s) {
			return true
		}
	}
	return false
}

// end ends a daemon, by SIGKILL or, in good order, by SIGTERM.
func (t *topology) end(i int, signal syscall.Signal) error {
	t.mu.Lock()
	n := t.nodes[i]
	if n.down {
		t.mu.Unlock()
		return nil
	}
	n.down, n.fault = true, t.h.begin([]int{i}, t.h.all())
	d := n.daemon
	t.h.killing(i)
	t.mu.Unlock()
	if signal == syscall.SIGKILL {
		d.Kill()
		return nil
	}
	if err := d.Signal(signal); err != nil {
		return err
	}
	for deadline := time.Now().Add(readyLimit); d.Running(); pause(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			return fmt.Errorf("%s ignores %v: %w", nodeName(i), signal, errNotReady)
		}
	}
	t.h.killing(i) // what it took while it was leaving
	return nil
}

// start starts a daemon again and waits until it is ready.
func (t *topology) start(i int) error {
	t.mu.Lock()
	n := t.nodes[i]
	if !n.down {
		t.mu.Unlock()
		return nil
	}
	t.healed = time.Now()
	n.daemon.Restart()
	n.starts++
	n.down = false
	t.mu.Unlock()
	ready := t.await(i, func(s *admin.Status) bool { return s.Ready })
	for !ready && t.cut(i) { // who hears a node with sessions, and cannot reach it, is right to wait
		ready = t.await(i, func(s *admin.Status) bool { return s.Ready })
	}
	t.mu.Lock()
	n.fault()
	n.fault = nil
	t.mu.Unlock()
	if !ready {
		return fmt.Errorf("%s after its start: %w", nodeName(i), errNotReady)
	}
	return nil
}

// cut reports whether a fault of the network is between a node that starts and one that does not.
func (t *topology) cut(i int) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	for k, n := range t.nodes {
		if k != i && n.fault == nil && t.h.strained(i, k) > 1 { // one is its own start
			return true
		}
	}
	return false
}

// freeze stops a daemon's process or lets it go on.
func (t *topology) freeze(i int, stop bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := t.nodes[i]
	if n.down {
		return
	}
	signal := syscall.SIGCONT
	if stop {
		signal = syscall.SIGSTOP
	}
	n.stopped, t.healed = stop, time.Now()
	_ = n.daemon.Signal(signal)
}

// rules changes what the network drops.
func (t *topology) rules(change func(n *nstest.Net)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	change(t.net)
	t.healed = time.Now()
}

func (t *topology) healedAt() time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.healed
}

// alive is the number of a node's running process; ended tells whether it ended without our doing.
func (t *topology) alive(i int) (pid int, ended bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := t.nodes[i]
	switch {
	case n.down:
		return 0, false
	case !n.daemon.Running():
		return 0, true
	}
	return n.daemon.PID(), false
}

// logs is what a node's runs printed.
func (t *topology) logs(i int) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.nodes[i].daemon.AllLogs()
}

const shownLog = 3000

// tail is the end of it.
func (t *topology) tail(i int) string {
	all := t.logs(i)
	return all[max(0, len(all)-shownLog):]
}

// buried notes that a daemon ended by itself, so that it can be started again.
func (t *topology) buried(i int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := t.nodes[i]
	if !n.down {
		t.h.killing(i)
		n.down, n.fault = true, t.h.begin([]int{i}, t.h.all())
	}
}

const (
	settleTime  = 3 * time.Second // more than two heartbeats
	settleLimit = 20 * time.Second
)

// settle waits until every node says, some heartbeats later, that it lacks nothing that any other has: then all hold what
// was answered before. Without any trouble this must come.
func (t *topology) settle(ctx context.Context) bool {
	begun := time.Now()
	t.h.mu.Lock()
	_, quiet := t.h.allQuietSince()
	t.h.mu.Unlock()
	if !quiet {
		return false
	}
	open := map[[2]int]bool{}
	for ctx.Err() == nil && time.Since(begun) < settleLimit {
		pause(100 * time.Millisecond)
		if time.Since(begun) < settleTime {
			continue
		}
		if t.complete(open) {
			t.h.mu.Lock()
			since, quiet := t.h.allQuietSince()
			t.h.mu.Unlock()
			if quiet && since.Before(begun) {
				t.h.everybodyHolds(begun)
				return true
			}
			return false
		}
	}
	return false
}

// complete notes which pairs have been seen complete and reports whether all have.
func (t *topology) complete(seen map[[2]int]bool) bool {
	for i := range t.nodes {
		s, err := t.status(i)
		if err != nil || !s.Ready || synced(s) != len(t.nodes) {
			return false
		}
		for k := range s.Members {
			if m := &s.Members[k]; !m.Self && m.Lacks == 0 {
				seen[[2]int{i, int(m.Name[0] - 'a')}] = true
			}
		}
	}
	return len(seen) >= len(t.nodes)*(len(t.nodes)-1)
}

func pause(d time.Duration) {
	timer := time.NewTimer(d)
	<-timer.C
}
