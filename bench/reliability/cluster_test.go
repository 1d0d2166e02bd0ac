//go:build linux

package reliability

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/sessioncast/sessioncast/internal/node"
	"github.com/sessioncast/sessioncast/internal/record"
	"github.com/sessioncast/sessioncast/internal/seal"
	"github.com/sessioncast/sessioncast/internal/table"
	"github.com/sessioncast/sessioncast/test/rig"
)

// patience bounds every wait; a measurement that takes so long has failed.
const patience = 60 * time.Second

// cluster starts n nodes, one a host, and waits until all know each other.
func (f *figures) cluster(n int) []*node.Node {
	f.Helper()
	nodes := make([]*node.Node, n)
	for i := range nodes {
		nodes[i] = f.open(i)
	}
	for _, m := range nodes {
		f.within("all know each other", func() bool { return m.Ready() && m.Peers() == n-1 })
	}
	return nodes
}

func (f *figures) open(host int) *node.Node {
	f.Helper()
	m, err := rig.Host{Net: f.net, I: host}.Open(node.Config{
		Name: fmt.Sprint("node", host), Keys: []seal.Key{{1: 1}}, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(m.Kill)
	return m
}

// within polls until it holds and returns how long that took.
func (f *figures) within(what string, holds func() bool) time.Duration {
	f.Helper()
	start := time.Now()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !holds() {
		if time.Since(start) > patience {
			f.Fatalf("not within %v: %s", patience, what)
		}
		<-tick.C
	}
	return time.Since(start)
}

// pause lets time pass, which is what some figures are about.
func (f *figures) pause(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-f.Context().Done():
	}
}

func key(name string, i int) record.Key { return record.Key{Name: fmt.Sprint(name, i)} }

func (f *figures) put(m *node.Node, k record.Key, value []byte) {
	f.Helper()
	now := time.Now().UnixMilli()
	if _, err := m.Table().Put(now, k, &table.Write{Value: value, Due: now + 2*time.Hour.Milliseconds()}); err != nil {
		f.Fatal(err)
	}
}

const fillPace = 5000 // sessions written before the others must have caught up

// fill writes sessions and waits until all hold them.
func (f *figures) fill(nodes []*node.Node, name string, n, size int) {
	f.Helper()
	value := make([]byte, size)
	before := nodes[0].Table().Len(0)
	for i := range n {
		f.put(nodes[i%len(nodes)], key(name, i), value)
		if (i+1)%fillPace == 0 || i == n-1 {
			f.within("all hold what was written", func() bool { return holdAll(nodes, before+i+1) })
		}
	}
}

func holdAll(nodes []*node.Node, n int) bool {
	for _, m := range nodes {
		if m.Table().Len(0) < n {
			return false
		}
	}
	return true
}

// alike reports whether all hold the same, down to versions.
func alike(nodes []*node.Node) bool {
	for _, m := range nodes[1:] {
		if m.Table().Root() != nodes[0].Table().Root() {
			return false
		}
	}
	return true
}

func (f *figures) close(nodes []*node.Node) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	for _, m := range nodes {
		_ = m.Close(ctx)
	}
}
