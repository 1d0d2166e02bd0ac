package engine

import (
	"fmt"
	"testing"
	"time"

	"github.com/sessioncast/sessioncast/internal/wire"
)

// Multicast alone sends no copies. Whom it does not reach hears by unicast what there is, and asks for it.
func TestByMulticastAloneWhomItDoesNotReachAsksForWhatItLacks(t *testing.T) {
	cuts := map[string]func(from, to int) bool{
		"one way between two": func(from, to int) bool { return from == 0 && to == 1 },
		"to one":              func(_, to int) bool { return to == 1 },
		"from one":            func(from, _ int) bool { return from == 0 },
		"everywhere":          func(int, int) bool { return true },
	}
	for name, cut := range cuts {
		for _, n := range []int{2, 3, 6} {
			t.Run(fmt.Sprint(name, ", nodes ", n), func(t *testing.T) {
				b := newModeBench(t, n, ModeMulticast)
				b.run(10 * time.Second)
				b.deaf(cut)
				b.put(0, "at once", "1")
				b.put(1, "the other at once", "1")
				b.run(4 * time.Second)
				b.want("at once", "1")
				b.want("the other at once", "1")
				for i := range b.nodes {
					b.put(i, fmt.Sprint("later", i), "2")
				}
				b.run(time.Second)
				for i := range b.nodes {
					b.want(fmt.Sprint("later", i), "2")
				}
				b.run(30 * time.Second)
				b.wantNoDeaths()
				for i := range b.nodes {
					if got := b.nodes[i].m.count.CopiesOut; got > 0 {
						t.Errorf("node %d sent %d copies", i+1, got)
					}
				}
			})
		}
	}
}

// The modes understand each other.
func TestAClusterOfAllModesHoldsTheSame(t *testing.T) {
	for _, modes := range [][]Mode{{ModeUnicast, ModeMulticast}, {ModeUnicast, ModeUnicast, ModeMulticast}, {ModeMulticast, ModeMulticast, ModeUnicast, ModeAuto}} {
		t.Run(fmt.Sprint(modes), func(t *testing.T) {
			b := newBench(t, 0)
			for _, mode := range modes {
				b.mode = mode
				b.add("cluster")
			}
			b.seed(b.addrs()...)
			b.drop = func(_, to int, _ wire.Type, f Frame) bool { return !f.To.IsValid() && modes[to] == ModeUnicast }
			b.run(10 * time.Second)
			for i := range b.nodes {
				b.put(i, fmt.Sprint("s", i), "1")
			}
			b.run(time.Second)
			for i := range b.nodes {
				b.want(fmt.Sprint("s", i), "1")
			}
			b.run(30 * time.Second)
			b.wantNoDeaths()
		})
	}
}
