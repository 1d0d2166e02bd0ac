package cluster

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sessioncast/sessioncast/internal/table"
)

// How the touches of active sessions are measured: each is touched by a request every half to one and a half touchEvery, on
// any node, for longer than it would live without.
const (
	touchTTL   = 30 * time.Minute
	touchEvery = 10 * time.Second
	touchFor   = 40 * time.Minute
)

// touchedSessions is how many: as many as SESSIONCAST_TOUCHED says, else so few that it takes seconds. What they cost grows in
// proportion, but for the heartbeats.
func touchedSessions(t *testing.T) int {
	n, err := strconv.Atoi(os.Getenv("SESSIONCAST_TOUCHED"))
	switch {
	case err == nil:
		return n
	case testing.Short():
		return 1000
	}
	t.Log("set SESSIONCAST_TOUCHED=100000 to measure as docs/reliability.md has it")
	return 5000
}

// "100,000 active sessions with a 30-minute lifetime touched on every request cost a stated, small number of datagrams per
// second, and none expires early."
func TestTouchesOfActiveSessionsCostFewDatagrams(t *testing.T) {
	notRaced(t)
	sessions := touchedSessions(t)
	synctest.Test(t, func(t *testing.T) {
		runOn(t, newMemory(), func(b *testbed) { touchAll(b, sessions) })
	})
}

func touchAll(b *testbed, sessions int) {
	nodes := b.hosts(3)
	dice := rand.New(rand.NewPCG(3, 4))
	names := make([]string, sessions)
	for i := range names {
		names[i] = fmt.Sprintf("0123456789abcdef%016x", i) // as long as session ids are
		m := nodes[i%3]
		if _, err := m.Table().Put(now(), key(names[i]), &table.Write{Value: []byte(bodyMark), Due: now() + touchTTL.Milliseconds()}); err != nil {
			b.Fatal(err)
		}
	}
	b.allHold(nodes, sessions)
	before, began := b.traffic(nodes), time.Now()
	touches := 0
	request := time.NewTicker(touchEvery / time.Duration(sessions))
	defer request.Stop()
	for time.Since(began) < touchFor {
		for _, i := range dice.Perm(sessions) {
			<-request.C
			res, err := nodes[dice.IntN(3)].Table().Expire(now(), key(names[i]), now()+touchTTL.Milliseconds(), table.ExpireAlways)
			if err != nil || !res.Existed {
				b.Fatalf("after %v a session that is touched every %v is gone: %v", time.Since(began), touchEvery, err)
			}
			touches++
		}
	}
	b.reportTouches(nodes, sessions, touches, before, time.Since(began))
}

// traffic is what all nodes sent.
func (b *testbed) traffic(nodes []*member) (c trafficCount) {
	for _, m := range nodes {
		e, t := m.Counters(), m.Table().Stats()
		c.frames += e.FramesOut
		c.bytes += e.BytesOut
		c.data += e.DataOut
		c.acks += e.AcksOut
		c.beats += e.HeartbeatsOut
		c.dots += e.DotsOut
		c.renewed += t.Renewed
		c.expired += t.Expired
	}
	return c
}

type trafficCount struct{ frames, bytes, data, acks, beats, dots, renewed, expired uint64 }

func (b *testbed) reportTouches(nodes []*member, sessions, touches int, before trafficCount, d time.Duration) {
	after := b.traffic(nodes)
	rate := func(now, then uint64) float64 { return float64(now-then) / d.Seconds() }
	frames := rate(after.frames, before.frames)
	b.Logf("%d sessions, %d touches in %v, %.0f a second: of those replicated %.1f a second (%.1f ahead of need), in %.1f datagrams of changes a second; all nodes together sent %.1f datagrams and %.0f bytes a second (%.1f acknowledgements, %.1f heartbeats)",
		sessions, touches, d, float64(touches)/d.Seconds(), rate(after.dots, before.dots), rate(after.renewed, before.renewed),
		rate(after.data, before.data), frames, rate(after.bytes, before.bytes), rate(after.acks, before.acks), rate(after.beats, before.beats))
	if after.expired != 0 {
		b.Errorf("%d sessions expired though they were kept alive", after.expired)
	}
	b.allHold(nodes, sessions)
	const overhead = 40 // heartbeats and acknowledgements of three nodes
	if limit := overhead + float64(sessions)/500; frames > limit {
		b.Errorf("%.1f datagrams a second, more than %.1f", frames, limit)
	}
}
