package cluster

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sessioncast/sessioncast/internal/engine"
	"github.com/sessioncast/sessioncast/internal/node"
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
			again := 0 // what has expired is purged in steps, and each makes room for some
			b.within(2*time.Minute, "the flood has expired and new sessions are made", func() bool {
				again += nodes[1].flood(fmt.Sprint("again", now(), " "))
				return again > made/2
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

// A node that starts where the others hold more than its memory joins for as long as that is so. It says why, serves what it has, ends
// sessions that it does not have, and nobody takes it for one that has all.
func TestANodeThatRestartsWithoutRoomServesWhatItHasAndLogsOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		runOn(t, newMemory(), func(b *testbed) {
			nodes := b.hosts(2)
			b.fill(nodes, "s", 1000, 1000)
			small := b.open(spec{name: "small", host: 2, memory: 300_000})
			if err := small.WaitComplete(t.Context()); !errors.Is(err, node.ErrNoRoom) {
				t.Fatalf("the small one waits with %v", err)
			}
			if small.Ready() || !small.Lacks() || !small.Table().Partial() || small.len() == 0 {
				t.Errorf("ready %v, lacks %v, partial %v, %d sessions", small.Ready(), small.Lacks(), small.Table().Partial(), small.len())
			}
			b.eventually("it is told once", func() bool { return small.told(is(engine.EventLacks)) == 1 })
			gone := ""
			for i := 0; gone == ""; i++ { // one that it has no room for
				if name := fmt.Sprint("s", i); !small.has(name) {
					gone = name
				}
			}
			if small.Table().Knows(now(), key(gone)) {
				t.Error("it knows what became of a session that it lacks")
			}
			small.destroy(gone)
			b.allMiss(nodes, gone)
			if _, err := nodes[0].tryPut(gone, "of a request under way"); !errors.Is(err, table.ErrDestroyed) {
				t.Errorf("after a logout on the small one: %v", err)
			}
			b.eventually("the others know what it is", func() bool { return lacking(nodes[0], "small") && lacking(nodes[1], "small") })
			late := b.open(spec{name: "late", host: 3})
			late.synced()
			b.holds(late, 999)
			for i := range 900 {
				nodes[1].destroy(fmt.Sprint("s", i))
			}
			b.within(time.Minute, "the small one is synced when there is room", func() bool { return small.Ready() && !small.Lacks() })
			b.within(time.Minute, "and says so", func() bool { return small.told(is(engine.EventLacksNoMore)) == 1 })
			b.sameTables([]*member{nodes[0], nodes[1], small, late}, patience)
		})
	})
}

func (m *member) has(name string) bool { _, found := m.get(name); return found }

// lacking reports whether m knows that a peer lacks sessions for want of room.
func lacking(m *member, peer string) bool {
	return slices.ContainsFunc(m.Members(), func(p engine.Member) bool { return p.Name == peer && p.Lacking })
}
