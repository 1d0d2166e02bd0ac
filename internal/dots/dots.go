// Package dots is the interval set of sequence numbers: what a node knows of one origin's changes.
//
// A Set is a plain value owned by whoever holds it; it is not safe for concurrent use, and a copy made by
// assignment shares its ranges with the first: use Clone.
package dots

import (
	"encoding/binary"
	"slices"
	"sort"

	"github.com/cespare/xxhash/v2"
)

// Range is the sequence numbers from Lo to Hi, both included.
type Range struct{ Lo, Hi uint64 }

// Count is how many sequence numbers r holds.
func (r Range) Count() uint64 { return r.Hi - r.Lo + 1 }

// Set is a set of sequence numbers. They start at 1; 0 stands for none and is never in a set. The zero value is the
// empty set, ready to use.
//
// A Set does not limit how many ranges it holds; see Len.
type Set struct {
	ranges []Range // sorted, disjoint, never adjacent
}

// search is the index of the first range that ends at or after seq.
func (s *Set) search(seq uint64) int {
	return sort.Search(len(s.ranges), func(i int) bool { return s.ranges[i].Hi >= seq })
}

// Add puts seq into the set and reports whether it is new.
func (s *Set) Add(seq uint64) bool {
	return s.AddRange(seq, seq)
}

// AddRange puts lo to hi, both included, into the set and reports whether any of them is new. A range that ends
// before it starts is empty.
func (s *Set) AddRange(lo, hi uint64) bool {
	lo = max(lo, 1)
	if lo > hi {
		return false
	}
	if n := len(s.ranges); n == 0 || lo > s.ranges[n-1].Hi {
		s.append(Range{lo, hi})
		return true
	}
	return s.insert(Range{lo, hi})
}

// append adds r, which starts behind the last range.
func (s *Set) append(r Range) {
	if n := len(s.ranges); n > 0 && s.ranges[n-1].Hi+1 == r.Lo {
		s.ranges[n-1].Hi = r.Hi
		return
	}
	s.ranges = append(s.ranges, r)
}

// insert joins r with every range that it overlaps or touches.
func (s *Set) insert(r Range) bool {
	first := s.search(r.Lo - 1)
	last := first
	for last < len(s.ranges) && s.ranges[last].Lo-1 <= r.Hi {
		last++
	}
	if first == last {
		s.ranges = slices.Insert(s.ranges, first, r)
		return true
	}
	if old := s.ranges[first]; old.Lo <= r.Lo && r.Hi <= old.Hi {
		return false
	}
	r.Lo = min(r.Lo, s.ranges[first].Lo)
	r.Hi = max(r.Hi, s.ranges[last-1].Hi)
	s.ranges[first] = r
	s.ranges = slices.Delete(s.ranges, first+1, last)
	return true
}

// Contains reports whether seq is in the set.
func (s *Set) Contains(seq uint64) bool {
	return s.holds(Range{seq, seq})
}

// holds reports whether all of r, which is not empty, is in the set.
func (s *Set) holds(r Range) bool {
	i := s.search(r.Hi)
	return i < len(s.ranges) && s.ranges[i].Lo <= r.Lo
}

// Max is the highest number in the set, 0 for the empty set.
func (s *Set) Max() uint64 {
	if len(s.ranges) == 0 {
		return 0
	}
	return s.ranges[len(s.ranges)-1].Hi
}

// Count is how many numbers the set holds.
func (s *Set) Count() (n uint64) {
	for _, r := range s.ranges {
		n += r.Count()
	}
	return n
}

// Len is how many ranges the set holds: what it costs in memory and in a frame.
func (s *Set) Len() int { return len(s.ranges) }

// Empty reports whether the set holds nothing.
func (s *Set) Empty() bool { return len(s.ranges) == 0 }

// IsPrefix reports whether the set is 1 to Max without a hole; the empty set is.
func (s *Set) IsPrefix() bool {
	return len(s.ranges) == 0 || len(s.ranges) == 1 && s.ranges[0].Lo == 1
}

// Ranges is the set as sorted ranges that neither overlap nor touch. The slice is the set's own: it is valid until
// the set changes and must not be written to.
func (s *Set) Ranges() []Range { return s.ranges }

// Missing is what the set lacks of 1 to upTo: the lowest gaps, at most limit of them.
func (s *Set) Missing(upTo uint64, limit int) (gaps []Range) {
	next := uint64(1)
	for _, r := range s.ranges {
		if len(gaps) >= limit || r.Lo > upTo {
			break
		}
		if next < r.Lo {
			gaps = append(gaps, Range{next, r.Lo - 1})
		}
		if next = r.Hi + 1; next == 0 {
			return gaps // the set ends with the highest number there is
		}
	}
	if len(gaps) < limit && next <= upTo {
		gaps = append(gaps, Range{next, upTo})
	}
	return gaps
}

// Clone is a copy that shares nothing with s.
func (s *Set) Clone() Set { return Set{slices.Clone(s.ranges)} }

// Equal reports whether both sets hold the same numbers.
func (s *Set) Equal(other *Set) bool { return slices.Equal(s.ranges, other.ranges) }

// Covers reports whether every number of other is in s.
func (s *Set) Covers(other *Set) bool {
	i := 0
	for _, r := range other.ranges {
		for i < len(s.ranges) && s.ranges[i].Hi < r.Hi {
			i++
		}
		if i == len(s.ranges) || s.ranges[i].Lo > r.Lo {
			return false
		}
	}
	return true
}

// Union adds every number of other to s and reports whether any is new. It allocates nothing when none is.
func (s *Set) Union(other *Set) bool {
	if s.Covers(other) {
		return false
	}
	joined := Set{make([]Range, 0, len(s.ranges)+len(other.ranges))}
	a, b := s.ranges, other.ranges
	for len(a) > 0 || len(b) > 0 {
		if len(b) == 0 || len(a) > 0 && a[0].Lo <= b[0].Lo {
			joined.extend(a[0])
			a = a[1:]
		} else {
			joined.extend(b[0])
			b = b[1:]
		}
	}
	*s = joined
	return true
}

// extend adds r, which starts no earlier than the last range does.
func (s *Set) extend(r Range) {
	if n := len(s.ranges); n > 0 && r.Lo <= s.ranges[n-1].Hi {
		s.ranges[n-1].Hi = max(s.ranges[n-1].Hi, r.Hi)
		return
	}
	s.append(r)
}

// Intersect drops every number that is not in other from s and reports whether any was.
func (s *Set) Intersect(other *Set) bool {
	if other.Covers(s) {
		return false
	}
	var both []Range
	a, b := s.ranges, other.ranges
	for len(a) > 0 && len(b) > 0 {
		lo, hi := max(a[0].Lo, b[0].Lo), min(a[0].Hi, b[0].Hi)
		if lo <= hi {
			both = append(both, Range{lo, hi})
		}
		if a[0].Hi < b[0].Hi {
			a = a[1:]
		} else {
			b = b[1:]
		}
	}
	s.ranges = both
	return true
}

// Hash is a 64-bit hash of the numbers in the set, the same on every node and in every version.
func (s *Set) Hash() uint64 {
	var d xxhash.Digest
	d.Reset()
	var b [16]byte
	for _, r := range s.ranges {
		binary.BigEndian.PutUint64(b[:8], r.Lo)
		binary.BigEndian.PutUint64(b[8:], r.Hi)
		_, _ = d.Write(b[:])
	}
	return d.Sum64()
}

// CoversUpTo reports whether s holds all that other holds up to limit.
func (s *Set) CoversUpTo(other *Set, limit uint64) bool {
	for _, r := range other.ranges {
		if r.Lo > limit {
			return true
		}
		if !s.holds(Range{r.Lo, min(r.Hi, limit)}) {
			return false
		}
	}
	return true
}
