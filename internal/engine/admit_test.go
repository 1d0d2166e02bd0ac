package engine

import (
	"testing"
	"time"

	"github.com/sessioncast/sessioncast/internal/wire"
)

// "Nothing from an incarnation that has not answered a challenge counts"
func TestRecordedTrafficOfAPastRunCountsForNothing(t *testing.T) {
	b := newBench(t, 2)
	var tape []Datagram
	b.drop = func(from, _ int, _ wire.Type, f Frame) bool {
		if from == 0 && !f.To.IsValid() {
			tape = append(tape, Datagram{Data: append([]byte(nil), f.Data...), From: b.nodes[0].addr, Multicast: true})
		}
		return false
	}
	b.run(2 * time.Second)
	b.put(0, "secret", "1")
	b.run(2 * time.Second)
	late := b.add("cluster")
	b.silence(func(from, to int) bool { return from != to }) // the recorded run is over: nobody answers
	b.run(2 * time.Second)
	for _, d := range tape {
		d.Data = append([]byte(nil), d.Data...)
		late.m.Step(b.now, d)
	}
	b.run(2 * time.Second)
	if got := late.m.Members(b.now); len(got) != 1 {
		t.Errorf("a recording became a member: %+v", got)
	}
	if b.get(2, "secret") != "" {
		t.Error("a recorded write was merged")
	}
	if c := late.m.Counters(); c.DropUnproven == 0 {
		t.Error("nothing was counted")
	}
}

func TestReplayedTrafficOfALivePeerChangesNothing(t *testing.T) {
	b := newBench(t, 2)
	var tape []Datagram
	b.drop = func(from, to int, _ wire.Type, f Frame) bool {
		if from == 0 {
			tape = append(tape, Datagram{Data: append([]byte(nil), f.Data...), From: b.nodes[0].addr, Multicast: !f.To.IsValid()})
		}
		return false
	}
	b.run(2 * time.Second)
	b.put(0, "a", "1")
	b.run(time.Second)
	if _, err := b.nodes[0].table.Destroy(b.now.UnixMilli(), key("a"), true); err != nil {
		t.Fatal(err)
	}
	b.nodes[0].wrote = true
	b.run(time.Second)
	b.drop = nil
	before := b.nodes[1].m.Counters()
	for _, d := range tape {
		d.Data = append([]byte(nil), d.Data...)
		b.nodes[1].m.Step(b.now, d)
	}
	b.run(time.Second)
	after := b.nodes[1].m.Counters()
	if after.DropReplay-before.DropReplay < uint64(len(tape)) || b.get(1, "a") != "" {
		t.Errorf("%d of %d replayed frames refused; the session is %q", after.DropReplay-before.DropReplay, len(tape), b.get(1, "a"))
	}
}

func TestGarbageIsCountedAndDropped(t *testing.T) {
	b := newBench(t, 2)
	b.run(2 * time.Second)
	m := b.nodes[0].m
	before := m.Counters()
	for i := range 200 {
		junk := make([]byte, i*8)
		for j := range junk {
			junk[j] = byte(i * j)
		}
		m.Step(b.now, Datagram{Data: junk, From: b.nodes[1].addr, Multicast: i%2 == 0})
	}
	b.run(time.Second)
	c := m.Counters()
	if got := c.DropShort + c.DropForeign - before.DropShort - before.DropForeign; got != 200 {
		t.Errorf("%d of 200 counted", got)
	}
	if b.member(0, 1).State != wire.Synced {
		t.Error("garbage from its address hurt a member")
	}
}

func TestStrangersAreBounded(t *testing.T) {
	b := newBench(t, 1)
	b.run(2 * time.Second)
	m := b.nodes[0].m
	for i := range maxStrangers + 50 {
		o := b.nodes[0].origin
		o.Node[1], o.Node[2], o.Incarnation[3] = byte(i), byte(i>>8), 9
		m.challenge(o, b.nodes[0].addr)
	}
	if len(m.admit.strangers) != maxStrangers || len(m.admit.order) != maxStrangers {
		t.Errorf("%d and %d strangers kept, want %d", len(m.admit.strangers), len(m.admit.order), maxStrangers)
	}
}

// Whoever's clock was set back stamps on from where it was: what it stamps does not tell where its clock is.
func TestWhatSomebodyMetSendsIsKeptThoughItStampsAhead(t *testing.T) {
	b := newBench(t, 2)
	ahead := b.now.Add(24 * time.Hour).UnixMilli()
	if _, err := b.nodes[0].table.Destroy(ahead, key("long ago"), false); err != nil {
		t.Fatal(err)
	}
	for b.nodes[1].table.Sweep(ahead) { // alone under a clock that is a day ahead
	}
	if end, _ := b.nodes[1].table.Epoch(); end < ahead-time.Minute.Milliseconds() {
		t.Fatalf("collected up to %d", end)
	}
	b.run(time.Second)
	b.member(1, 0)
	if end, settled := b.nodes[1].table.Epoch(); settled {
		t.Errorf("what ended up to %d is dropped, before it is judged whose clock is right", end)
	}
}
