package engine

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sessioncast/sessioncast/internal/wire"
)

// miss has node 1 lack n sessions of so many bytes that node 0 wrote, and lets it catch up.
func (b *bench) miss(n, size int, from func(to int) bool) {
	b.t.Helper()
	b.run(3 * time.Second)
	b.silence(func(_, to int) bool { return from(to) })
	value := strings.Repeat("x", size)
	for i := range n {
		b.put(0, fmt.Sprint(i), value)
	}
	b.run(100 * time.Millisecond)
	b.drop = nil
	b.run(2 * time.Second)
	for i := range n {
		b.want(fmt.Sprint(i), value)
	}
}

// "Beyond the ring (gap > 8192 dots or > 64 KiB): pull", where the comparison of tables costs less than the repairs.
func TestALargeGapOfOneReceiverIsPulled(t *testing.T) {
	for name, c := range map[string]struct{ n, size, fetches int }{
		"300 KB are repaired": {300, 1000, 0},
		"2 MB are pulled":     {2000, 1000, 1},
		"8 MB, too":           {16, 500_000, 1},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, 3)
			b.run(time.Second)
			before := b.nodes[1].m.Counters().FetchesStarted
			b.miss(c.n, c.size, func(to int) bool { return to == 1 })
			if got := b.nodes[1].m.Counters().FetchesStarted - before; int(got) != c.fetches {
				t.Errorf("%d transfers, want %d", got, c.fetches)
			}
		})
	}
}

// What many lack is multicast to all of them rather than streamed to each.
func TestALargeGapOfManyReceiversIsRepairedForAll(t *testing.T) {
	b := newBench(t, 5)
	b.run(time.Second)
	sent := b.nodes[0].m.Counters().RepairsOut
	b.miss(500, 1000, func(to int) bool { return to > 0 })
	if repairs := b.nodes[0].m.Counters().RepairsOut - sent; repairs < 250 {
		t.Errorf("%d repairs", repairs)
	}
}

// A larger table costs more to compare: the same gap is repaired there.
func TestTheLargerTheTableTheLargerAGapIsRepaired(t *testing.T) {
	b := newBench(t, 2)
	for i := range 40_000 {
		b.put(0, fmt.Sprint("held", i), "")
	}
	m := b.nodes[0].m
	for rest, want := range map[int]bool{256: false, 1000: false, 2000: true} {
		if got := m.worthPull(64_000+repairMaxBytes, 125, rest); got != want {
			t.Errorf("%d more of a kilobyte: pull %v, want %v", rest, got, want)
		}
	}
	if m.worthPull(1000, 1, 1<<20) {
		t.Error("a repair that the pace stopped is to be pulled")
	}
}

// touch extends a session beyond its promise.
func (b *bench) touch(i int, name string) uint64 {
	b.t.Helper()
	res, err := b.nodes[i].table.Expire(b.now.UnixMilli(), key(name), b.now.Add(10*time.Hour).UnixMilli(), 0)
	if err != nil || res.Seq == 0 {
		b.t.Fatalf("a touch without a dot: %v", err)
	}
	return res.Seq
}

func TestNobodyIsAskedToConfirmTouchesForWhichNobodyWaits(t *testing.T) {
	b := newBench(t, 3)
	b.run(6 * time.Second) // the questions to who sent nothing by unicast for long come before, and again 8 s later
	for i := range 50 {
		b.put(0, fmt.Sprint(i), "value")
	}
	b.run(2 * time.Second)
	acks := func() uint64 { return b.nodes[1].m.Counters().AcksOut + b.nodes[2].m.Counters().AcksOut }
	before := acks()
	for i := range 50 {
		b.touch(0, fmt.Sprint(i))
	}
	b.run(2 * time.Second)
	if got := acks() - before; got != 0 {
		t.Errorf("%d acknowledgements", got)
	}
	for i := 1; i < 3; i++ {
		if o := b.nodes[i].m.Counters(); o.NacksOut != 0 {
			t.Errorf("node %d had to ask for %d", i, o.NacksOut)
		}
	}
	if lag := b.member(0, 1).Lag; lag != 0 {
		t.Errorf("heartbeats leave a lag of %d", lag)
	}
}

// Whoever waits for a touch is answered as fast as for a write, whether the frame left before it was known or after.
func TestATouchThatSomebodyWaitsForIsConfirmed(t *testing.T) {
	for name, late := range map[string]bool{"known in time": false, "known when the frame has left": true} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, 3)
			b.run(3 * time.Second)
			b.put(0, "a", "value")
			b.run(2 * time.Second)
			seq := b.touch(0, "a")
			if late {
				b.settle()
			}
			b.await(0, seq, 1)
			b.run(time.Millisecond)
			if a := b.nodes[0].acked; len(a) != 1 || !a[0].Met || a[0].Peers < 1 {
				t.Errorf("acked %+v within a millisecond", a)
			}
		})
	}
}

func TestAWriteAmongTouchesIsConfirmed(t *testing.T) {
	b := newBench(t, 3)
	b.run(3 * time.Second)
	b.put(0, "a", "value")
	b.run(2 * time.Second)
	asked := 0
	b.drop = func(_, _ int, typ wire.Type, _ Frame) bool {
		if typ == wire.TypeAck {
			asked++
		}
		return false
	}
	b.touch(0, "a")
	b.put(0, "b", "value")
	b.settle()
	if asked == 0 {
		t.Error("nobody confirmed the write")
	}
}
