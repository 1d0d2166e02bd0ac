package table

// The keys whose hashes agree in so many first bits are a part of the table: with PartBitsMin a bucket, with more a share
// of one. Nodes compare their tables by the sums of the parts' fingerprints, and the fewer keys a part has, the fewer
// travel for one that differs.
const (
	PartBitsMin = bucketBits
	PartBitsMax = 18
)

// PartBits is how many bits make parts of one key or less on average, if PartBitsMax are enough for that.
func (t *Table) PartBits() int {
	keys := 0
	for i := range t.buckets {
		keys += int(t.buckets[i].n.Load())
	}
	bits := PartBitsMin
	for bits < PartBitsMax && keys > 1<<bits {
		bits++
	}
	return bits
}

// Parts sums up the fingerprints of each of the 2^bits parts. Each sum is what the part held at one moment of the call.
func (t *Table) Parts(bits int) []uint64 {
	bits = min(max(bits, PartBitsMin), PartBitsMax)
	sums, shift := make([]uint64, 1<<bits), 64-bits
	for i := range t.buckets {
		b := &t.buckets[i]
		switch {
		case b.n.Load() == 0:
		case bits == PartBitsMin:
			sums[i] = b.sum.Load()
		default:
			b.mu.Lock()
			for j := range b.slots {
				if s := &b.slots[j]; s.e != nil {
					sums[s.hash>>shift] += s.e.print
				}
			}
			b.mu.Unlock()
		}
	}
	return sums
}

// Differ tells the parts of a table that differ from another's by the sums of that one. It belongs to one goroutine.
type Differ struct {
	Sums []uint64 // as by Parts
	Bits int      // 2^Bits of them

	Alike uint64 // parts, of those that have any keys, found alike so far
}

// NewDiffer makes one of what Parts returned elsewhere; nil where that cannot be.
func NewDiffer(sums []uint64) *Differ {
	for bits := PartBitsMin; bits <= PartBitsMax; bits++ {
		if len(sums) == 1<<bits {
			return &Differ{Sums: sums, Bits: bits}
		}
	}
	return nil
}

// walkDiffering is walk, but for the parts that are alike. The lock is held, so that what differs is judged by just what
// is visited.
func (b *bucket) walkDiffering(from uint64, d *Differ, visit func(hash uint64, e *entry) bool) {
	if d == nil {
		b.walk(from, visit)
		return
	}
	e := entries.Get().(*entry)
	defer e.rest()
	shift := 64 - d.Bits
	for i := b.seek(from >> shift << shift); i < len(b.slots); {
		part, sum, end := b.part(i, shift)
		switch {
		case end == i: // only empty slots follow
			return
		case d.Sums[part] == sum:
			d.Alike++
		default:
			for _, s := range b.slots[i:end] {
				if s.e == nil || s.hash < from {
					continue
				}
				s.e.unpack(e)
				if e.wake = s.wake; !visit(s.hash, e) {
					return
				}
			}
		}
		i = end
	}
}

// part sums up the part whose first slot is the first one in use from i on; end is behind its last slot.
func (b *bucket) part(i, shift int) (part, sum uint64, end int) {
	end = i
	for j := i; j < len(b.slots); j++ {
		s := &b.slots[j]
		if s.e == nil {
			continue
		}
		if end > i && s.hash>>shift != part {
			break
		}
		part, end = s.hash>>shift, j+1
		sum += s.e.print
	}
	return part, sum, end
}
