package cluster

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sessioncast/sessioncast/internal/table"
)

// flood makes new sessions of a minute's life on a node until one is refused.
func (m *member) flood(prefix string) (made int) {
	m.bed.Helper()
	for ; ; made++ {
		_, err := m.Table().Put(now(), key(fmt.Sprint(prefix, made)), &table.Write{
			Value: []byte(strings.Repeat("x", 1000)), Due: now() + time.Minute.Milliseconds(),
		})
		if errors.Is(err, table.ErrFull) {
			return made
		}
		if err != nil {
			m.bed.Fatal(err)
		}
	}
}

// A flood of new sessions on one node: all nodes refuse more, go on with what is there, and take new ones again when the flood has
// expired.
func TestAFloodOfSessionsEndsInRefusalsAndIsOverWhenTheyExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		runOn(t, newMemory(), func(b *testbed) {
			var list []spec
			for _, s := range specs(3) {
				s.memory = 2_000_000
				list = append(list, s)
			}
			nodes := b.start(list...)
			nodes[1].put("user", "logged in")
			made := nodes[0].flood("s")
			for _, m := range nodes {
				b.holds(m, made+1)
				b.eventually(m.name+" refuses new sessions", func() bool { return m.flood(fmt.Sprint(m.name, now(), " ")) == 0 })
				if h := m.FullHealth(); !h.Lacks.IsZero() {
					b.Errorf("%s lacks sessions of others: %+v", m.name, h)
				}
			}
			nodes[2].put("user", strings.Repeat("a larger basket ", 100))
			b.allRead(nodes, "user", strings.Repeat("a larger basket ", 100))
			nodes[0].destroy("user")
			b.allMiss(nodes, "user")
			b.within(2*time.Minute, "the flood has expired and new sessions are made", func() bool {
				return nodes[1].len() < 10 && nodes[1].flood(fmt.Sprint("again", now(), " ")) > made/2
			})
		})
	})
}

// A node with less memory than the others lacks what it has no room for, says so, and slows nobody down.
func TestANodeWithLessMemoryIsUnreadyAndSlowsNobodyDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		runOn(t, newMemory(), func(b *testbed) {
			list := specs(3)
			list[2].memory = 300_000
			nodes := b.start(list...)
			small := nodes[2]
			for i := range 1000 {
				nodes[0].put(fmt.Sprint("s", i), strings.Repeat("x", 1000))
			}
			b.allHold(nodes[:2], 1000)
			b.eventually("the small one knows that it lacks some", func() bool { return !small.FullHealth().Lacks.IsZero() })
			began := time.Now()
			for i := range 100 {
				seq := nodes[0].put(fmt.Sprint("s", i), strings.Repeat("y", 900))
				if peers := nodes[0].AwaitSync(t.Context(), seq, -1, 0); peers != 1 {
					b.Fatalf("write %d: %d peers confirmed it, want the one with room", i, peers)
				}
			}
			if d := time.Since(began) / 100; d > time.Millisecond {
				b.Errorf("writes take %v each beside a node without room", d)
			}
			for i := range 900 {
				nodes[1].destroy(fmt.Sprint("s", i))
			}
			b.eventually("the small one has caught up", func() bool {
				return small.FullHealth().Lacks.IsZero() && small.Table().Root() == nodes[0].Table().Root()
			})
			for _, m := range nodes {
				if d := m.Counters().Divergences; d > 0 {
					b.Errorf("%s: %d divergences", m.name, d)
				}
			}
		})
	})
}
