package node

import (
	"testing"
	"time"

	"github.com/sessioncast/sessioncast/internal/engine"
	"github.com/sessioncast/sessioncast/internal/stream"
	"github.com/sessioncast/sessioncast/internal/wire"
)

func TestCallersThatWaitAreLimited(t *testing.T) {
	const port = 24150
	a := openLoopback(t, "a", port)
	openLoopback(t, "b", port)
	eventually(t, "a sees b", func() bool { return a.Peers() == 1 })
	a.awaits.Lock()
	for i := range maxAwaits {
		a.awaits.done[1<<40+uint64(i)] = func(int) {}
	}
	a.awaits.Unlock()
	for range 5 {
		if pending, peers := a.Await(1, 1, 1, time.Hour, func(int) { t.Error("called back") }); pending || peers != 0 {
			t.Errorf("pending %v with %d peers", pending, peers)
		}
	}
	if got := a.Counters().AwaitDenied; got != 5 {
		t.Errorf("%d counted", got)
	}
	for i := range maxAwaits {
		a.awaits.finish(engine.Acked{ID: 1<<40 + uint64(i)})
	}
	done := make(chan int, 1)
	if pending, _ := a.Await(put(t, a, "s", "1"), 1, 1, time.Hour, func(peers int) { done <- peers }); !pending || <-done != 1 {
		t.Error("there is no room again")
	}
}

func TestWatchersAreLimited(t *testing.T) {
	n := openLoopback(t, "watched", 24160)
	var conns []*stream.Conn
	watch := func() *stream.Conn {
		c, err := stream.Dial(t.Context(), n.Addr(), n.identity())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.Close)
		if err := c.Send(byte(wire.StreamTypeWatch), n.watchBody()); err != nil {
			t.Fatal(err)
		}
		return c
	}
	for range maxWatchers {
		conns = append(conns, watch())
	}
	eventually(t, "all watch", watched(n, maxWatchers))
	late := watch()
	if _, _, err := late.Receive(); err == nil {
		t.Error("one more than the limit is kept")
	}
	if got := n.Counters().WatchersDenied; got != 1 {
		t.Errorf("%d counted", got)
	}
	conns[0].Close()
	eventually(t, "one has ended", watched(n, maxWatchers-1))
	watch()
	eventually(t, "another takes its place", watched(n, maxWatchers))
}
