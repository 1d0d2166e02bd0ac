package sim

import (
	"fmt"
	"testing"
	"time"

	"github.com/sessioncast/sessioncast/internal/record"
	"github.com/sessioncast/sessioncast/internal/table"
)

// A node that was cut off, or stopped, for half an hour of virtual time, and missed more dots than any log remembers, pulls what
// differs and is correct again.
func TestHalfAnHourApart(t *testing.T) {
	for name, leave := range map[string]struct{ away, back func(w *World, n *Node) }{
		"cut off": {
			func(w *World, n *Node) { w.net.cut(+1, crosses(n)) },
			func(w *World, n *Node) { w.net.cut(-1, crosses(n)) },
		},
		"stopped": {
			func(_ *World, n *Node) { n.paused = true },
			func(_ *World, n *Node) { n.resume() },
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := quiet(3)
			w.run(3*time.Second, nil)
			n := w.nodes[2]
			leave.away(w, n)
			w.run(w.now+30*time.Minute, nil)
			writeMany(w, 3*table.LogSize)
			w.run(w.now+time.Minute, nil)
			leave.back(w, n)
			converged(t, w, 30*time.Second)
		})
	}
}

func crosses(n *Node) func(from, to int) bool {
	return func(from, to int) bool { return from == n.id || to == n.id }
}

// writeMany makes so many changes of 300 sessions, on the first two nodes in turn.
func writeMany(w *World, changes int) {
	for i := range changes {
		n := w.nodes[i%2]
		_, _ = n.table.Put(n.wall(), record.Key{Name: fmt.Sprint("session-", i%300)}, &table.Write{Value: fmt.Append(nil, i)})
		if i%64 == 0 {
			n.poll()
			w.run(w.now+5*time.Millisecond, nil)
		}
	}
	for _, n := range w.nodes[:2] {
		n.noteOwn()
	}
}

// converged fails unless the nodes that are up agree within a time.
func converged(t *testing.T, w *World, within time.Duration) {
	t.Helper()
	for _, n := range w.ours() {
		n.core = n.up
	}
	why := "it was not looked"
	for end := w.now + within; w.now < end && why != "" && w.err == nil; {
		w.run(w.now+100*time.Millisecond, nil)
		why = w.disagreement()
	}
	if why != "" || w.err != nil {
		t.Fatalf("no convergence: %s, %v", why, w.err)
	}
}

// Two nodes join at once, and their donor dies in the middle of its transfers: they go on with another.
func TestTwoJoinersAndADyingDonor(t *testing.T) {
	w := quiet(5)
	w.opts.StreamBatch = 1000
	w.run(3*time.Second, nil)
	joiners := w.nodes[3:]
	for _, n := range joiners {
		n.crash()
	}
	writeMany(w, 900)
	w.run(w.now+time.Second, nil)
	for _, n := range joiners {
		n.start()
	}
	w.run(w.now+5*time.Second, func() bool { return joiners[0].fetch != nil && joiners[0].fetch.taker != nil })
	if joiners[0].fetch == nil {
		t.Fatal("no transfer began")
	}
	joiners[0].fetch.donor.crash()
	converged(t, w, 10*time.Second)
	if s := joiners[0].table.Stats(); s.Sessions != 300 {
		t.Errorf("%d sessions, want 300", s.Sessions)
	}
}

// Every node is restarted, one after another, while clients write; then all but one die. What was acknowledged is there.
func TestEveryNodeIsRestartedUnderLoad(t *testing.T) {
	w := quiet(5)
	w.run(3*time.Second, nil)
	writeMany(w, 900)
	for i, n := range w.nodes {
		n.crash()
		w.run(w.now+500*time.Millisecond, nil)
		n.start()
		for range 40 {
			other := w.nodes[(i+1)%5]
			other.put(record.Key{Name: fmt.Sprint("session-", w.work.IntN(300))}, table.Write{})
			other.check()
			w.run(w.now+50*time.Millisecond, nil)
		}
		converged(t, w, 10*time.Second)
	}
	for _, n := range w.nodes[1:] {
		n.crash()
	}
	w.run(w.now+10*time.Second, nil)
	if s := w.nodes[0].table.Stats(); s.Sessions != 300 {
		t.Errorf("the last one has %d sessions, want 300", s.Sessions)
	}
	for _, n := range w.nodes[1:] { // and all come back at one instant
		n.start()
	}
	converged(t, w, 10*time.Second)
}

// Sessions are kept alive by touches alone, over many lifetimes, by requests to any node:
// none ends early anywhere, and few datagrams tell of it.
func TestSessionsKeptAliveByTouches(t *testing.T) {
	const sessions, life = 60, 2 * time.Minute
	w := quiet(3)
	w.run(3*time.Second, nil)
	key := func(i int) record.Key { return record.Key{Name: fmt.Sprint("user-", i)} }
	for i := range sessions {
		n := w.nodes[i%3]
		_, _ = n.table.Put(n.wall(), key(i), &table.Write{Due: n.clusterMillis() + life.Milliseconds()})
	}
	for _, n := range w.nodes {
		n.noteOwn()
	}
	w.run(w.now+5*time.Second, nil)
	before, touches := w.stats.Datagrams, 0
	begin := w.now
	for w.now < begin+5*time.Minute && w.err == nil {
		for range 10 { // each session every 6 s
			i := touches % sessions
			n := w.nodes[w.work.IntN(3)]
			res, err := n.table.Expire(n.wall(), key(i), n.clusterMillis()+life.Milliseconds(), table.ExpireAlways)
			if err != nil || !res.Existed {
				t.Fatalf("after %v session %d is gone on %s: %v", w.now-begin, i, nodeName(n.id), err)
			}
			touches++
		}
		for _, n := range w.nodes {
			n.noteOwn()
		}
		w.run(w.now+time.Second, nil)
	}
	if w.err != nil {
		t.Fatal(w.err)
	}
	perSecond := float64(w.stats.Datagrams-before) / (w.now - begin).Seconds()
	t.Logf("%d touches: %.1f datagrams a second of all nodes together, heartbeats included", touches, perSecond)
	if perSecond > 60 { // a touch of each session every 6 s makes 10 a second; small heartbeats follow each datagram
		t.Errorf("%.1f datagrams a second", perSecond)
	}
}
