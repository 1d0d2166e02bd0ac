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

// In mode unicast a node knows that it hears nobody by multicast, from the first moment: so who uses multicast sends it copies, or hears its
// requests, from the first full heartbeat after they met, and not from that after the grace of newcomers.
func TestWhoUsesUnicastAloneSaysAtOnceThatItDoesNotHearTheGroup(t *testing.T) {
	for _, mode := range []Mode{ModeAuto, ModeMulticast} {
		b := newModeBench(t, 1, mode)
		b.run(3 * time.Second) // who comes then is synced at once, and says so to all
		b.mode = ModeUnicast
		b.add("cluster")
		b.drop = func(_, to int, _ wire.Type, f Frame) bool { return !f.To.IsValid() && to == 1 }
		b.nodes[1].m.Step(b.now, Seeds{Addrs: b.addrs()})
		met := false
		for range 300 {
			b.run(10 * time.Millisecond)
			for _, m := range b.nodes[0].m.Members(b.now) {
				met = met || !m.Self
				if !m.Self && m.HearsUs {
					t.Fatalf("mode %d is told by who is in mode unicast that its multicast arrives there", mode)
				}
			}
		}
		if !met {
			t.Error("they did not meet")
		}
	}
}

// One configured address is enough for all to meet, though its node uses multicast alone and calls nobody itself: of two that start at one instant
// and reach each other by unicast only, neither could be introduced to the other as it was greeted.
func TestWhoUsesMulticastAloneIntroducesThoseItHears(t *testing.T) {
	b := newModeBench(t, 1, ModeMulticast)
	b.drop = func(from, to int, _ wire.Type, f Frame) bool { return !f.To.IsValid() && (from == 1 || to == 1) }
	b.run(3 * time.Second)
	known := b.addrs()
	for _, mode := range []Mode{ModeUnicast, ModeAuto} {
		b.mode = mode
		b.add("cluster")
	}
	b.nodes[1].m.Step(b.now, Seeds{Addrs: known})
	b.run(10 * time.Second)
	for i := range b.nodes {
		if got := len(b.nodes[i].m.Members(b.now)); got != len(b.nodes) {
			t.Errorf("node %d knows %d members, want %d", i+1, got, len(b.nodes))
		}
	}
}
