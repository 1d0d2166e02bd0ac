package table

import (
	"math"
	"sync"
	"sync/atomic"

	"github.com/sessioncast/sessioncast/internal/record"
)

const (
	never = math.MaxInt64 // no moment in Unix milliseconds

	few     = 4 // a bucket keeps so many entries in itself, all with the home 0,
	fewBits = 0
	minBits = 3 // and more in slots of their own, at least 8
)

// bucket is a share of the keys. Its slots are a linear-probing table indexed by the hash's bits below the bucket's
// own and kept in hash order (no wrap-around: the run at the end spills into a tail), so that lookups are a probe and
// scans in hash order are a walk that can stop and resume at any hash.
type bucket struct {
	mu    sync.Mutex
	slots []slot
	n     atomic.Int32 // slots in use; changed under the lock only
	bits  uint8        // log2 of the slots without the tail
	wakes *wakeHeap    // nil: there never were any

	next atomic.Int64  // when the sweeper has something to do here; never: nothing
	sum  atomic.Uint64 // of the entries' fingerprints

	// With this a bucket has 128 bytes, so that neighbours do not share cache lines. A large table only touches the first
	// half; in a small one nothing lies behind one more pointer.
	own [few]slot
}

type slot struct {
	hash uint64
	e    *entry // nil: empty
}

func (b *bucket) home(hash uint64) int {
	return int(hash << bucketBits >> (64 - b.bits))
}

// seek is the first slot at or after hash's home that is empty or holds a hash of at least hash.
func (b *bucket) seek(hash uint64) int {
	if len(b.slots) == 0 {
		return 0
	}
	i := b.home(hash)
	for i < len(b.slots) && b.slots[i].e != nil && b.slots[i].hash < hash {
		i++
	}
	return i
}

func (b *bucket) find(hash uint64, k record.Key) *entry {
	for i := b.seek(hash); i < len(b.slots) && b.slots[i].hash == hash; i++ {
		if e := b.slots[i].e; e != nil && e.db == k.DB && e.name == k.Name {
			return e
		}
	}
	return nil
}

// indexOf is the slot of e, which must be there.
func (b *bucket) indexOf(hash uint64, e *entry) int {
	i := b.seek(hash)
	for b.slots[i].e != e {
		i++
	}
	return i
}

func (b *bucket) insert(hash uint64, e *entry) {
	switch n := int(b.n.Load()); {
	case n == 0:
		b.resize(fewBits)
	case b.bits == fewBits && n == few:
		b.resize(minBits)
	case b.bits > fewBits && n >= 3<<b.bits>>2:
		b.resize(b.bits + 1)
	}
	b.n.Add(1)
	carry := slot{hash, e}
	for i := b.seek(hash); i < len(b.slots); i++ {
		b.slots[i], carry = carry, b.slots[i]
		if carry.e == nil {
			return
		}
	}
	b.slots = append(b.slots, carry)
}

func (b *bucket) remove(hash uint64, e *entry) {
	i := b.indexOf(hash, e)
	for i+1 < len(b.slots) && b.slots[i+1].e != nil && b.home(b.slots[i+1].hash) <= i {
		b.slots[i] = b.slots[i+1]
		i++
	}
	b.slots[i] = slot{}
	switch n := int(b.n.Add(-1)); {
	case n == 0:
		b.slots, b.bits = nil, 0
	case b.bits == minBits && n == few/2:
		b.resize(fewBits)
	case b.bits > minBits && n < 1<<b.bits>>3:
		b.resize(b.bits - 1)
	}
}

// resize lays the entries out anew.
func (b *bucket) resize(bits uint8) {
	old := b.slots
	size := 1 << bits
	b.bits = bits
	if bits == fewBits {
		b.slots = b.own[:size]
	} else {
		b.slots = make([]slot, size, size+size>>5+minBits)
	}
	free := 0
	for _, s := range old {
		if s.e == nil {
			continue
		}
		at := max(b.home(s.hash), free)
		for at >= len(b.slots) {
			b.slots = append(b.slots, slot{})
		}
		b.slots[at] = s
		free = at + 1
	}
	if bits == minBits {
		clear(b.own[:]) // they have moved out
	}
}

// walk visits the entries with hashes from `from` on, in order, until visit says stop.
func (b *bucket) walk(from uint64, visit func(hash uint64, e *entry) bool) {
	for i := b.seek(from); i < len(b.slots); i++ {
		if s := b.slots[i]; s.e != nil && !visit(s.hash, s.e) {
			return
		}
	}
}
