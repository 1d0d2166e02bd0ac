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
