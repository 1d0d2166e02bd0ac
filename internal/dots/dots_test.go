package dots

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// setOf is the set of the given ranges, put in one after the other.
func setOf(ranges ...Range) *Set {
	s := new(Set)
	for _, r := range ranges {
		s.AddRange(r.Lo, r.Hi)
	}
	return s
}

func wantRanges(t *testing.T, s *Set, want ...Range) {
	t.Helper()
	if !slices.Equal(s.Ranges(), want) {
		t.Errorf("ranges %v, want %v", s.Ranges(), want)
	}
}

const top = math.MaxUint64

func TestAddRange(t *testing.T) {
	tests := []struct {
		name string
		have []Range
		add  Range
		new  bool
		want []Range
	}{
		{"into nothing", nil, Range{3, 5}, true, []Range{{3, 5}}},
		{"0 is never in a set", nil, Range{0, 0}, false, nil},
		{"from 0 starts at 1", nil, Range{0, 2}, true, []Range{{1, 2}}},
		{"a range that ends before it starts", []Range{{1, 9}}, Range{6, 5}, false, []Range{{1, 9}}},
		{"the next number", []Range{{1, 4}}, Range{5, 5}, true, []Range{{1, 5}}},
		{"one number later", []Range{{1, 4}}, Range{6, 6}, true, []Range{{1, 4}, {6, 6}}},
		{"one that is there", []Range{{1, 4}, {8, 9}}, Range{2, 4}, false, []Range{{1, 4}, {8, 9}}},
		{"the hole between two", []Range{{1, 4}, {6, 9}}, Range{5, 5}, true, []Range{{1, 9}}},
		{"touching the one before", []Range{{1, 4}, {8, 9}}, Range{5, 6}, true, []Range{{1, 6}, {8, 9}}},
		{"touching the one behind", []Range{{1, 4}, {8, 9}}, Range{6, 7}, true, []Range{{1, 4}, {6, 9}}},
		{"touching neither", []Range{{1, 4}, {8, 9}}, Range{6, 6}, true, []Range{{1, 4}, {6, 6}, {8, 9}}},
		{"in front of all", []Range{{4, 4}}, Range{1, 2}, true, []Range{{1, 2}, {4, 4}}},
		{"over several", []Range{{2, 3}, {5, 6}, {8, 9}, {20, 30}}, Range{3, 12}, true, []Range{{2, 12}, {20, 30}}},
		{"over all", []Range{{2, 3}, {5, 6}}, Range{1, 9}, true, []Range{{1, 9}}},
		{"one edge new below", []Range{{5, 6}}, Range{4, 6}, true, []Range{{4, 6}}},
		{"one edge new above", []Range{{5, 6}, {9, 9}}, Range{5, 7}, true, []Range{{5, 7}, {9, 9}}},
		{"the highest number", []Range{{1, 1}}, Range{top, top}, true, []Range{{1, 1}, {top, top}}},
		{"onto the highest number", []Range{{top, top}}, Range{top - 1, top - 1}, true, []Range{{top - 1, top}}},
		{"everything", []Range{{7, 7}}, Range{1, top}, true, []Range{{1, top}}},
		{"to the highest number again", []Range{{top, top}}, Range{top, top}, false, []Range{{top, top}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := setOf(tt.have...)
			if got := s.AddRange(tt.add.Lo, tt.add.Hi); got != tt.new {
				t.Errorf("AddRange = %v, want %v", got, tt.new)
			}
			wantRanges(t, s, tt.want...)
		})
	}
}

func TestMissing(t *testing.T) {
	tests := []struct {
		name  string
		have  []Range
		upTo  uint64
		limit int
		want  []Range
	}{
		{"of nothing", nil, 5, 9, []Range{{1, 5}}},
		{"up to 0", nil, 0, 9, nil},
		{"of a prefix that reaches", []Range{{1, 5}}, 5, 9, nil},
		{"of a prefix that does not", []Range{{1, 5}}, 6, 9, []Range{{6, 6}}},
		{"holes", []Range{{2, 2}, {5, 6}}, 9, 9, []Range{{1, 1}, {3, 4}, {7, 9}}},
		{"a hole cut by the end", []Range{{1, 1}, {8, 9}}, 5, 9, []Range{{2, 5}}},
		{"ending right before a range", []Range{{1, 1}, {5, 9}}, 4, 9, []Range{{2, 4}}},
		{"ending at a range's start", []Range{{1, 1}, {5, 9}}, 5, 9, []Range{{2, 4}}},
		{"ranges beyond the end", []Range{{1, 3}, {5, 6}, {9, 9}}, 3, 9, nil},
		{"at most the limit, the lowest first", []Range{{2, 2}, {4, 4}, {6, 6}}, 9, 2, []Range{{1, 1}, {3, 3}}},
		{"a limit that counts the tail", []Range{{2, 2}}, 9, 1, []Range{{1, 1}}},
		{"no limit left", []Range{{2, 2}}, 9, 0, nil},
		{"a negative limit", nil, 9, -1, nil},
		{"of a set that ends at the top", []Range{{3, top}}, top, 9, []Range{{1, 2}}},
		{"up to the top", []Range{{1, 2}}, top, 9, []Range{{3, top}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := setOf(tt.have...).Missing(tt.upTo, tt.limit); !slices.Equal(got, tt.want) {
				t.Errorf("Missing(%d, %d) = %v, want %v", tt.upTo, tt.limit, got, tt.want)
			}
		})
	}
}

func TestIsPrefix(t *testing.T) {
	tests := []struct {
		name string
		have []Range
		want bool
	}{
		{"nothing", nil, true},
		{"1 alone", []Range{{1, 1}}, true},
		{"1 to 9", []Range{{1, 9}}, true},
		{"without 1", []Range{{2, 9}}, false},
		{"with a hole", []Range{{1, 3}, {5, 9}}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := setOf(tt.have...).IsPrefix(); got != tt.want {
				t.Errorf("IsPrefix = %v", got)
			}
		})
	}
}

func TestEverythingCounts(t *testing.T) {
	s := setOf(Range{1, top})
	if s.Count() != top || s.Max() != top || s.Len() != 1 || !s.Contains(top) || s.Contains(0) {
		t.Errorf("count %d, max %d, len %d", s.Count(), s.Max(), s.Len())
	}
}

func TestCloneSharesNothing(t *testing.T) {
	s := setOf(Range{1, 3}, Range{7, 9})
	c := s.Clone()
	c.Add(4)
	s.Add(10)
	wantRanges(t, s, Range{1, 3}, Range{7, 10})
	wantRanges(t, &c, Range{1, 4}, Range{7, 9})
}

func TestUnionDoesNotKeepTheOther(t *testing.T) {
	a, b := new(Set), setOf(Range{4, 6})
	a.Union(b)
	a.Add(7)
	b.Add(3)
	wantRanges(t, a, Range{4, 7})
	wantRanges(t, b, Range{3, 6})
}

func TestHashIsTheSameInEveryVersion(t *testing.T) {
	for _, tt := range []struct {
		set  *Set
		want uint64
	}{
		{setOf(), 0xef46db3751d8e999}, // XXH64 of nothing
		{setOf(Range{1, 5}), 0xc4aa77da0b4cb40c},
		{setOf(Range{1, 5}, Range{7, 7}), 0x1e5778e2cc286f09},
	} {
		if got := tt.set.Hash(); got != tt.want {
			t.Errorf("hash of %v is %#x, want %#x", tt.set.Ranges(), got, tt.want)
		}
	}
}

func TestTheCommonPathAllocatesNothing(t *testing.T) {
	s, seen := setOf(Range{1, 5}, Range{7, 9}), setOf(Range{2, 3}, Range{7, 8})
	next := uint64(10)
	if n := testing.AllocsPerRun(100, func() {
		s.Add(next)
		next++
		s.Union(seen)
		seen.Intersect(s)
		s.Hash()
		s.Contains(4)
		s.Missing(5, 9)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// naive is the set as a map over the few numbers that the properties use.
type naive map[uint64]bool

const universe = 60

func (m naive) ranges() (rs []Range) {
	for seq := uint64(1); seq <= universe; seq++ {
		switch {
		case !m[seq]:
		case m[seq-1]:
			rs[len(rs)-1].Hi = seq
		default:
			rs = append(rs, Range{seq, seq})
		}
	}
	return rs
}

// missing is the complement's ranges.
func (m naive) missing(upTo uint64, limit int) []Range {
	gaps := naive{}
	for seq := uint64(1); seq <= upTo; seq++ {
		gaps[seq] = !m[seq]
	}
	rs := gaps.ranges()
	return rs[:min(limit, len(rs))]
}

// draw builds a set and its naive twin by the same additions, checking each one's answer.
func draw(t *rapid.T, name string) (*Set, naive) {
	s, m := new(Set), naive{}
	for range rapid.IntRange(0, 25).Draw(t, name) {
		lo := rapid.Uint64Range(0, universe).Draw(t, "lo")
		hi := min(lo+rapid.Uint64Range(0, 6).Draw(t, "length"), universe)
		isNew := false
		for seq := max(lo, 1); seq <= hi; seq++ {
			isNew = isNew || !m[seq]
			m[seq] = true
		}
		if got := s.AddRange(lo, hi); got != isNew {
			t.Fatalf("AddRange(%d, %d) = %v", lo, hi, got)
		}
	}
	return s, m
}

func check(t *rapid.T, s *Set, m naive) {
	t.Helper()
	want := m.ranges()
	if !slices.Equal(s.Ranges(), want) {
		t.Fatalf("ranges %v, want %v", s.Ranges(), want)
	}
	count, last := uint64(0), uint64(0)
	for seq := uint64(0); seq <= universe+1; seq++ {
		if s.Contains(seq) != m[seq] {
			t.Fatalf("Contains(%d) = %v", seq, !m[seq])
		}
		if m[seq] {
			count, last = count+1, seq
		}
	}
	if s.Count() != count || s.Max() != last || s.Len() != len(want) || s.Empty() != (count == 0) {
		t.Fatalf("count %d, max %d, len %d of %v", s.Count(), s.Max(), s.Len(), want)
	}
	if s.IsPrefix() != (count == last) {
		t.Fatalf("IsPrefix of %v", want)
	}
}

func TestSetIsTheNaiveMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, m := draw(t, "set")
		check(t, s, m)
		upTo := rapid.Uint64Range(0, universe).Draw(t, "upTo")
		limit := rapid.IntRange(0, 8).Draw(t, "limit")
		if got, want := s.Missing(upTo, limit), m.missing(upTo, limit); !slices.Equal(got, want) {
			t.Fatalf("Missing(%d, %d) of %v = %v, want %v", upTo, limit, s.Ranges(), got, want)
		}
	})
}

func TestTwoSetsAreTwoNaiveMaps(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, am := draw(t, "a")
		b, bm := draw(t, "b")
		both, either := naive{}, naive{}
		aHasMore, bHasMore := false, false
		for seq := uint64(1); seq <= universe; seq++ {
			both[seq], either[seq] = am[seq] && bm[seq], am[seq] || bm[seq]
			aHasMore = aHasMore || am[seq] && !bm[seq]
			bHasMore = bHasMore || bm[seq] && !am[seq]
		}
		if a.Covers(b) == bHasMore || b.Covers(a) == aHasMore {
			t.Fatalf("Covers of %v and %v", a.Ranges(), b.Ranges())
		}
		same := !aHasMore && !bHasMore
		if a.Equal(b) != same || (a.Hash() == b.Hash()) != same {
			t.Fatalf("Equal or Hash of %v and %v", a.Ranges(), b.Ranges())
		}
		union, inter := a.Clone(), a.Clone()
		if union.Union(b) != bHasMore || inter.Intersect(b) != aHasMore {
			t.Fatalf("Union or Intersect of %v and %v says wrongly whether it changed", a.Ranges(), b.Ranges())
		}
		check(t, &union, either)
		check(t, &inter, both)
		check(t, a, am)
		check(t, b, bm)
	})
}

func BenchmarkAppend(b *testing.B) {
	var s Set
	b.ReportAllocs()
	for seq := uint64(1); b.Loop(); seq++ {
		s.Add(seq)
	}
}
