package table

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/sessioncast/sessioncast/internal/record"
)

func TestPartsAreAsFineAsTheTableIsFull(t *testing.T) {
	n := newNode(t, 1)
	keys := 0
	for _, tt := range []struct{ keys, bits int }{{0, 12}, {4096, 12}, {4097, 13}, {8193, 14}, {20_000, 15}} {
		for ; keys < tt.keys; keys++ {
			n.put(fmt.Sprint(keys), "x")
		}
		if bits := n.PartBits(); bits != tt.bits {
			t.Errorf("%d keys: %d bits, want %d", tt.keys, bits, tt.bits)
		}
	}
}

// The sums of finer parts come to those of the coarser, down to the buckets' own.
func TestPartsAddUp(t *testing.T) {
	n := newNode(t, 1)
	for _, name := range names(5000) {
		n.put(name, "x")
	}
	n.destroy("gone")
	if _, err := n.Flush(n.now, 5); err != nil {
		t.Fatal(err)
	}
	for bits := PartBitsMin; bits < PartBitsMax; bits++ {
		coarse, fine := n.Parts(bits), n.Parts(bits+1)
		if len(coarse) != 1<<bits || len(fine) != 2<<bits {
			t.Fatalf("%d bits make %d parts, one more makes %d", bits, len(coarse), len(fine))
		}
		for i, sum := range coarse {
			if sum != fine[2*i]+fine[2*i+1] {
				t.Fatalf("part %d of %d bits is not the sum of its halves", i, bits)
			}
		}
	}
	if len(n.Parts(0)) != 1<<PartBitsMin || len(n.Parts(40)) != 1<<PartBitsMax {
		t.Error("more parts than there may be, or fewer")
	}
}

// What Chunk emits is what lies in the parts that differ, whatever the grain and wherever a chunk ends.
func TestChunksHoldJustThePartsThatDiffer(tt *testing.T) {
	rapid.Check(tt, func(t *rapid.T) {
		n := newNode(tt, 1)
		bits := rapid.IntRange(PartBitsMin, PartBitsMax).Draw(t, "bits")
		for i := range rapid.IntRange(0, 400).Draw(t, "keys") {
			n.put(fmt.Sprint(i), "value")
		}
		theirs := n.Parts(bits)
		for range rapid.IntRange(0, 30).Draw(t, "changes") {
			n.put(fmt.Sprint(rapid.IntRange(0, 400).Draw(t, "changed")), "changed")
		}
		var want, got []record.Key
		ours, used := n.Parts(bits), map[uint64]bool{}
		n.Chunk(0, 1<<30, nil, func(k record.Key, _ *record.State) {
			if part := n.hash(k) >> (64 - bits); ours[part] != theirs[part] {
				want = append(want, k)
			} else {
				used[part] = true
			}
		})
		size := rapid.IntRange(1, 5000).Draw(t, "bytes in a chunk")
		d := NewDiffer(theirs)
		for cursor, done := uint64(0), false; !done; {
			cursor, done = n.Chunk(cursor, size, d, func(k record.Key, _ *record.State) { got = append(got, k) })
		}
		if !slices.Equal(got, want) {
			t.Fatalf("%d keys, want %d", len(got), len(want))
		}
		if d.Alike < uint64(len(used)) {
			t.Fatalf("%d parts are alike, %d were left out", len(used), d.Alike)
		}
	})
}

func TestSumsOfAnotherGrainTellNothing(t *testing.T) {
	for _, n := range []int{0, 1, 2048, 4095, 1<<18 + 1, 1 << 19} {
		if NewDiffer(make([]uint64, n)) != nil {
			t.Errorf("%d sums are compared", n)
		}
	}
}
