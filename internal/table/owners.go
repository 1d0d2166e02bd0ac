package table

import (
	"slices"
	"sort"
	"sync"

	"github.com/sessioncast/sessioncast/internal/record"
)

// The index of owners tells which keys a label is on. It holds pairs of hashes and no names or pointers: who reads it looks at the entry, which has the
// label, so that the collector has nothing to do for it and nothing it holds can be out of date but by a pair too many or too few. A pair is written with
// the lock of the key's bucket held, in the step that changes the entry (see claim), so neither lasts longer than that step.
//
// Pairs are sorted, in shards by the owner and in them in runs of limited length: an owner's keys lie together, one of a million keys costs no more to
// add than one of three.
const (
	ownerBits   = 8
	ownerShards = 1 << ownerBits
	maxRun      = 128 // pairs
	joinedRun   = 96  // neighbours that come to no more become one
	firstRun    = 4

	// ownedCost is what a labelled session is counted with for its pair: 16 bytes, in runs that are full to two thirds.
	ownedCost = 24
)

// pair says that a label is on a key: the hashes of both.
type pair struct{ owner, key uint64 }

func (p pair) before(q pair) bool { return p.owner < q.owner || p.owner == q.owner && p.key < q.key }

// ownerShard is a share of the owners. Its lock is taken under a bucket's, and nothing is locked under it.
type ownerShard struct {
	mu   sync.Mutex
	runs []run
	_    [32]byte // shards do not share cache lines
}

// run is pairs in order: of those from its low on, up to and including the low of the next. The first run's low says nothing.
type run struct {
	low   pair
	pairs []pair
}

func (t *Table) ownerShard(owner uint64) *ownerShard { return &t.owners[owner>>(64-ownerBits)] }

// ownerHash places an owner. Nobody without the cluster's secret can choose labels that meet.
func (t *Table) ownerHash(db uint8, owner string) uint64 {
	return t.hash(record.Key{DB: db, Name: owner})
}

// seek is the place of the first pair that is not before p; the pair may be the first of the next run.
func (s *ownerShard) seek(p pair) (i, j int) {
	i = max(0, sort.Search(len(s.runs), func(i int) bool { return !s.runs[i].low.before(p) })-1)
	if i >= len(s.runs) {
		return 0, 0
	}
	pairs := s.runs[i].pairs
	j = sort.Search(len(pairs), func(j int) bool { return !pairs[j].before(p) })
	if j == len(pairs) && i+1 < len(s.runs) {
		return i + 1, 0
	}
	return i, j
}

// add adds a pair, which may be there already: two keys may have one hash.
func (s *ownerShard) add(p pair) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.runs) == 0 {
		s.runs = []run{{low: p, pairs: make([]pair, 0, firstRun)}}
	}
	i, j := s.seek(p)
	switch r := &s.runs[i]; {
	case len(r.pairs) < maxRun:
	case j == maxRun: // behind all: whoever adds in order leaves full runs behind
		i, j = i+1, 0
		s.runs = slices.Insert(s.runs, i, run{low: p, pairs: make([]pair, 0, firstRun)})
	default:
		s.split(i)
		i, j = s.seek(p)
	}
	r := &s.runs[i]
	r.pairs = slices.Insert(r.pairs, j, p)
	if j == 0 && p.before(r.low) {
		r.low = p
	}
}

// split makes two runs of a full one.
func (s *ownerShard) split(i int) {
	pairs := s.runs[i].pairs
	upper := append(make([]pair, 0, maxRun), pairs[maxRun/2:]...)
	s.runs[i].pairs = pairs[:maxRun/2]
	s.runs = slices.Insert(s.runs, i+1, run{low: upper[0], pairs: upper})
}

// remove takes one such pair away; false if there is none.
func (s *ownerShard) remove(p pair) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	i, j := s.seek(p)
	if i >= len(s.runs) || j >= len(s.runs[i].pairs) || s.runs[i].pairs[j] != p {
		return false
	}
	s.runs[i].pairs = shrunk(slices.Delete(s.runs[i].pairs, j, j+1))
	s.join(i)
	if i > 0 {
		s.join(i - 1)
	}
	if s.runs = shrunk(s.runs); len(s.runs) == 1 && len(s.runs[0].pairs) == 0 {
		s.runs = nil
	}
	return true
}

// join makes one run of two neighbours that are short.
func (s *ownerShard) join(i int) {
	if i+1 >= len(s.runs) || len(s.runs[i].pairs)+len(s.runs[i+1].pairs) > joinedRun {
		return
	}
	s.runs[i].pairs = append(s.runs[i].pairs, s.runs[i+1].pairs...)
	s.runs = slices.Delete(s.runs, i+1, i+2)
}

// shrunk is s, with less room where most of it is not in use.
func shrunk[T any](s []T) []T {
	if cap(s) <= 2*firstRun || 4*len(s) > cap(s) {
		return s
	}
	return append(make([]T, 0, 2*len(s)), s...)
}

// list appends the hashes of an owner's keys from `from` on, about want of them. next is where to go on, 0 for nowhere. Keys
// whose hashes agree in what a cursor shows of them go together.
func (s *ownerShard) list(owner, from uint64, want int, hashes []uint64) (_ []uint64, next uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, j := s.seek(pair{owner, from}); i < len(s.runs); i, j = i+1, 0 {
		for _, p := range s.runs[i].pairs[j:] {
			n := len(hashes)
			switch {
			case p.owner != owner:
				return hashes, 0
			case n >= want && hashes[n-1]>>scanShift != p.key>>scanShift:
				return hashes, p.key >> scanShift << scanShift
			case n == 0 || hashes[n-1] != p.key:
				hashes = append(hashes, p.key)
			}
		}
	}
	return hashes, 0
}
