package engine

import (
	"testing"
	"time"

	"github.com/sessioncast/sessioncast/internal/wire"
)

func (b *bench) awaitTold(i int) {
	n := b.nodes[i]
	stamp := n.table.Present(b.now.UnixMilli())
	n.m.Step(b.now, Await{ID: 1, K: 2, Timeout: 1500 * time.Millisecond, Told: stamp})
}

// What a peer made before counts, sent or not: here its data is lost until a repair, while all else comes.
func TestWhoHasToKnowWhatPeersMadeWaitsForIt(t *testing.T) {
	b := newBench(t, 3)
	b.run(3 * time.Second)
	lost := 0
	b.drop = func(from, to int, typ wire.Type, _ Frame) bool {
		if from == 1 && to == 0 && (typ == wire.TypeData || typ == wire.TypeRepair) && lost < 3 {
			lost++
			return true
		}
		return false
	}
	b.put(1, "a", "1")
	b.awaitTold(0)
	for range 200 {
		b.run(time.Millisecond)
		if len(b.nodes[0].acked) > 0 {
			break
		}
		if lost == 0 {
			t.Fatal("nothing was lost")
		}
	}
	if a := b.nodes[0].acked; len(a) != 1 || !a[0].Met {
		t.Fatalf("acked %+v", a)
	}
	if got := b.get(0, "a"); got != "1" {
		t.Errorf("answered while what the peer had made before is not here: %q", got)
	}
}

// A peer that does not answer is waited for until the time is over, and it is said that it did not.
func TestWhoDoesNotTellIsNotWaitedForLong(t *testing.T) {
	b := newBench(t, 3)
	b.run(3 * time.Second)
	b.silence(func(from, _ int) bool { return from == 1 })
	b.awaitTold(0)
	b.run(1600 * time.Millisecond)
	if a := b.nodes[0].acked; len(a) != 1 || a[0].Met {
		t.Fatalf("acked %+v, want one that is not met", a)
	}
}

// Writers do not wait for a peer that is known not to answer, and neither does who asks what was made; but it has told nothing.
func TestWhoIsNotWaitedForHasToldNothing(t *testing.T) {
	b := newBench(t, 3)
	b.run(3 * time.Second)
	b.silence(func(from, _ int) bool { return from == 1 })
	b.oneByOne(0, AckAll, 500*time.Millisecond) // until it is known
	b.nodes[0].acked = nil
	b.awaitTold(0)
	b.run(1600 * time.Millisecond)
	if a := b.nodes[0].acked; len(a) != 1 || a[0].Met || a[0].Peers != 1 {
		t.Fatalf("acked %+v, want one peer that has told, of two", a)
	}
}

// A peer whose clock is far ahead has told nothing by it: what it makes after its heartbeat may be stamped by the others' time, and before the stamp
// that is asked for (sim seed 85000848).
func TestAClockFarAheadTellsNothing(t *testing.T) {
	b := newBench(t, 3)
	b.run(3 * time.Second)
	b.nodes[1].m.clock.Now(b.now.Add(time.Hour).UnixMilli())
	b.run(3 * time.Second)
	b.awaitTold(0)
	b.run(1600 * time.Millisecond)
	if a := b.nodes[0].acked; len(a) != 1 || a[0].Met || a[0].Peers != 1 {
		t.Fatalf("acked %+v, want one that is not met, by one peer", a)
	}
}

// A full heartbeat sent to one node, which counts none of the group's, may come after a later one and is not known to be overtaken by its count
// (sim seed 90005821).
func TestAHeartbeatThatComesLateTellsNothingNew(t *testing.T) {
	var d made
	d.say(10, 5)
	d.say(30, 9)
	d.say(20, 7)
	if want := (made{since: 10, said: 30, dots: 9}); d != want {
		t.Errorf("it counts as %+v, want %+v", d, want)
	}
}
