package engine

import (
	"fmt"
	"testing"
	"time"

	"github.com/sessioncast/sessioncast/internal/wire"
)

// A cut in one direction is named by both sides, whatever the mode, and by nobody else.
func TestACutInOneDirectionIsNamedByBothSides(t *testing.T) {
	for _, mode := range []Mode{ModeUnicast, ModeMulticast, ModeAuto} {
		for _, n := range []int{2, 3, 20} {
			t.Run(fmt.Sprint("mode ", mode, ", nodes ", n), func(t *testing.T) {
				b := newModeBench(t, n, mode)
				if mode == ModeUnicast {
					b.seed(b.addrs()...)
				}
				b.run(10 * time.Second)
				b.silence(func(from, to int) bool { return from == 0 && to == 1 })
				b.run(30 * time.Second)
				for i := range b.nodes {
					for j := range b.nodes {
						if i == j {
							continue
						}
						d := b.member(i, j)
						if got, want := d.Unheard, i == 0 && j == 1; got != want {
							t.Errorf("node %d says of node %d that it is not heard there: %v", i+1, j+1, got)
						}
					}
				}
				if n > 2 && !b.member(1, 0).ViaOthers {
					t.Error("the deaf one does not name it")
				}
				if got := b.told(0, EventNotHeard); got != 1 {
					t.Errorf("told %d times", got)
				}
				b.drop = nil
				b.run(15 * time.Second)
				if b.member(0, 1).Unheard || b.told(0, EventHeardThere) != b.told(0, EventNotHeard) {
					t.Errorf("%+v, told %d times", b.member(0, 1), b.told(0, EventHeardThere))
				}
			})
		}
	}
}

// An address that is called though its node is heard from another is no sign of a cut.
func TestACallToASecondAddressIsNoCut(t *testing.T) {
	b := newModeBench(t, 2, ModeUnicast)
	b.seed(b.addrs()...)
	b.run(5 * time.Second)
	m := b.nodes[0].m
	p := m.members.list[0]
	for range 20 {
		b.run(time.Second)
		p.missedAt = b.now
		if m.hearsNothing(p) {
			t.Fatal("a cut is seen")
		}
	}
}

// Of two that hear each other one way only, one was admitted by the other, and never got the answers by which it would have admitted that one.
// Nobody tells it of that one where it calls no addresses, as in mode multicast, and that one owes it nothing (sim seed 71007792).
func TestWhoIsHeardAndKnowsNothingOfItIsCalled(t *testing.T) {
	for _, modes := range [][]Mode{
		{ModeMulticast, ModeMulticast, ModeMulticast}, {ModeMulticast, ModeAuto, ModeMulticast}, {ModeMulticast, ModeMulticast, ModeAuto},
		{ModeMulticast, ModeAuto, ModeAuto}, {ModeMulticast, ModeMulticast, ModeMulticast, ModeMulticast, ModeMulticast},
	} {
		t.Run(fmt.Sprint(modes), func(t *testing.T) {
			b := newBench(t, 0)
			for _, b.mode = range modes {
				b.add("cluster")
			}
			tried := b.now.Add(6 * time.Second) // by then it has given up
			b.drop = func(from, to int, typ wire.Type, f Frame) bool {
				answers := f.To.IsValid() && typ != wire.TypeChallenge
				return from == 1 && to == 0 && (!f.To.IsValid() || answers && b.now.Before(tried))
			}
			b.run(5 * time.Second)
			b.member(1, 0)
			if got := len(b.nodes[0].m.Members(b.now)); got != len(modes)-1 {
				t.Fatalf("it knows %d members so far", got)
			}
			b.run(10 * time.Second)
			b.member(0, 1)
		})
	}
}
