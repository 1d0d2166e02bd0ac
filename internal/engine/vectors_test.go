package engine

import (
	"testing"
	"time"

	"github.com/sessioncast/sessioncast/internal/record"
	"github.com/sessioncast/sessioncast/internal/wire"
)

// bury gives node i so many origins of the past.
func (b *bench) bury(i, n int) {
	m := b.nodes[i].m
	for k := range n {
		o := record.Origin{Node: record.NodeID{200, byte(k), byte(k >> 8)}}
		o.Incarnation[0] = 1
		m.origin(m.origins.Intern(o)).held.AddRange(1, 7)
	}
}

// What is known of restarts long ago must not keep the last writes of who died a moment ago from spreading.
func TestWhatADeadMemberWroteLastSpreadsThoughManyDiedBefore(t *testing.T) {
	b := newBench(t, 3)
	for i := range b.nodes {
		b.bury(i, 2000)
	}
	b.run(3 * time.Second)
	b.drop = func(from, to int, _ wire.Type, _ Frame) bool { return from == 0 && to == 2 }
	b.put(0, "a", "last words")
	b.settle()
	b.drop = func(from, to int, _ wire.Type, _ Frame) bool { return from == 0 || to == 0 }
	for _, n := range b.nodes[1:] { // as the watch over its process tells
		ref, _ := n.m.origins.Lookup(b.nodes[0].origin)
		n.m.setState(n.m.members.byRef[ref], wire.Dead)
	}
	b.run(3 * time.Second) // one beat until they know that they differ, one to tell
	if got := b.get(2, "a"); got != "last words" {
		t.Errorf("node 3 has %q", got)
	}
}

func TestEveryVectorHasItsTurn(t *testing.T) {
	for name, c := range map[string]struct{ living, dead, room int }{
		"few living":                      {3, 500, 40},
		"as many living as there is room": {40, 500, 40},
		"more living":                     {100, 500, 40},
		"the dead only":                   {0, 100, 40},
		"the living only":                 {100, 0, 40},
		"all fit":                         {10, 10, 40},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, 1)
			m := b.nodes[0].m
			m.members.list = append(m.members.list, &peer{state: wire.Synced, beats: 1, deadHash: 1}) // who holds something else
			b.bury(0, c.dead)
			for k := range c.living {
				o := record.Origin{Node: record.NodeID{100, byte(k)}, Incarnation: record.Incarnation{1}}
				ref := m.origins.Intern(o)
				m.origin(ref).held.Add(1)
				m.members.byRef[ref] = &peer{ref: ref, state: wire.Synced}
			}
			told := map[record.Ref]int{}
			beats := 0
			for ; len(told) < c.living+c.dead && beats < 100; beats++ {
				list := m.vectors(nil, 0)
				n := min(len(list), c.room)
				for _, v := range list[:n] {
					told[v.Origin]++
				}
				m.beat.slices.sent(n)
			}
			if most := 2*(c.living+c.dead)/c.room + 2; len(told) < c.living+c.dead || beats > most {
				t.Errorf("%d of %d told in %d heartbeats, want all in %d", len(told), c.living+c.dead, beats, most)
			}
		})
	}
}
