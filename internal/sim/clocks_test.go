package sim

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/sessioncast/sessioncast/internal/keeper"
	"github.com/sessioncast/sessioncast/internal/record"
	"github.com/sessioncast/sessioncast/internal/table"
	"github.com/sessioncast/sessioncast/internal/wire"
)

// A clock beyond the limit, among three: its node goes by the others', whether it saw the clock jump or started with it,
// so that what its users touch ends when it should, everywhere; and it goes right on when the clock is set.
func TestAFarClockGoesByTheOthers(t *testing.T) {
	for _, far := range farJumps {
		for _, restarted := range []bool{false, true} {
			t.Run(fmt.Sprintf("%v, restarted %v", far, restarted), func(t *testing.T) { farClock(t, far, restarted) })
		}
	}
}

func farClock(t *testing.T, far time.Duration, restarted bool) {
	w := quiet(3)
	n, peer := w.nodes[1], w.nodes[2]
	k := record.Key{Name: "kept alive"}
	w.run(3*time.Second, nil)
	n.put(k, table.Write{Due: n.clusterMillis() + 20_000})
	w.run(4*time.Second, nil)
	n.goFar(far)
	if restarted {
		n.crash()
		n.start()
	}
	for touch := range 60 {
		w.run(w.now+time.Second, nil)
		if off := n.clusterMillis() - w.trueMillis(); w.now > 10*time.Second && (off > 1000 || off < -1000) {
			t.Fatalf("at %v the node goes by a time that is %d ms off", w.now, off)
		}
		if touch == 30 {
			n.comeBack()
			w.run(w.now+keeper.Interval, nil)
		}
		err := n.touchDirectly(k, 20_000)
		if err != nil && far < 0 {
			t.Fatalf("at %v a touch is refused: %v", w.now, err)
		}
		if err != nil { // the user's next request goes elsewhere
			_ = peer.touchDirectly(k, 20_000)
		}
		n.check()
		peer.check()
		for _, m := range w.nodes {
			if _, ok := m.table.Get(m.wall(), k); !ok && w.now > 10*time.Second {
				t.Fatalf("at %v %s does not show what is kept alive", w.now, nodeName(m.id))
			}
		}
	}
	w.run(w.now+30*time.Second, nil)
	for _, m := range w.nodes {
		if _, ok := m.table.Get(m.wall(), k); ok {
			t.Errorf("at %v %s shows a session that nobody keeps alive: %s", w.now, nodeName(m.id), m.describe(k))
		}
	}
	if w.err != nil {
		t.Fatal(w.err)
	}
}

// touchDirectly extends a session by so many milliseconds on a node whose clock may refuse it, which the workload's own
// touches take for a breach.
func (n *Node) touchDirectly(k record.Key, life int64) error {
	_, err := n.table.Expire(n.wall(), k, n.clusterMillis()+life, table.ExpireAlways)
	if err == nil {
		n.wrote(k)
	}
	return err
}

// What peers said of their clocks waits in the sockets of a node that stands still, and is no reason to show a session for
// longer.
func TestWhoStoodStillTakesNoClockToBeSlow(t *testing.T) {
	for _, pause := range []time.Duration{900 * time.Millisecond, 2 * time.Second, 5 * time.Second, 37 * time.Second} {
		t.Run(fmt.Sprint(pause), func(t *testing.T) {
			w := quiet(3)
			w.opts.SocketBytes = 20_000 // full of what came first
			n := w.nodes[1]
			w.run(5*time.Second, nil)
			for i := range 20 { // each ends at another time about the end of the pause
				k := record.Key{Name: fmt.Sprint(i)}
				w.ledger.of(k)
				n.put(k, table.Write{Due: n.clusterMillis() + max(1000, pause.Milliseconds()+int64(i-10)*500)})
			}
			w.run(w.now+500*time.Millisecond, nil)
			w.stopFor(n, pause)
			w.run(w.now+pause+20*time.Second, nil)
			if w.err != nil {
				t.Fatal(w.err)
			}
		})
	}
}

// quiet is a world of so many nodes without faults and without a workload.
func quiet(nodes int) *World {
	o := Options{
		Seed: 1, Nodes: nodes, Databases: 1, Keys: 1, MaxValue: 100, Ack: 1, SocketBytes: 8 << 20, StreamRate: 1e9, StreamBatch: 1 << 20,
		Rules: linkRules{delay: 100 * time.Microsecond, jitter: 50 * time.Microsecond},
	}
	w := newWorld(o, nil)
	w.bootAll()
	return w
}

// Who comes with a clock beyond the limit goes by those who were there, from the first moment in which it may write; if it is
// ahead, also where there is but one of them, and nobody could say who is right.
func TestANewcomerGoesByTheClocksOfThoseWhoWereThere(t *testing.T) {
	for _, nodes := range []int{2, 3} {
		for _, far := range farJumps {
			if far < 0 && nodes == 2 {
				continue
			}
			t.Run(fmt.Sprintf("%v among %d", far, nodes), func(t *testing.T) { farNewcomer(t, nodes, far, 0) })
		}
	}
}

// Who is behind goes by none of two clocks. It waits for the other voice before it takes a write, which would have ended for all others.
func TestANewcomerThatIsBehindWaitsForASecondVoice(t *testing.T) {
	for _, far := range farJumps {
		if far < 0 {
			t.Run(fmt.Sprint(far), func(t *testing.T) { farNewcomer(t, 3, far, 1500*time.Millisecond) })
		}
	}
}

// farNewcomer lets a node come with a clock that is far off; it and the last of the others do not hear each other for so long.
func farNewcomer(t *testing.T, nodes int, far, apart time.Duration) {
	w := quiet(nodes)
	n := w.nodes[1]
	n.far = far
	w.run(3*time.Second, func() bool { // without it, so far
		if n.up {
			n.crash()
		}
		return false
	})
	old, gone, fresh := record.Key{Name: "old"}, record.Key{Name: "gone"}, record.Key{Name: "new"}
	for _, k := range []record.Key{old, gone} {
		w.nodes[0].put(k, table.Write{Due: w.trueMillis() + time.Minute.Milliseconds()})
	}
	w.run(w.now+time.Second, nil)
	n.start()
	if apart > 0 {
		w.cutFor(Partition, apart, func(from, to int) bool { return min(from, to) == 1 && max(from, to) == nodes-1 })
	}
	w.run(w.now+10*time.Second, func() bool { return n.machine.State() == wire.Synced })
	if _, found := n.table.Get(n.wall(), old); !found {
		t.Error("it does not show what lives")
	}
	res, err := n.table.Put(n.wall(), fresh, &table.Write{Due: n.clusterMillis() + time.Minute.Milliseconds()})
	if far > 0 && !errors.Is(err, table.ErrClock) || far < 0 && (err != nil || !res.Done) {
		t.Errorf("its first write: %v", err)
	}
	_, _ = n.table.Destroy(n.wall(), gone, true)
	_, _ = n.table.Flush(n.wall(), 1)
	n.noteOwn()
	w.run(w.now+10*time.Second, nil)
	for _, m := range w.nodes {
		if _, found := m.table.Get(m.wall(), fresh); found != (far < 0) {
			t.Errorf("%s shows what the newcomer wrote: %v", nodeName(m.id), found)
		}
		if _, found := m.table.Get(m.wall(), gone); found {
			t.Errorf("%s shows what the newcomer destroyed", nodeName(m.id))
		}
		for _, k := range []record.Key{old, gone, fresh, record.FloorKey(1)} {
			var s record.State
			if m.table.Load(k, &s); s.IsEmpty() {
				continue
			}
			if off := time.Duration(s.Highest().Millis()-w.trueMillis()) * time.Millisecond; off.Abs() > 20*time.Second {
				t.Errorf("%s has %q stamped %v off", nodeName(m.id), k.Name, off)
			}
		}
		if off := time.Duration(m.clock.Read(0).Millis()-w.trueMillis()) * time.Millisecond; m != n && off > maxSkew {
			t.Errorf("the clock of %s is moved %v ahead", nodeName(m.id), off)
		}
	}
	if w.err != nil {
		t.Fatal(w.err)
	}
}
