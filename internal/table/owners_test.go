package table

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// plainPairs is what an ownerShard is held against.
type plainPairs []pair

func (s *plainPairs) add(p pair) {
	at := slices.IndexFunc(*s, func(q pair) bool { return !q.before(p) })
	if at < 0 {
		at = len(*s)
	}
	*s = slices.Insert(*s, at, p)
}

func (s *plainPairs) remove(p pair) bool {
	at := slices.Index(*s, p)
	if at >= 0 {
		*s = slices.Delete(*s, at, at+1)
	}
	return at >= 0
}

func (s *ownerShard) all() (all []pair) {
	for _, r := range s.runs {
		all = append(all, r.pairs...)
	}
	return all
}

// TestAShardIsASortedList adds and removes pairs in several orders, equal ones among them.
func TestAShardIsASortedList(t *testing.T) {
	r := seeded(t)
	for _, c := range []struct {
		what string
		draw func(i int) pair
	}{
		{"random", func(int) pair { return pair{r.Uint64N(4), r.Uint64()} }},
		{"few, often equal", func(int) pair { return pair{1, r.Uint64N(300)} }},
		{"all equal", func(int) pair { return pair{1, 1} }},
		{"upwards", func(i int) pair { return pair{1, uint64(i)} }},
		{"downwards", func(i int) pair { return pair{1, uint64(1_000_000 - i)} }},
		{"upwards between others", func(i int) pair { return pair{uint64(2 * (i % 2)), uint64(i)} }},
	} {
		t.Run(c.what, func(t *testing.T) {
			var s ownerShard
			var plain plainPairs
			for i := range 1500 {
				p := c.draw(i)
				s.add(p)
				plain.add(p)
			}
			if !slices.Equal(plain, plainPairs(s.all())) {
				t.Fatal("another order after adding")
			}
			room := 0
			for _, r := range s.runs {
				room += cap(r.pairs)
			}
			if room > 2*len(plain)+maxRun {
				t.Errorf("room for %d pairs is held for %d", room, len(plain))
			}
			shuffleAway(t, r, &s, plain)
		})
	}
}

// shuffleAway removes all pairs in any order, and finds less memory held on the way.
func shuffleAway(t *testing.T, r *rand.Rand, s *ownerShard, plain plainPairs) {
	order := slices.Clone(plain)
	r.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
	for i, p := range order {
		if !s.remove(p) || !plain.remove(p) {
			t.Fatalf("pair %d is not found", i)
		}
		if i%100 == 0 && !slices.Equal(plain, plainPairs(s.all())) {
			t.Fatalf("other pairs after %d were removed", i)
		}
		if n := len(plain); n > 0 && len(s.runs) > 1+n*3/joinedRun*2 {
			t.Fatalf("%d runs of %d pairs", len(s.runs), n)
		}
	}
	if s.remove(order[0]) || s.runs != nil {
		t.Errorf("%d runs are left of nothing", len(s.runs))
	}
}

func TestAListIsReadInPieces(t *testing.T) {
	r := seeded(t)
	var s ownerShard
	want := map[uint64]bool{}
	for range 2000 {
		p := pair{r.Uint64N(3), r.Uint64()}
		if r.IntN(3) == 0 {
			p.key = p.key >> 58 << 58 // several that share a cursor, or are equal
			p.key += r.Uint64N(3)
		}
		s.add(p)
		if p.owner == 1 {
			want[p.key] = true
		}
	}
	for _, count := range []int{1, 7, 128, 5000} {
		got := map[uint64]bool{}
		for from, more := uint64(0), true; more; more = from != 0 {
			var list []uint64
			list, from = s.list(1, from, count, nil)
			if len(list) > count+6 {
				t.Fatalf("%d at once, asked for %d", len(list), count)
			}
			for _, h := range list {
				if got[h] {
					t.Fatal("one came twice")
				}
				got[h] = true
			}
		}
		if d := diff(want, got); d != "" {
			t.Fatalf("%d at a time: %s", count, d)
		}
	}
	if list, next := s.list(9, 0, 10, nil); len(list) != 0 || next != 0 {
		t.Errorf("an owner of nothing has %d, next %d", len(list), next)
	}
}
