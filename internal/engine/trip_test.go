package engine

import (
	"testing"
	"time"

	"github.com/sessioncast/sessioncast/internal/wire"
)

// distant has what goes between nodes 1 and 2 take so long each way.
func distant(b *bench, way time.Duration) (run func(d time.Duration)) {
	type late struct {
		at time.Time
		to int
		d  Datagram
	}
	var list []late
	b.drop = func(from, to int, _ wire.Type, f Frame) bool {
		list = append(list, late{b.now.Add(way), to, Datagram{Data: append([]byte(nil), f.Data...), From: b.nodes[from].addr, Multicast: !f.To.IsValid()}})
		return true
	}
	return func(d time.Duration) {
		for range d / time.Millisecond {
			for len(list) > 0 && !b.now.Before(list[0].at) {
				b.nodes[list[0].to].m.Step(b.now, list[0].d)
				list = list[1:]
			}
			b.run(time.Millisecond)
		}
	}
}

// Between sites an answer takes longer than a local death is to take until it is seen. That costs a moment once, not again and again.
func TestWhoseAnswersHaveALongWayIsNotTakenForDeadAgainAndAgain(t *testing.T) {
	b := newBench(t, 2)
	b.run(5 * time.Second)
	run := distant(b, 40*time.Millisecond)
	run(3 * time.Second)
	m := b.nodes[0].m
	for range 5 {
		m.Step(b.now, WatchBroken{Origin: b.nodes[1].origin})
		run(2 * time.Second)
	}
	if got := m.Counters().DoubtsProven; got > 1 {
		t.Errorf("taken for dead %d times", got)
	}
	if state := b.member(0, 1).State; state != wire.Synced {
		t.Errorf("it is %v in the end", state)
	}
	b.drop = func(int, int, wire.Type, Frame) bool { return true }
	before := m.Counters().DoubtsProven
	m.Step(b.now, WatchBroken{Origin: b.nodes[1].origin})
	b.run(200 * time.Millisecond)
	if m.Counters().DoubtsProven != before+1 {
		t.Error("its death is not seen within two ways there and back, and a moment")
	}
}

// Where the way is long and answers are lost besides, no answer tells how long it is; but that a peer is heard again does.
func TestWhoIsHeardAgainAfterAVerdictHasMoreTimeForTheNext(t *testing.T) {
	b := newBench(t, 2)
	b.run(5 * time.Second)
	run := distant(b, 20*time.Millisecond)
	run(3 * time.Second)
	slow := b.drop
	b.drop = func(from, to int, typ wire.Type, f Frame) bool {
		return typ == wire.TypeProbeAck || slow(from, to, typ, f)
	}
	m := b.nodes[0].m
	for range 10 { // refuted by what it says to all
		m.Step(b.now, WatchBroken{Origin: b.nodes[1].origin})
		run(100 * time.Millisecond)
	}
	if got := m.Counters().DoubtsProven; got == 0 || got > 3 {
		t.Errorf("taken for dead %d times in a second", got)
	}
	if state := b.member(0, 1).State; state != wire.Synced {
		t.Errorf("it is %v in the end", state)
	}
}

// A moment in which a peer is busy does not make its death slow to see for long.
func TestASlowAnswerIsBelievedLittleByLittle(t *testing.T) {
	var w trip
	now := time.Unix(0, 0)
	for i, took := range []time.Duration{2, 400, 3} {
		w.nonce, w.asked = uint64(i), now
		w.note(now.Add(took*time.Millisecond), uint64(i))
		w.note(now.Add(time.Hour), uint64(i)) // again, by another way
		w.asked = now
		w.note(now.Add(time.Hour), 77) // of another look
		w.asked = time.Time{}
	}
	if w.time != 3*time.Millisecond {
		t.Errorf("after a fast answer %v", w.time)
	}
	w.nonce, w.asked = 9, now
	if w.note(now.Add(403*time.Millisecond), 9); w.time != 103*time.Millisecond {
		t.Errorf("after a slow one %v", w.time)
	}
}
