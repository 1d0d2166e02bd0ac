package engine

import (
	"bytes"
	"testing"
	"time"

	"github.com/sessioncast/sessioncast/internal/wire"
)

func TestALateHeartbeatMakesNoClockLookSlow(t *testing.T) {
	start := time.Unix(1_700_000_000, 0)
	var o offsetMeter
	for _, c := range []struct {
		at, by, want time.Duration
	}{
		{0, -10 * time.Second, -10 * time.Second}, // all there is
		{time.Second, time.Millisecond, time.Millisecond},
		{2 * time.Second, -8 * time.Second, time.Millisecond},
		{3 * time.Second, -2 * time.Millisecond, time.Millisecond},
		{5 * time.Second, -3 * time.Millisecond, -2 * time.Millisecond}, // the window has passed
		{20 * time.Second, -time.Hour, -time.Hour},
	} {
		now := start.Add(c.at)
		o.note(now, c.by)
		if by, age := o.read(now); by != c.want || age != 0 {
			t.Errorf("at %v: %v, %v old, want %v", c.at, by, age, c.want)
		}
	}
	if by, age := o.read(start.Add(30 * time.Second)); by != -time.Hour || age != 10*time.Second {
		t.Errorf("in silence: %v, %v old", by, age)
	}
}

// Heartbeats that waited in a socket while this node stood still say what a clock showed then; what was known before counts,
// and is no older than it was.
func TestWhatWaitedWhileThisNodeStoodStillTellsNoTime(t *testing.T) {
	b := newBench(t, 3)
	b.run(5 * time.Second)
	stopped := b.nodes[2]
	b.nodes = b.nodes[:2]
	var waiting []Datagram
	b.drop = func(from, to int, typ wire.Type, f Frame) bool {
		if typ == wire.TypeHeartbeat && !f.To.IsValid() {
			waiting = append(waiting, Datagram{Data: bytes.Clone(f.Data), From: b.nodes[from].addr, Multicast: true})
		}
		return false
	}
	b.run(20 * time.Second)
	early := waiting[:len(waiting)/2] // the rest found no room
	for _, d := range early {
		stopped.m.Step(b.now, d)
	}
	for _, p := range stopped.m.Members(b.now)[1:] {
		if p.Offset.Abs() > time.Millisecond || p.OffsetAge > 2*time.Second {
			t.Errorf("its clock is off by %v, as it said %v ago", p.Offset, p.OffsetAge)
		}
	}
	b.drop, b.nodes = nil, append(b.nodes, stopped)
	b.run(3 * time.Second)
	for _, p := range stopped.m.Members(b.now)[1:] {
		if p.Offset.Abs() > time.Millisecond || p.OffsetAge > 2*time.Second {
			t.Errorf("3 s later: its clock is off by %v, as it said %v ago", p.Offset, p.OffsetAge)
		}
	}
	if len(early) < 10 {
		t.Errorf("only %d heartbeats waited", len(early))
	}
}

// A peer's clock was a day ahead, and was set while this node stood still: when it has told that, the day counts no more, though it was told
// within the last moments that this node was awake (sim seed 64003729).
func TestAClockThatWasSetDuringAStandstillIsRightAsSoonAsItIsTold(t *testing.T) {
	const still = 9 * time.Second
	b := newBench(t, 3)
	b.run(5 * time.Second)
	stopped := b.nodes[2]
	p := stopped.m.members.list[0]
	p.offset.note(b.now, 24*time.Hour)
	b.nodes = b.nodes[:2]
	b.run(still)
	b.nodes = append(b.nodes, stopped)
	b.settle()
	if d := stopped.m.describe(p); d.Offset != 24*time.Hour || d.OffsetAge > time.Second || d.OffsetAge+d.Stood < still {
		t.Errorf("awake, it believes %v, told %v ago and %v before", d.Offset, d.OffsetAge, d.Stood)
	}
	b.run(backlogFor + 1200*time.Millisecond)
	if d := stopped.m.describe(p); d.Offset.Abs() > time.Millisecond || d.OffsetAge > 1200*time.Millisecond || d.Stood != 0 {
		t.Errorf("told anew, it is %v, told %v ago and %v before", d.Offset, d.OffsetAge, d.Stood)
	}
}
