package engine

import (
	"fmt"
	"testing"
	"time"

	"github.com/sessioncast/sessioncast/internal/dots"
	"github.com/sessioncast/sessioncast/internal/record"
	"github.com/sessioncast/sessioncast/internal/wire"
)

// Every list that peers or writers can make grow is filled here beyond its limit, and its counter must move.

func TestWaitersAreLimited(t *testing.T) {
	b := newBench(t, 2)
	b.run(3 * time.Second)
	b.silence(func(int, int) bool { return true })
	seq, m := b.put(0, "a", "1"), b.nodes[0].m
	for i := range maxWaiters + 5 {
		m.Step(b.now, Await{ID: uint64(i), Seq: seq, K: 1, Timeout: time.Second})
	}
	b.nodes[0].acked = nil
	b.settle()
	if got := len(b.nodes[0].acked); got != 5 || m.Counters().AwaitDenied != 5 || len(m.acks.waiters) != maxWaiters {
		t.Errorf("%d told at once, %d counted, %d wait", got, m.Counters().AwaitDenied, len(m.acks.waiters))
	}
}

func TestTheBacklogIsLimited(t *testing.T) {
	b := newBench(t, 2)
	b.run(3 * time.Second)
	m := b.nodes[0].m
	m.pace.rate, m.pace.tokens = 1, -1e12 // nothing leaves
	for i := range maxBacklog + 5 {
		b.put(0, fmt.Sprint(i), "")
		if i%4096 == 0 {
			m.Step(b.now, Wrote{})
		}
	}
	m.Step(b.now, Wrote{})
	if c := m.Counters(); c.BacklogDropped != 5 || len(m.push.queue) != maxBacklog || len(m.push.dirty) != maxBacklog {
		t.Errorf("%d wait, %d dropped", len(m.push.queue), c.BacklogDropped)
	}
}

func TestStrangersAreLimited(t *testing.T) {
	b := newBench(t, 1)
	b.run(3 * time.Second)
	m := b.nodes[0].m
	for i := range maxStrangers + 5 {
		m.challenge(record.Origin{Node: record.NodeID{9, byte(i), byte(i >> 8)}}, b.nodes[0].addr)
	}
	if c := m.Counters(); c.ChallengesDenied != 5 || len(m.admit.order) != maxStrangers || len(m.admit.strangers) != maxStrangers {
		t.Errorf("%d under challenge, %d denied", len(m.admit.order), c.ChallengesDenied)
	}
}

func TestControlFramesAreLimited(t *testing.T) {
	b := newBench(t, 1)
	m := b.nodes[0].m
	for range maxControl + 5 {
		m.queue(wire.TypeProbeAck, destination{}, nil)
	}
	if c := m.Counters(); c.ControlDropped != 5 || len(m.control) != maxControl {
		t.Errorf("%d wait, %d dropped", len(m.control), c.ControlDropped)
	}
}

func TestRepairsAskedForAreLimited(t *testing.T) {
	b := newBench(t, 2)
	b.run(3 * time.Second)
	m := b.nodes[0].m
	o := m.origin(m.origins.Intern(record.Origin{Node: record.NodeID{9}, Incarnation: record.Incarnation{1}}))
	o.held.AddRange(1, maxRepairWants+5)
	m.collect(m.members.list[0], o, []dots.Range{{Lo: 1, Hi: maxRepairWants + 5}})
	if c := m.Counters(); c.RepairDenied == 0 || len(m.repair.wants) != maxRepairWants {
		t.Errorf("%d asked for, %d denied", len(m.repair.wants), c.RepairDenied)
	}
}

func TestItemsPutTogetherAreLimited(t *testing.T) {
	for name, c := range map[string]struct{ total, want int }{
		"small ones by their number": {10_000, maxAssemblies},
		"large ones by their bytes":  {1 << 20, maxAssembly >> 20},
	} {
		b := newBench(t, 2)
		b.run(3 * time.Second)
		m := b.nodes[0].m
		for i := range c.want + 5 {
			f := wire.Fragment{Origin: m.members.list[0].ref, Dots: []uint64{uint64(100 + i)}, ID: uint64(i), Total: uint32(c.total), Size: 1200}
			m.assembly(m.members.list[0], &f)
		}
		if got := m.Counters().FragmentDrops; got != 5 || len(m.frags.list) != c.want || m.frags.held != c.want*c.total {
			t.Errorf("%s: %d are put together of %d bytes, %d dropped", name, len(m.frags.list), m.frags.held, got)
		}
	}
}

func TestEventsAreLimited(t *testing.T) {
	b := newBench(t, 1)
	m := b.nodes[0].m
	for range maxEvents + 5 {
		m.event(Event{Kind: EventLeft})
	}
	if c := m.Counters(); len(m.events) != maxEvents || c.EventsDropped != 5 {
		t.Errorf("%d wait, %d dropped", len(m.events), c.EventsDropped)
	}
}
