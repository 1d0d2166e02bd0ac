package engine

import (
	"bytes"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/sessioncast/sessioncast/internal/wire"
)

// "silence of 3 s → 2 direct + 3 indirect probes → dead at about 4 s"
func TestASilentNodeIsSuspectedThenDead(t *testing.T) {
	b := newBench(t, 3)
	b.run(3 * time.Second)
	b.silence(func(from, to int) bool { return from == 2 })
	b.run(2500 * time.Millisecond)
	if got := b.member(0, 2).State; got != wire.Synced {
		t.Errorf("after 2.5 s of silence: %v, want synced", got)
	}
	b.run(1300 * time.Millisecond)
	if got := b.member(0, 2).State; got != wire.Suspect {
		t.Errorf("after 3.8 s: %v, want suspect", got)
	}
	b.run(1300 * time.Millisecond)
	if got := b.member(0, 2).State; got != wire.Dead {
		t.Errorf("after 5.1 s: %v, want dead", got)
	}
	b.drop = nil
	b.run(2 * time.Second)
	if got := b.member(0, 2).State; got != wire.Synced {
		t.Errorf("when it is heard again: %v, want synced", got)
	}
}

func TestASuspectThatAnswersAProbeIsRefuted(t *testing.T) {
	b := newBench(t, 3)
	b.run(3 * time.Second)
	b.drop = func(from, _ int, typ wire.Type, _ Frame) bool { return from == 2 && typ == wire.TypeHeartbeat }
	b.run(20 * time.Second)
	if got := b.member(0, 2).State; got == wire.Dead {
		t.Error("a node that answers probes was declared dead")
	}
}

func TestALeaverSaysGoodbyeOnceItsWritesAreHeld(t *testing.T) {
	b := newBench(t, 3)
	b.run(3 * time.Second)
	b.drop = func(from, _ int, typ wire.Type, _ Frame) bool { return from == 0 && typ == wire.TypeData }
	b.put(0, "last", "1")
	b.nodes[0].m.Step(b.now, Leave{})
	b.run(100 * time.Millisecond)
	b.want("last", "1")
	if b.told(0, EventLeft) != 1 {
		t.Error("the drain was not reported once")
	}
	if got := b.member(1, 0); got.State != wire.Dead || !got.Left {
		t.Errorf("after its goodbye: %v, left: %v", got.State, got.Left)
	}
	b.run(10 * time.Second)
	if got := b.member(1, 0).State; got != wire.Dead {
		t.Errorf("a node that left came back: %v", got)
	}
}

func TestALeaverWaitsTwoSecondsAtMost(t *testing.T) {
	b := newBench(t, 2)
	b.run(3 * time.Second)
	b.silence(func(from, to int) bool { return from == 0 })
	b.put(0, "last", "1")
	b.nodes[0].m.Step(b.now, Leave{})
	b.run(1900 * time.Millisecond)
	if b.told(0, EventLeft) != 0 {
		t.Error("gave up before two seconds")
	}
	b.run(300 * time.Millisecond)
	if b.told(0, EventLeft) != 1 {
		t.Error("still waiting after two seconds")
	}
}

func TestARestartReplacesTheOldIncarnationAtOnce(t *testing.T) {
	b := newBench(t, 2)
	b.run(3 * time.Second)
	again := b.add("cluster")
	again.origin.Node = b.nodes[0].origin.Node
	b.restart(again)
	b.silence(func(from, to int) bool { return from == 0 || to == 0 })
	b.run(time.Second)
	if got := b.member(1, 0).State; got != wire.Dead {
		t.Errorf("the old incarnation is %v, want dead", got)
	}
	if b.told(1, EventDuplicate) != 0 {
		t.Error("a restart raised the alarm of two nodes with one name")
	}
}

// What the old incarnation sent waits in another socket than what the new one sends.
func TestWhatARestartedNodeSentBeforeRaisesNoAlarm(t *testing.T) {
	b := newBench(t, 2)
	b.run(3 * time.Second)
	var waiting []Datagram
	b.drop = func(from, to int, _ wire.Type, f Frame) bool {
		if from == 0 && to == 1 {
			waiting = append(waiting, Datagram{Data: bytes.Clone(f.Data), From: b.nodes[0].addr, Multicast: !f.To.IsValid()})
		}
		return from == 0
	}
	b.run(2 * time.Second)
	again := b.add("cluster")
	again.origin.Node = b.nodes[0].origin.Node
	b.restart(again)
	b.silence(func(from, to int) bool { return from == 0 || to == 0 })
	b.run(500 * time.Millisecond)
	for _, d := range waiting {
		b.nodes[1].m.Step(b.now, d)
	}
	b.run(5 * time.Second)
	if len(waiting) == 0 || b.told(1, EventDuplicate) != 0 {
		t.Errorf("%d datagrams waited, and the alarm of two nodes with one name was raised %d times", len(waiting), b.told(1, EventDuplicate))
	}
}

func TestTwoLiveNodesWithOneNameRaiseAlarm(t *testing.T) {
	b := newBench(t, 2)
	b.run(3 * time.Second)
	again := b.add("cluster")
	again.origin.Node = b.nodes[0].origin.Node
	b.restart(again)
	b.run(3 * time.Second)
	if b.told(1, EventDuplicate) != 1 {
		t.Errorf("told %d times, want once", b.told(1, EventDuplicate))
	}
	for _, e := range b.nodes[1].events {
		if both := []netip.AddrPort{b.nodes[0].addr, again.addr}; e.Kind == EventDuplicate && (e.Addr == e.Other || !slices.Contains(both, e.Addr) || !slices.Contains(both, e.Other)) {
			t.Errorf("they are at %v, and the alarm names %v and %v", both, e.Addr, e.Other)
		}
	}
}

func TestANodeThatHearsItsOwnNameRaisesAlarm(t *testing.T) {
	b := newBench(t, 1)
	again := b.add("cluster")
	again.origin.Node = b.nodes[0].origin.Node
	b.restart(again)
	b.run(3 * time.Second)
	if b.told(0, EventDuplicate) != 1 || b.told(1, EventDuplicate) != 1 {
		t.Errorf("told %d and %d times, want once each", b.told(0, EventDuplicate), b.told(1, EventDuplicate))
	}
	for i, n := range b.nodes {
		for _, e := range n.events {
			if e.Kind == EventDuplicate && e.Other.IsValid() {
				t.Errorf("node %d names %v, not itself", i+1, e.Other)
			}
			if e.Kind == EventDuplicate && e.Member.Name != n.m.cfg.Name {
				t.Errorf("node %d names %q, not the name that both have, %q", i+1, e.Member.Name, n.m.cfg.Name)
			}
		}
	}
}

// "2 direct + 3 indirect" probes
func TestANodeThatOthersHearIsNotDeclaredDead(t *testing.T) {
	b := newBench(t, 3)
	b.run(3 * time.Second)
	b.silence(func(from, to int) bool { return from == 2 && to == 0 })
	for range 60 {
		b.run(500 * time.Millisecond)
		if b.member(0, 2).State == wire.Dead {
			t.Fatal("a node cut off from us alone, in one direction, was declared dead")
		}
	}
	if b.told(0, EventMember) == 0 {
		t.Error("the silence was not noticed")
	}
}

func TestANodeThatRestartsForEverIsAdmittedForEver(t *testing.T) {
	b := newBench(t, 2)
	b.run(2 * time.Second)
	n := b.nodes[1]
	for i := range maxPeers + 10 {
		n.origin.Incarnation[14], n.origin.Incarnation[15] = byte(i), byte(i>>8)
		b.start(n, 1)
		n.inbox, n.events, n.acked, n.out = nil, nil, nil, Output{}
		b.run(400 * time.Millisecond)
	}
	b.run(3 * time.Second)
	b.put(0, "late", "1")
	b.run(time.Second)
	b.want("late", "1")
	if got := len(b.nodes[0].m.members.list); got > 3 {
		t.Errorf("%d runs of one node remembered, want the present and the last", got)
	}
}

func TestWhoIsHeardThroughOthersOnlyIsNamedAndNotToldOfAgainAndAgain(t *testing.T) {
	b := newBench(t, 3)
	b.run(3 * time.Second)
	b.silence(func(from, to int) bool { return from == 2 && to == 0 })
	b.run(8 * time.Second)
	before := b.told(0, EventMember)
	b.run(30 * time.Second)
	if m := b.member(0, 2); !m.ViaOthers || m.Multicast || m.Silence < 30*time.Second {
		t.Errorf("via others %v, multicast %v, silent for %v", m.ViaOthers, m.Multicast, m.Silence)
	}
	if got := b.told(0, EventMember) - before; got > 0 {
		t.Errorf("told of %d more times in half a minute", got)
	}
	b.drop = nil
	b.run(3 * time.Second)
	if m := b.member(0, 2); m.ViaOthers || !m.Multicast || m.State != wire.Synced {
		t.Errorf("when it is heard again: %+v", m)
	}
}

// "one-way cuts named (A hears B, B does not hear A)"
func TestAOneWayCutIsToldOnceAndSoIsItsEnd(t *testing.T) {
	b := newBench(t, 3)
	b.run(3 * time.Second)
	b.silence(func(from, to int) bool { return from == 2 && to == 0 })
	b.run(30 * time.Second)
	if b.told(0, EventUnheard) != 1 || b.told(0, EventHeard) != 0 {
		t.Errorf("told %d times of the cut, %d of its end", b.told(0, EventUnheard), b.told(0, EventHeard))
	}
	b.drop = nil
	b.run(10 * time.Second)
	if b.told(0, EventUnheard) != 1 || b.told(0, EventHeard) != 1 {
		t.Errorf("in the end told %d times of the cut, %d of its end", b.told(0, EventUnheard), b.told(0, EventHeard))
	}
	if b.told(1, EventUnheard) != 0 {
		t.Error("a node that hears both told of a cut")
	}
}
