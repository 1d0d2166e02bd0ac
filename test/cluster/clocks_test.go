package cluster

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sessioncast/sessioncast/internal/node"
	"github.com/sessioncast/sessioncast/internal/record"
	"github.com/sessioncast/sessioncast/internal/table"
)

// A node that comes with a clock a day ahead refuses writes from the first on, says why, and what it destroys and flushes bears
// its peers' time; among three, and as the second of two.
func TestANodeADayAheadPoisonsNobody(t *testing.T) {
	for name, others := range map[string]int{"of two": 1, "of three": 2} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { runOn(t, newMemory(), func(b *testbed) { dayAhead(b, others) }) })
		})
	}
}

func dayAhead(b *testbed, others int) {
	const day = 24 * time.Hour
	nodes := b.hosts(others)
	nodes[0].put("old", "1")
	nodes[0].put("gone", "1")
	ahead := b.open(spec{name: "ahead", host: 3, change: func(c *node.Config) {
		c.Now = func() time.Time { return time.Now().Add(day) }
	}})
	ahead.synced()
	wall := now() + day.Milliseconds()
	_, err := ahead.Table().Put(wall, key("new"), &table.Write{Value: []byte("1")})
	if !errors.Is(err, table.ErrClock) || !errors.Is(err, table.ErrClockAhead) {
		b.Errorf("its first write: %v", err)
	}
	if _, found := ahead.Table().Get(wall, key("old")); !found {
		b.Error("it does not show what lives")
	}
	_, _ = ahead.Table().Destroy(wall, key("gone"), true)
	_, _ = ahead.Table().Flush(wall, 1)
	b.allMiss(nodes, "gone")
	for _, m := range nodes {
		var s record.State
		for _, k := range []record.Key{key("gone"), record.FloorKey(1)} {
			b.eventually("the destroys arrive", func() bool { return m.Table().Load(k, &s) && s.Tomb.At != 0 })
			if off := s.Tomb.At.Millis() - now(); off > 20_000 {
				b.Errorf("%s: destroyed %d ms from now", m.name, off)
			}
		}
		if _, found := m.get("old"); !found {
			b.Errorf("%s lost a session", m.name)
		}
	}
}
