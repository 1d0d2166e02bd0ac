package cluster

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sessioncast/sessioncast/internal/engine"
	"github.com/sessioncast/sessioncast/internal/link"
	"github.com/sessioncast/sessioncast/internal/node"
	"github.com/sessioncast/sessioncast/internal/record"
	"github.com/sessioncast/sessioncast/internal/seal"
	"github.com/sessioncast/sessioncast/internal/table"
)

// network is what a body runs on.
type network interface {
	// open starts a node on a host; cfg.Network says group and port, the rest of it is the network's choice.
	open(t *testing.T, host int, cfg node.Config) (*node.Node, error)
	// lose makes every host lose this part of the datagrams it receives.
	lose(t *testing.T, percent float64)
	// cut cuts between these hosts and all others, datagrams and streams, without telling anyone. What was cut before
	// is cut no more.
	cut(t *testing.T, hosts ...int)
	// mend ends the cut.
	mend(t *testing.T)
}

// patience bounds every wait of a body; what is waited for comes far sooner.
const patience = 15 * time.Second

// onSockets bounds it on the kernel's sockets, where a deadline only says that something never comes: how soon it does hangs there on what
// else the machine has to do, and is asserted under the virtual clock, which every body that names a shorter time runs under as well.
const onSockets = time.Minute

// notRaced skips what moves much under the race detector: nodes are slower than the patience of their tests then, and races show in
// the smaller tests as well. make test runs all of it a second time, without the detector.
func notRaced(t *testing.T) {
	t.Helper()
	if raced {
		t.Skip("moves much: runs without the race detector")
	}
}

// testbed is the nodes of one test on its network.
type testbed struct {
	*testing.T
	net     network
	log     safeBuffer // of all nodes
	members []*member  // all that were started
}

// member is one running node and what it told.
type member struct {
	*node.Node
	bed  *testbed
	name string
	host int

	mu     sync.Mutex
	events []engine.Event
}

// spec says which node to start; the zero value, with a name, is one like all others.
type spec struct {
	name    string
	host    int
	key     byte
	cluster string
	memory  int64              // limit of its sessions; 0: none
	keep    time.Duration      // of tombstones
	change  func(*node.Config) // may be nil
}

const (
	idMark   = "id-that-no-log-may-hold"
	bodyMark = "content-that-no-log-may-hold"
)

// runOn runs a body and then looks whether its nodes logged a session's id or content.
func runOn(t *testing.T, n network, body func(*testbed)) {
	bed := &testbed{T: t, net: n}
	t.Cleanup(func() {
		for _, mark := range []string{idMark, bodyMark} {
			if logged := bed.log.String(); strings.Contains(logged, mark) {
				t.Errorf("the log holds %q:\n%s", mark, logged)
			}
		}
		if t.Failed() {
			t.Logf("log of the nodes:\n%s", bed.log.String())
		}
	})
	body(bed)
}

// open starts a node and does not wait for anything.
func (b *testbed) open(s spec) *member {
	b.Helper()
	m := b.launch(s)
	b.Cleanup(m.Kill)
	return m
}

// launch starts a node that the caller kills.
func (b *testbed) launch(s spec) *member {
	b.Helper()
	m := &member{bed: b, name: s.name, host: s.host}
	log := slog.New(slog.NewTextHandler(&b.log, &slog.HandlerOptions{Level: slog.LevelDebug})).With("node", s.name)
	cfg := node.Config{
		Name: s.name, Cluster: s.cluster, Keys: []seal.Key{{1: 1, 2: s.key}}, Ack: 1, Hold: time.Minute, Keep: s.keep, MaxMemory: s.memory,
		Network: link.Config{Cluster: s.cluster},
		OnEvent: m.note, Log: log,
	}
	if s.change != nil {
		s.change(&cfg)
	}
	n, err := b.net.open(b.T, s.host, cfg)
	if err != nil {
		b.Fatal(err)
	}
	m.Node = n
	b.members = append(b.members, m)
	return m
}

// start opens nodes and waits until each is synced and knows all the others among them.
func (b *testbed) start(specs ...spec) []*member {
	b.Helper()
	list := make([]*member, len(specs))
	for i, s := range specs {
		list[i] = b.open(s)
	}
	for _, m := range list {
		m.synced()
		b.eventually(m.name+" knows the others", func() bool { return m.Peers() >= len(list)-1 })
	}
	return list
}

// hosts starts n nodes, one a host, named a, b, c …
func (b *testbed) hosts(n int) []*member {
	b.Helper()
	return b.start(specs(n)...)
}

func specs(n int) (list []spec) {
	for i := range n {
		list = append(list, spec{name: string(rune('a' + i)), host: i})
	}
	return list
}

func (m *member) synced() {
	m.bed.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), m.bed.bound(patience))
	defer cancel()
	if err := m.WaitSynced(ctx); err != nil {
		m.bed.tell()
		m.bed.Fatal(m.name, err)
	}
}

func (m *member) note(e engine.Event) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.events = append(m.events, e)
}

// told counts the events that fit.
func (m *member) told(fits func(engine.Event) bool) (n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, e := range m.events {
		if fits(e) {
			n++
		}
	}
	return n
}

// eventually is the one wait of these tests: it polls a condition until it holds.
func (b *testbed) eventually(what string, holds func() bool) {
	b.Helper()
	b.within(patience, what, holds)
}

// within is eventually with a deadline of its own, which on sockets is none: see onSockets.
func (b *testbed) within(limit time.Duration, what string, holds func() bool) {
	b.Helper()
	limit = b.bound(limit)
	deadline, tick := time.NewTimer(limit), time.NewTicker(2*time.Millisecond)
	defer deadline.Stop()
	defer tick.Stop()
	for !holds() {
		select {
		case <-deadline.C:
			b.tell()
			b.Fatalf("not within %v: %s", limit, what)
		case <-tick.C:
		}
	}
}

// virtual reports whether the clock is.
func (b *testbed) virtual() bool {
	_, is := b.net.(*memory)
	return is
}

// bound is how long a wait of so long may take on this network.
func (b *testbed) bound(limit time.Duration) time.Duration {
	if b.virtual() {
		return limit
	}
	return max(limit, onSockets)
}

// tell prints how the nodes are, for who looks for the cause of a failure.
func (b *testbed) tell() {
	b.Helper()
	for _, m := range b.members {
		b.Logf("%s is %v, %d sessions, root %x, %d peers; %+v; transfers %+v; members %+v",
			m.name, m.State(), m.len(), m.Table().Root(), m.Peers(), m.Counters(), m.TransferStats(), m.Members())
	}
}

func key(name string) record.Key { return record.Key{Name: idMark + name} }

func now() int64 { return time.Now().UnixMilli() }

// wall is the node's own clock, as callers of its table hand it in.
func (m *member) wall() int64 { return m.Now().UnixMilli() }

// put writes a session as SET with a lifetime does.
func (m *member) put(name, value string) uint64 {
	m.bed.Helper()
	seq, err := m.tryPut(name, value)
	if err != nil {
		m.bed.Fatalf("%s writes: %v", m.name, err)
	}
	return seq
}

func (m *member) tryPut(name, value string) (seq uint64, err error) {
	due := m.Table().Time(m.wall()) + time.Hour.Milliseconds()
	res, err := m.Table().Put(m.wall(), key(name), &table.Write{Value: []byte(bodyMark + value), Due: due})
	return res.Seq, err
}

func (m *member) destroy(name string) {
	m.bed.Helper()
	if _, err := m.Table().Destroy(m.wall(), key(name), true); err != nil {
		m.bed.Fatalf("%s destroys: %v", m.name, err)
	}
}

func (m *member) get(name string) (value string, found bool) {
	v, found := m.Table().Get(m.wall(), key(name))
	return strings.TrimPrefix(string(v.Value), bodyMark), found
}

func (m *member) len() int { return m.Table().Len(0) }

// allRead waits until every node reads this value.
func (b *testbed) allRead(nodes []*member, name, want string) {
	b.Helper()
	for _, m := range nodes {
		b.eventually(fmt.Sprintf("%s reads %s as last written", m.name, name), func() bool {
			got, found := m.get(name)
			return found && got == want
		})
	}
}

// allMiss waits until no node has the session.
func (b *testbed) allMiss(nodes []*member, name string) {
	b.Helper()
	for _, m := range nodes {
		b.eventually(fmt.Sprintf("%s misses %s", m.name, name), func() bool { _, found := m.get(name); return !found })
	}
}

// safeBuffer is a log that many write to.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}
