package engine

import (
	"fmt"
	"testing"
	"time"
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
