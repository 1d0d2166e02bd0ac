package engine

import (
	"fmt"
	"testing"
	"time"

	"github.com/sessioncast/sessioncast/internal/record"
)

// Writers work on the table while the machine does: what it reads of the table may hold a write that it has not heard of.
func TestAWriteBetweenVectorsAndRootIsNoDivergence(t *testing.T) {
	for writer, name := range []string{"who tells", "who compares"} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, 2)
			b.run(3 * time.Second)
			b.put(0, "a", "1")
			b.run(3 * time.Second)
			n := b.nodes[writer]
			for i := range 20 {
				b.put(writer, fmt.Sprint("in between ", i), "1")
				n.wrote = false
				b.sweep()
				b.run(time.Second)
			}
			for i := range b.nodes {
				if c := b.nodes[i].m.Counters(); c.Divergences != 0 {
					t.Errorf("node %d found %d divergences", i, c.Divergences)
				}
			}
			b.put(writer, "b", "2")
			b.run(3 * time.Second)
			b.want("b", "2")
			b.want("in between 0", "1")
		})
	}
}

// Heartbeats that waited in the sockets tell of tables that were, and all at once: three of them are read in a millisecond.
func TestWhatWaitedWhileANodeStoodStillIsNotCompared(t *testing.T) {
	for name, still := range map[string]bool{"stood still": true, "did not": false} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, 2)
			b.run(2 * time.Second)
			b.put(0, "a", "1")
			b.run(2 * time.Second)
			differ(b, 0)
			for range 6 {
				if still {
					b.nodes[0].m.health.backlog, b.nodes[1].m.health.backlog = b.now.Add(time.Minute), b.now.Add(time.Minute)
				}
				b.sweep()
				b.run(time.Second)
			}
			if told := b.told(0, EventDivergence)+b.told(1, EventDivergence) > 0; told == still {
				t.Errorf("told of a divergence: %v", told)
			}
		})
	}
}

// What a transfer brings is merged before its dots are held.
func TestTablesAreNotComparedDuringATransfer(t *testing.T) {
	b := newBench(t, 2)
	b.run(2 * time.Second)
	b.put(0, "a", "1")
	b.run(2 * time.Second)
	b.stuckStreams = true
	for i := range b.nodes {
		m := b.nodes[i].m
		m.pullFrom(m.members.list[0])
	}
	differ(b, 0)
	for range 6 {
		b.sweep()
		b.run(time.Second)
	}
	if n := b.told(0, EventDivergence) + b.told(1, EventDivergence); n > 0 {
		t.Errorf("%d times told of a divergence", n)
	}
}

// differ changes a node's table by a fault that no dot tells of.
func differ(b *bench, i int) {
	var s record.State
	b.nodes[i].table.Load(key("a"), &s)
	s.Births[0].Latest += 60_000
	b.nodes[i].table.Merge(b.now.UnixMilli(), key("a"), &s)
}
