package table

import (
	"strconv"
	"testing"

	"pgregory.net/rapid"

	"github.com/sessioncast/sessioncast/internal/record"
)

// A bucket keeps few entries in itself and more outside, and moves them to and fro: it must hold what a map holds.
func TestBucketHoldsWhatAMapHolds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var b bucket
		held := map[uint64]*packed{}
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			// Homes at both ends and in the middle of the bucket, so that runs spill over the end and others push them.
			hash := rapid.SampledFrom([]uint64{0, 1 << 51, 1<<52 - 40}).Draw(t, "around") + rapid.Uint64Range(0, 12).Draw(t, "hash")
			k := record.Key{Name: strconv.FormatUint(hash, 10)}
			if e := held[hash]; e != nil {
				b.removeAt(b.indexOf(hash, e))
				delete(held, hash)
			} else {
				held[hash] = packedTomb(k)
				b.insert(hash, held[hash])
			}
			if b.find(hash, k) != held[hash] {
				t.Fatalf("hash %d: found %v, want %v", hash, b.find(hash, k), held[hash])
			}
			checkBucket(t, &b, held)
		}
	})
}

// packedTomb is an entry of a destroyed key.
func packedTomb(k record.Key) *packed {
	var e entry
	e.begin(k)
	e.state.Tomb.At = 1
	e.pack(new(arena))
	return e.packed
}

func checkBucket(t *rapid.T, b *bucket, held map[uint64]*packed) {
	last, n := uint64(0), 0
	b.walk(0, func(hash uint64, e *entry) bool {
		if hash < last || held[hash] != e.packed || b.find(hash, e.key()) != e.packed {
			t.Fatalf("hash %d is out of place", hash)
		}
		last = hash
		n++
		return true
	})
	if n != len(held) || int(b.n.Load()) != n {
		t.Fatalf("%d entries, counted %d, want %d", n, b.n.Load(), len(held))
	}
	if outside := b.homes > 1; outside && b.own != [few]slot{} || n > few && !outside {
		t.Fatalf("%d entries, %d slots outside the bucket, inside %v", n, b.homes, b.own)
	}
}

func TestATransferFillsABucketWithoutLayingItOutAgain(t *testing.T) {
	full, next := new(bucket), new(bucket)
	for i := range 200 {
		full.insert(uint64(i)<<40, new(packed))
	}
	next.expect(int(full.n.Load()))
	slots := cap(next.slots)
	for i := range 200 {
		next.insert(uint64(i)<<44, new(packed))
	}
	if cap(next.slots) != slots {
		t.Errorf("%d slots, then %d", slots, cap(next.slots))
	}
	for i := range 200 {
		next.removeAt(next.seek(uint64(i) << 44))
	}
	if next.slots != nil || next.homes != 0 {
		t.Error("an empty bucket keeps its slots")
	}
}
