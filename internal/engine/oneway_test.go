package engine

import (
	"fmt"
	"testing"
	"time"
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
