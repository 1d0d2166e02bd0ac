package table

import (
	"math"
	"math/bits"
	"sync"
	"sync/atomic"

	"github.com/sessioncast/sessioncast/internal/record"
)

const (
	never = math.MaxInt64 // no moment in Unix milliseconds

	few      = 3 // a bucket keeps so many entries in itself, all with the home 0,
	minSlots = 6 // and more in slots of their own, at least so many
	spill    = 4 // slots by which those behind the last home grow
)

// bucket is a share of the keys. Its slots are a linear-probing table placed by the hash's bits below the bucket's
// own and kept in hash order (no wrap-around: the run at the end spills into a tail), so that lookups are a probe and
// scans in hash order are a walk that can stop and resume at any hash.
type bucket struct {
	mu    sync.Mutex
	slots []slot
	n     atomic.Int32 // slots in use; changed under the lock only
	homes uint32       // slots without the tail

	next atomic.Int64  // when the sweeper has something to do here, or earlier; never: nothing
	sum  atomic.Uint64 // of the entries' fingerprints

	// With this a bucket has 128 bytes, so that neighbours do not share cache lines. A large table only touches the first
	// half.
	own [few]slot
}

type slot struct {
	hash uint64
	e    *packed // nil: empty
	wake int64   // when the sweeper looks at it; never: not at all
}

func (b *bucket) home(hash uint64) int {
	at, _ := bits.Mul64(hash<<bucketBits, uint64(b.homes))
	return int(at)
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

func (b *bucket) find(hash uint64, k record.Key) *packed {
	if i := b.locate(hash, k); i >= 0 {
		return b.slots[i].e
	}
	return nil
}

// locate is the slot of k, -1 for none.
func (b *bucket) locate(hash uint64, k record.Key) int {
	for i := b.seek(hash); i < len(b.slots) && b.slots[i].hash == hash; i++ {
		if p := b.slots[i].e; p != nil && p.is(k) {
			return i
		}
	}
	return -1
}

// indexOf is the slot of p, which must be there.
func (b *bucket) indexOf(hash uint64, p *packed) int {
	i := b.seek(hash)
	for b.slots[i].e != p {
		i++
	}
	return i
}

// insert gives p a slot. Slots grow by an eighth when five sixths of them are in use.
func (b *bucket) insert(hash uint64, p *packed) (at int) {
	switch n := int(b.n.Load()); {
	case n == 0 && b.homes == 0:
		b.resize(1)
	case n == few && b.homes == 1:
		b.resize(minSlots)
	case n > few && n >= int(b.homes)*5/6:
		b.resize(b.homes + b.homes/8 + 2)
	}
	b.n.Add(1)
	carry, at := slot{hash, p, never}, b.seek(hash)
	for i := at; i < len(b.slots); i++ {
		b.slots[i], carry = carry, b.slots[i]
		if carry.e == nil {
			return at
		}
	}
	b.spill(carry)
	return at
}

// spill puts s behind the last slot.
func (b *bucket) spill(s slot) {
	if len(b.slots) == cap(b.slots) {
		grown := make([]slot, len(b.slots), len(b.slots)+spill)
		copy(grown, b.slots)
		b.slots = grown
	}
	b.slots = append(b.slots, s)
}

// removeAt empties a slot.
func (b *bucket) removeAt(i int) {
	for i+1 < len(b.slots) && b.slots[i+1].e != nil && b.home(b.slots[i+1].hash) <= i {
		b.slots[i] = b.slots[i+1]
		i++
	}
	b.slots[i] = slot{}
	switch n := int(b.n.Add(-1)); {
	case n == 0:
		b.slots, b.homes = nil, 0
		b.next.Store(never)
	case n == few/2+1 && b.homes > 1:
		b.resize(1)
	case n > few && n < int(b.homes)/3 && b.homes > minSlots:
		b.resize(max(b.homes/2, minSlots))
	}
}

// expect makes room in an empty bucket for about n entries: transfers fill one bucket after the other.
func (b *bucket) expect(n int) {
	if b.n.Load() == 0 && n > few {
		b.resize(uint32(max(n*5/4, minSlots)))
	}
}

// resize lays the entries out anew; with one home they lie in the bucket itself.
func (b *bucket) resize(homes uint32) {
	old, inside := b.slots, b.homes == 1
	b.homes = homes
	if homes == 1 {
		b.slots = b.own[:]
	} else {
		b.slots = make([]slot, homes, homes+homes>>5+spill/2)
	}
	free := 0
	for _, s := range old {
		if s.e == nil {
			continue
		}
		at := max(b.home(s.hash), free)
		for at >= len(b.slots) {
			b.spill(slot{})
		}
		b.slots[at] = s
		free = at + 1
	}
	if inside && homes > 1 {
		clear(b.own[:]) // they have moved out
	}
}

// walk visits the entries with hashes from `from` on, in order, until visit says stop. The entry is valid until visit
// returns; what it points to stays.
func (b *bucket) walk(from uint64, visit func(hash uint64, e *entry) bool) {
	e := entries.Get().(*entry)
	for i, warm := b.seek(from), 0; i < len(b.slots); i++ {
		if i >= warm {
			warm = b.warm(i, e)
		}
		s := b.slots[i]
		if s.e == nil {
			continue
		}
		s.e.unpack(e)
		if e.wake = s.wake; !visit(s.hash, e) {
			break
		}
	}
	e.rest()
}

// warmed is how many slots' entries walk looks at in one go.
const warmed = 16

// warm looks at the entries of some slots from i on, and returns where it ended. They lie anywhere, and memory is slow: what
// is asked for in one go comes together, and walk would ask for one after the other.
func (b *bucket) warm(i int, e *entry) int {
	end := min(i+warmed, len(b.slots))
	sum := uint64(0)
	for j := i; j < end; j++ {
		if p := b.slots[j].e; p != nil {
			sum += p.print
		}
	}
	e.warmth = sum // so that the compiler takes it for needed
	return end
}
