package engine

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/sessioncast/sessioncast/internal/dots"
	"github.com/sessioncast/sessioncast/internal/wire"
)

func TestFragmentsOfASupersededVersionAreNotAskedFor(t *testing.T) {
	b := newBench(t, 2)
	b.run(2 * time.Second)
	n := 0
	b.drop = func(_, to int, typ wire.Type, _ Frame) bool {
		if typ == wire.TypeFrag && to == 1 {
			n++
		}
		return n == 50 && typ == wire.TypeFrag && to == 1
	}
	b.put(0, "large", strings.Repeat("1", 200_000))
	b.settle()
	b.put(0, "large", strings.Repeat("2", 200_000))
	b.run(3 * time.Second)
	b.want("large", strings.Repeat("2", 200_000))
	if sent := b.nodes[0].m.Counters().FragmentsOut; sent > 600 {
		t.Errorf("%d fragments sent for two values of 166, one of them lost", sent)
	}
}

// Two changes left as one item, a piece of it is lost, and the key changes: the answer, its new state, brings the later of the two dots. Asked for
// by that one for ever, the earlier never came.
func TestAnItemInPiecesIsAskedForByADotThatIsMissing(t *testing.T) {
	b := newBench(t, 2)
	b.run(2 * time.Second)
	n := 0
	b.drop = func(_, to int, typ wire.Type, _ Frame) bool {
		if typ == wire.TypeFrag && to == 1 {
			n++
		}
		return n == 2 && typ == wire.TypeFrag && to == 1
	}
	for i := range 3 {
		b.put(0, "large", strings.Repeat(fmt.Sprint(i), 5000))
		if i == 1 {
			b.settle()
		}
	}
	b.run(3 * time.Second)
	if behind := b.member(0, 1).Lag; behind > 0 {
		t.Errorf("it lacks %d dots", behind)
	}
	if sent := b.nodes[0].m.Counters().FragmentsOut; sent > 30 {
		t.Errorf("%d fragments sent of three values of 5", sent)
	}
}

func TestFragmentsThatCannotBeAreNotLookedFor(t *testing.T) {
	b := newBench(t, 2)
	b.run(2 * time.Second)
	b.put(0, "large", strings.Repeat("x", 5000))
	b.run(time.Second)
	m := b.nodes[0].m
	it := wire.Item{Origin: m.self, Dots: []uint64{1}, Kind: wire.KindState, Key: key("large")}
	m.table.Load(it.Key, &it.State)
	before := m.Counters().FragmentsOut
	m.resendFragments(m.members.list[0], &wire.FragWant{
		Origin: m.self, Seq: 1, ID: wire.FragmentID(m.encoder.AppendItem(nil, &it)),
		Ranges: []dots.Range{{Lo: 2, Hi: math.MaxUint64}},
	})
	b.run(10 * time.Millisecond)
	if sent := m.Counters().FragmentsOut - before; sent != 4 {
		t.Errorf("%d fragments sent, want the last 4 of 5", sent)
	}
}

func TestAFullNodeAsksSeldomForWhatItHasNoRoomFor(t *testing.T) {
	b := newBench(t, 2)
	n := b.nodes[1]
	n.maxBytes = 200_000
	b.restart(n)
	b.run(2 * time.Second)
	for i := range 1000 {
		b.put(0, fmt.Sprint("s", i), strings.Repeat("x", 1000))
		b.settle()
	}
	b.run(2 * time.Second)
	before := b.nodes[0].m.Counters().BytesOut
	b.run(time.Minute)
	if sent := b.nodes[0].m.Counters().BytesOut - before; sent > 1<<20 {
		t.Errorf("%d KiB a minute for a node that has no room for them", sent>>10)
	}
	if c := n.m.Counters(); c.NoRoom == 0 {
		t.Error("it had room")
	}
}
