package engine

import (
	"testing"
	"time"

	"github.com/sessioncast/sessioncast/internal/wire"
)

// "a receiver far worse than the median is set aside and converges by pull"
func TestAReceiverFarWorseThanTheOthersIsSetAsideAndTakenBack(t *testing.T) {
	b := newBench(t, 5)
	b.run(3 * time.Second)
	m := b.nodes[0].m
	n := 0
	b.drop = func(_, to int, typ wire.Type, f Frame) bool {
		n++
		return to == 4 && !f.To.IsValid() && n%3 != 0
	}
	b.flood(5*time.Second, 5_000)
	if !b.member(0, 4).Aside || b.told(0, EventSetAside) != 1 {
		t.Errorf("aside: %v, told %d times", b.member(0, 4).Aside, b.told(0, EventSetAside))
	}
	for i := 1; i < 4; i++ {
		if b.member(0, i).Aside {
			t.Errorf("node %d is set aside though it loses nothing", i)
		}
	}
	if m.pace.rate < float64(m.cfg.MaxRate) {
		t.Errorf("the rate is %.0f though only one receiver loses anything", m.pace.rate)
	}
	before := m.Counters()
	b.flood(3*time.Second, 5_000)
	after := m.Counters()
	if repairs, looks := after.RepairsOut-before.RepairsOut, uint64(4); repairs > looks*asideBudget {
		t.Errorf("%d repairs for one that is set aside within 3 s", repairs)
	}
	if after.TurnedAway == before.TurnedAway {
		t.Error("none of its requests was turned away")
	}
	b.drop = nil
	b.run(10 * time.Second)
	for i := range 5_000 {
		if name := sessionName(i); b.get(4, name) != b.get(0, name) {
			t.Fatalf("%s differs though nothing is lost any more", name)
		}
	}
	b.flood(5*time.Second, 5_000)
	if b.member(0, 4).Aside || b.told(0, EventTakenBack) != 1 {
		t.Errorf("in the end aside: %v, told %d times", b.member(0, 4).Aside, b.told(0, EventTakenBack))
	}
}

func TestOfFewReceiversNoneIsSetAside(t *testing.T) {
	b := newBench(t, 3)
	b.run(3 * time.Second)
	n := 0
	b.drop = func(_, to int, typ wire.Type, f Frame) bool {
		n++
		return to == 2 && !f.To.IsValid() && n%2 == 0
	}
	b.flood(6*time.Second, 1_000)
	if b.member(0, 2).Aside {
		t.Error("of two receivers one is set aside")
	}
}

// Who loses as much as everybody is not the one that is slow.
func TestALossThatAllShareSetsNobodyAside(t *testing.T) {
	b := newBench(t, 5)
	b.run(3 * time.Second)
	n := 0
	b.drop = func(_, to int, typ wire.Type, f Frame) bool {
		n++
		return to > 0 && !f.To.IsValid() && n%7 == 0
	}
	b.flood(8*time.Second, 1_000)
	for i := 1; i < 5; i++ {
		if b.member(0, i).Aside {
			t.Errorf("node %d is set aside", i)
		}
	}
}
