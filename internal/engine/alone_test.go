package engine

import (
	"testing"
	"time"

	"github.com/sessioncast/sessioncast/internal/wire"
)

// A burst of loss takes the probes of a doubt; who was heard a moment before is no proof of being alone (sim seed 313835).
func TestAJoinerIsNotAloneWhileWhoLostItsProbesWasJustHeard(t *testing.T) {
	b, joiner := stranded(t, func(b *bench) { b.run(time.Second) })
	m := b.nodes[joiner].m
	b.run(fetchRetryMin - 100*time.Millisecond)
	b.silence(func(int, int) bool { return true })
	m.Step(b.now, WatchBroken{Origin: b.nodes[0].origin})
	b.run(90 * time.Millisecond)
	if got := b.member(joiner, 0); got.State != wire.Dead || got.Silence >= silentAfter {
		t.Fatalf("the donor is %v after %v of silence", got.State, got.Silence)
	}
	b.run(20 * time.Millisecond)
	b.drop, b.stuckStreams = nil, false
	if m.State() == wire.Synced {
		t.Fatal("it is synced alone, and heard the donor less than three seconds ago")
	}
	b.run(5 * time.Second)
	if m.State() != wire.Synced || b.told(joiner, EventIncomplete) != 0 || b.get(joiner, "s7") != "1" {
		t.Errorf("it is %v, told %d times that it lacks something, and has %q", m.State(), b.told(joiner, EventIncomplete), b.get(joiner, "s7"))
	}
}

// Nor while who proved itself, and was doubted before it could say its state, may be a member (sim seed 83000616).
func TestAJoinerIsNotAloneWhileWhoHasNotSaidItsStateWasJustHeard(t *testing.T) {
	b := newBench(t, 1)
	b.run(3 * time.Second)
	b.put(0, "s", "1")
	b.add("cluster")
	deaf := true
	b.drop = func(from, to int, typ wire.Type, f Frame) bool {
		return deaf && from == 0 && (!f.To.IsValid() || typ != wire.TypeChallenge && typ != wire.TypeResponse)
	}
	m := b.nodes[1].m
	b.run(500 * time.Millisecond)
	if b.member(1, 0).Name != "" {
		t.Fatal("it has said its name")
	}
	m.Step(b.now, WatchBroken{Origin: b.nodes[0].origin})
	b.run(100 * time.Millisecond)
	if got := b.member(1, 0).State; got != wire.Dead {
		t.Fatalf("it is %v", got)
	}
	b.run(600 * time.Millisecond)
	if deaf = false; m.State() == wire.Synced {
		t.Fatal("it is synced by itself, and heard another 700 ms ago")
	}
	b.run(5 * time.Second)
	if m.State() != wire.Synced || b.get(1, "s") != "1" {
		t.Errorf("when they hear each other it is %v, and has %q", m.State(), b.get(1, "s"))
	}
}
