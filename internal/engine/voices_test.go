package engine

import (
	"testing"
	"time"

	"github.com/sessioncast/sessioncast/internal/wire"
)

// A newcomer that has all sessions and waits for a second clock asks for no more meanwhile; and that an earlier transfer failed, so that no other is to
// begin yet, does not keep it joining, or its deadline in the past.
func TestWhoWaitsForASecondClockIsSyncedWhenTheWaitIsOver(t *testing.T) {
	b := newBench(t, 3)
	b.run(3 * time.Second)
	m := b.nodes[0].m
	donor := m.members.list[0]
	m.join.state = wire.Joining
	m.join.voices = voices{donor: donor, until: b.now.Add(100 * time.Millisecond)}
	before := m.Counters().FetchesStarted
	m.pullFrom(donor)
	if got := m.Counters().FetchesStarted; got != before {
		t.Errorf("%d transfers began while it waited", got-before)
	}
	m.join.retryAt = b.now.Add(time.Minute)
	b.run(200 * time.Millisecond)
	if m.State() != wire.Synced {
		t.Errorf("after the wait it is %v", m.State())
	}
}
