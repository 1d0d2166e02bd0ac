package engine

import (
	"bytes"
	"testing"
	"time"

	"github.com/sessioncast/sessioncast/internal/wire"
)

// stop ends node i as kill -9 does: nothing of it is heard, nothing reaches it, and who watched it learns so.
func (b *bench) stop(i int) {
	b.silence(func(from, to int) bool { return from == i || to == i })
	for j, n := range b.nodes {
		if j != i && b.watches(j, i) {
			n.m.Step(b.now, WatchBroken{Origin: b.nodes[i].origin})
		}
	}
}

func (b *bench) watches(i, target int) bool {
	for _, w := range b.nodes[i].m.watches.list {
		if w.Origin == b.nodes[target].origin {
			return true
		}
	}
	return false
}

// "a connection to the next two nodes in id order"
func TestEachWatchesTheNextTwo(t *testing.T) {
	b := newBench(t, 5)
	b.run(3 * time.Second)
	for i := range 5 {
		for j := range 5 {
			next := (j-i+5)%5 == 1 || (j-i+5)%5 == 2
			if b.watches(i, j) != next {
				t.Errorf("%d watches %d: %v", i, j, !next)
			}
		}
	}
	b.nodes[1].m.Step(b.now, Leave{})
	b.run(time.Second)
	if b.watches(0, 1) || !b.watches(0, 2) || !b.watches(0, 3) {
		t.Error("when the next has left the two after it are not watched")
	}
	if w := b.nodes[1].m.watches.list; len(w) != 0 {
		t.Errorf("who leaves watches %v", w)
	}
}

// "dies with the process (< 50 ms to "dead", after a probe)"
func TestADeadProcessIsKnownToAllWithin50ms(t *testing.T) {
	b := newBench(t, 5)
	b.run(3 * time.Second)
	b.stop(2)
	b.run(20 * time.Millisecond)
	if got := b.member(0, 2).State; got != wire.Synced {
		t.Errorf("before the probes had time to be answered: %v", got)
	}
	b.run(30 * time.Millisecond)
	for i := range 5 {
		if got := b.member(i, 2).State; i != 2 && got != wire.Dead {
			t.Errorf("node %d after 50 ms: %v, want dead", i, got)
		}
	}
}

func TestAConnectionThatEndsProvesNothing(t *testing.T) {
	b := newBench(t, 4)
	b.run(3 * time.Second)
	before := b.told(0, EventMember)
	b.nodes[0].m.Step(b.now, WatchBroken{Origin: b.nodes[1].origin})
	b.run(3 * time.Second)
	for i := range 4 {
		if got := b.member(i, 1).State; i != 1 && got != wire.Synced {
			t.Errorf("node %d: %v, want synced", i, got)
		}
	}
	if b.told(0, EventMember) != before {
		t.Error("a refuted doubt was told")
	}
	if c := b.nodes[3].m.Counters(); c.DoubtsRefuted != 1 || c.DoubtsIn == 0 {
		t.Errorf("node 3 heard of %d doubts and refuted %d", c.DoubtsIn, c.DoubtsRefuted)
	}
}

func TestWhoAnswersTheLastProbeOnlyLives(t *testing.T) {
	b := newBench(t, 3)
	b.run(3 * time.Second)
	asked := 0
	b.drop = func(from, to int, typ wire.Type, _ Frame) bool {
		if from == 0 && typ == wire.TypeProbe {
			asked++
			return asked < 3
		}
		return from == 1
	}
	kept := b.drop
	b.drop = func(from, to int, typ wire.Type, f Frame) bool {
		return typ != wire.TypeProbeAck && kept(from, to, typ, f)
	}
	b.nodes[0].m.Step(b.now, WatchBroken{Origin: b.nodes[1].origin})
	b.run(100 * time.Millisecond)
	if got := b.member(0, 1).State; got != wire.Synced || asked != 3 {
		t.Errorf("after %d probes: %v, want synced", asked, got)
	}
}

// A doubt about who is cut off from us is decided by who can ask.
func TestADoubtAboutWhoIsHeardThroughOthersIsDecidedByThem(t *testing.T) {
	b := newBench(t, 3)
	b.run(3 * time.Second)
	b.silence(func(from, to int) bool { return from == 2 && to == 0 })
	b.run(8 * time.Second)
	if b.watches(0, 2) {
		t.Error("who cannot be probed is watched")
	}
	b.nodes[1].m.Step(b.now, WatchBroken{Origin: b.nodes[2].origin})
	b.run(200 * time.Millisecond)
	if got := b.member(0, 2).State; got == wire.Dead {
		t.Error("declared dead by who cannot hear it")
	}
}

// waited is a frame of node from that node to reads only later.
func (b *bench) waited(from, to int) (deliver func()) {
	var frame Datagram
	kept := b.drop
	b.drop = func(f, t int, _ wire.Type, fr Frame) bool {
		if f == from && t == to && !fr.To.IsValid() && frame.Data == nil {
			frame = Datagram{Data: bytes.Clone(fr.Data), From: b.nodes[from].addr, Multicast: true}
			return true
		}
		return false
	}
	b.put(from, "last words", "x")
	b.settle()
	b.drop = kept
	return func() {
		if frame.Data == nil {
			b.t.Fatal("nothing was sent")
		}
		b.nodes[to].m.Step(b.now, frame)
		b.settle()
	}
}

// TestAFrameThatWaitedInASocketSavesNobody: on a busy machine what a process sent last is read after its death was seen.
func TestAFrameThatWaitedInASocketSavesNobody(t *testing.T) {
	for name, after := range map[string]time.Duration{
		"before the verdict": doubtInFlight + time.Millisecond,
		"after the verdict":  100 * time.Millisecond,
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, 5)
			b.run(3 * time.Second)
			watcher, other := 1, 4 // of node 2
			if !b.watches(watcher, 2) || b.watches(other, 2) {
				t.Fatal("another order")
			}
			first, second := b.waited(2, watcher), b.waited(2, other)
			b.run(time.Second)
			b.stop(2)
			b.run(after)
			first()
			second()
			b.run(300 * time.Millisecond)
			for _, i := range []int{watcher, other} {
				if got := b.member(i, 2).State; got != wire.Dead {
					t.Errorf("node %d: %v, want dead", i, got)
				}
			}
		})
	}
}

func TestWhoMissedADoubtHearsOfItWithTheVerdict(t *testing.T) {
	b := newBench(t, 5)
	b.run(3 * time.Second)
	b.stop(2)
	cut := b.drop
	b.drop = func(from, to int, typ wire.Type, f Frame) bool { return cut(from, to, typ, f) || to == 4 }
	b.run(20 * time.Millisecond)
	b.drop = cut
	b.run(60 * time.Millisecond)
	if got := b.member(4, 2).State; got != wire.Dead {
		t.Errorf("%v, want dead", got)
	}
}

// TestWhoAnswersByMulticastOnlyIsNotDead: no probe and no answer passes, but the doubt does, and what it brings.
func TestWhoAnswersByMulticastOnlyIsNotDead(t *testing.T) {
	b := newBench(t, 4)
	b.run(3 * time.Second)
	b.shutUnicast(func(from, to int) bool { return from == 1 || to == 1 })
	b.nodes[0].m.Step(b.now, WatchBroken{Origin: b.nodes[1].origin})
	before := b.told(0, EventMember)
	b.run(3 * time.Second)
	if got := b.member(0, 1).State; got != wire.Synced || b.told(0, EventMember) != before {
		t.Errorf("%v, %d changes were told", got, b.told(0, EventMember)-before)
	}
	if c := b.nodes[0].m.Counters(); c.DoubtsRefuted != doubtLooks {
		t.Errorf("%d looks, want %d", c.DoubtsRefuted, doubtLooks)
	}
}

func TestALateVerdictIsNone(t *testing.T) {
	b := newBench(t, 2)
	b.run(3 * time.Second)
	m := b.nodes[0].m
	m.Step(b.now, WatchBroken{Origin: b.nodes[1].origin})
	var out Output
	for range doubtProbesMax + 5 {
		m.Poll(b.now, &out)
		m.Deadline()
		b.now = b.now.Add(45 * time.Millisecond) // the answers are not read meanwhile
	}
	if got := b.member(0, 1).State; got == wire.Dead {
		t.Error("a node that was late for everything declared another dead")
	}
}

func TestOneWhoIsProbedShowsEverybodyThatItLives(t *testing.T) {
	b := newBench(t, 3)
	b.run(3 * time.Second)
	before := b.nodes[1].m.Counters().HeartbeatsOut
	b.nodes[0].m.Step(b.now, WatchBroken{Origin: b.nodes[1].origin})
	b.settle()
	if got := b.nodes[1].m.Counters().HeartbeatsOut - before; got != 1 {
		t.Errorf("%d heartbeats, want one", got)
	}
}

// A second look asks through others, too, and there is none at who is known to be shut: its multicast has answered as well as it can.
func TestAnotherLookAsksThroughOthers(t *testing.T) {
	b := newBench(t, 4)
	b.run(3 * time.Second)
	cut := func(from, to int) bool { return from+to == 1 }
	b.shutUnicast(cut)
	deaf := b.drop
	b.drop = func(from, to int, typ wire.Type, f Frame) bool { // of the later looks' own words none arrive
		return deaf(from, to, typ, f) || typ == wire.TypeDoubt && to == 1 && b.nodes[0].m.Counters().DoubtsRefuted > 0
	}
	b.nodes[0].m.Step(b.now, WatchBroken{Origin: b.nodes[1].origin})
	b.run(500 * time.Millisecond)
	if got := b.member(0, 1).State; got != wire.Synced {
		t.Errorf("with others who can ask: %v, want synced", got)
	}
	if c := b.nodes[0].m.Counters(); c.DoubtsRefuted != 2 {
		t.Errorf("%d looks, want the second to be the last", c.DoubtsRefuted)
	}
	b.shutUnicast(cut)
	b.run(time.Minute) // it is named
	before := b.nodes[0].m.Counters().DoubtsRefuted
	b.nodes[0].m.Step(b.now, WatchBroken{Origin: b.nodes[1].origin})
	b.run(3 * time.Second)
	if c := b.nodes[0].m.Counters(); c.DoubtsRefuted != before+1 {
		t.Errorf("%d looks at who is shut, want one", c.DoubtsRefuted-before)
	}
}
