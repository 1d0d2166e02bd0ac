package engine

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/sessioncast/sessioncast/internal/dots"
	"github.com/sessioncast/sessioncast/internal/wire"
)

// Many large values at once under random loss, from the full rate and from one that earlier losses cut to its floor: their
// fragments come again piece by piece, and loss that a lower rate does not lower is not met by ever lower rates.
func TestManyLargeValuesUnderRandomLossTakeAboutTheirBytes(t *testing.T) {
	const values, size = 28, 1 << 20
	for _, c := range []struct {
		name   string
		rate   float64 // of the ceiling
		within time.Duration
	}{
		{"from the ceiling", 1, 3 * time.Second},
		{"from the floor", paceFloor, 12 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t, 2)
			b.run(2 * time.Second)
			m := b.nodes[0].m
			m.pace.rate *= c.rate
			dice := rand.New(rand.NewPCG(1, 2))
			b.drop = func(_, _ int, _ wire.Type, _ Frame) bool { return dice.Float64() < 0.05 }
			large := string(make([]byte, size))
			for i := range values {
				b.put(0, fmt.Sprint("large", i), large)
			}
			took := time.Duration(0)
			for ; b.nodes[1].table.Len(0) < values; took += 100 * time.Millisecond {
				if took > time.Minute {
					t.Fatal("not there after a minute")
				}
				b.run(100 * time.Millisecond)
			}
			sent, in := m.Counters(), b.nodes[1].m.Counters()
			t.Logf("%v, rate %.1f MB/s, %d fragments, %d NACKs, %d given up, %d denied",
				took, m.pace.rate/1e6, sent.FragmentsOut, in.NacksOut, in.FragmentDrops, sent.RepairDenied)
			if took > c.within {
				t.Errorf("it took %v, want %v at most", took, c.within)
			}
			if least := uint64(values * size / 1250); sent.FragmentsOut > least*13/10 {
				t.Errorf("%d fragments left for %d: more than what was lost came again", sent.FragmentsOut, least)
			}
			if in.FragmentDrops > 0 {
				t.Errorf("%d assemblies were given up while their fragments came", in.FragmentDrops)
			}
		})
	}
}

func TestPiecesSentAgainAreLimited(t *testing.T) {
	b := newBench(t, 2)
	b.run(2 * time.Second)
	const values = maxPieces + 10
	for i := range values {
		b.put(0, fmt.Sprint("large", i), string(make([]byte, 5000)))
	}
	b.run(time.Second)
	m := b.nodes[0].m
	m.pace.rate, m.pace.tokens = 1, -1000 // nothing leaves
	for i := range values {
		it := wire.Item{Origin: m.self, Dots: []uint64{uint64(i + 1)}, Kind: wire.KindState, Key: key(fmt.Sprint("large", i))}
		m.table.Load(it.Key, &it.State)
		m.resendFragments(m.members.list[0], &wire.FragWant{
			Origin: m.self, Seq: uint64(i + 1), ID: wire.FragmentID(m.encoder.AppendItem(nil, &it)), Ranges: []dots.Range{{Lo: 2, Hi: 2}},
		})
	}
	if c := m.Counters(); m.frags.pieces != maxPieces || c.RepairDenied != values-maxPieces {
		t.Errorf("pieces of %d items, %d denied", m.frags.pieces, c.RepairDenied)
	}
}
