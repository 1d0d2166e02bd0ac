package engine

import (
	"testing"
	"time"

	"github.com/sessioncast/sessioncast/internal/wire"
)

// "after a pause of its own it gives everyone a fresh grace instead of declaring all dead"
func TestWhoStoodStillAccusesNobody(t *testing.T) {
	b := newBench(t, 4)
	b.run(3 * time.Second)
	stopped := b.nodes[0]
	b.nodes = b.nodes[1:]
	b.drop = nil
	b.run(20 * time.Second)
	stopped.m.Poll(b.now, &stopped.out) // nothing that waits was read yet
	for _, e := range stopped.out.Events {
		if e.Kind == EventMember {
			t.Errorf("it calls %s %v", e.Member.Name, e.State)
		}
		if e.Kind == EventStoodStill && e.Member.Late < 18*time.Second {
			t.Errorf("it says that it stood still for %v", e.Member.Late)
		}
	}
	if stopped.m.Counters().StoodStill != 1 {
		t.Error("it did not notice that it stood still")
	}
	for _, p := range stopped.m.Members(b.now)[1:] {
		if p.State != wire.Synced || !p.Multicast {
			t.Errorf("%s is %v, its multicast heard: %v", p.Name, p.State, p.Multicast)
		}
	}
}

// Somebody looked at the members when the machine was due, and it stood still before it got to work: what waits in its sockets says what clocks
// showed then, and nothing of it is believed.
func TestALookAtTheMembersHidesNoStandstill(t *testing.T) {
	b := newBench(t, 2)
	b.run(3 * time.Second)
	m := b.nodes[1].m
	due := m.Deadline()
	m.Members(due.Add(time.Millisecond))
	for _, after := range []time.Duration{10 * time.Second, 11500 * time.Millisecond} { // the second: once more, when only the first was noticed
		still := m.Counters().StoodStill
		m.Members(due.Add(after))
		if m.Counters().StoodStill != still+1 || m.health.backlog != due.Add(after+backlogFor) {
			t.Errorf("%v later it has not noticed that it stood still", after)
		}
	}
}

func TestWhoRunsLateGivesOthersMoreTimeAndGetsWellAgain(t *testing.T) {
	b := newBench(t, 2)
	b.run(3 * time.Second)
	m := b.nodes[0].m
	for range 3 {
		b.now = m.Deadline().Add(2 * lateAfter)
		b.settle()
		m.Deadline()
	}
	self := m.Members(b.now)[0]
	if self.Stretch != 4 || self.Late != 2*lateAfter {
		t.Errorf("stretched %d times, late by %v; want 4, %v", self.Stretch, self.Late, 2*lateAfter)
	}
	if got := m.health.stretch(silentAfter); got != 4*silentAfter {
		t.Errorf("a peer may be silent for %v, want %v", got, 4*silentAfter)
	}
	b.run(3*healthCalm + lateShown)
	if self := m.Members(b.now)[0]; self.Stretch != 1 || self.Late != 0 {
		t.Errorf("in time again: stretched %d times, late by %v", self.Stretch, self.Late)
	}
}

func TestAnOverloadedNodeDoesNotDeclareDeadWhoIsOnlySilentForAWhile(t *testing.T) {
	b := newBench(t, 2)
	b.run(3 * time.Second)
	m := b.nodes[0].m
	for range healthMax {
		m.health.worsen(b.now)
	}
	b.silence(func(from, _ int) bool { return from == 1 })
	b.run(6 * time.Second)
	if got := b.member(0, 1).State; got == wire.Dead {
		t.Error("dead after six seconds")
	}
}

// Who asks for the deadline while work is overdue is told a moment that has passed; the next step a microsecond later is no second standstill, by which what
// peers said of their clocks would be as much younger again, and count as said after this node's clock stepped (sim seed 105982).
func TestAStandstillCountsOnce(t *testing.T) {
	b := newBench(t, 2)
	b.run(3 * time.Second)
	m := b.nodes[1].m
	due, said := m.Deadline(), m.Members(b.now)[1].OffsetAge
	woken := due.Add(6 * time.Second)
	m.Step(woken, Wrote{})
	for i := range 3 {
		if at := m.Deadline(); at.After(woken) {
			t.Fatalf("nothing is overdue: the deadline is %v", at.Sub(woken))
		}
		m.Step(woken.Add(time.Duration(i+1)*time.Microsecond), Wrote{})
	}
	if got := m.Counters().StoodStill; got != 1 {
		t.Errorf("it stood still %d times", got)
	}
	if age := m.Members(woken.Add(4 * time.Microsecond))[1].OffsetAge; age < said {
		t.Errorf("what its peer said %v before it stood still is %v old after it", said, age)
	}
}
