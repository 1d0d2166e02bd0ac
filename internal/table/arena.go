package table

import (
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/sessioncast/sessioncast/internal/record"
)

// Packed entries lie side by side in pages, since the allocator's own places for them would take a tenth more. A page
// is only ever added to: what is superseded in it stays until the page is given up, because somebody may be reading it.
// When too little of a page is in use, what is in use moves to another, and the collector takes the page as soon as no
// reader holds anything of it (ADR 0015).
const (
	arenaBits = 4
	arenaSize = 1 << arenaBits
	pageMin   = 1 << 10  // of an arena's first page; each is twice as large as the last,
	pageMax   = 32 << 10 // up to this
	maxPaged  = 4 << 10  // a larger entry lies by itself
	grain     = 8        // entries are aligned to it
	sparse    = 70       // percent; a page of which less is in use is given up
)

// arena is the pages of a share of the buckets. Its lock is the only one that is taken under a bucket's.
type arena struct {
	mu      sync.Mutex
	open    *page
	given   []*page      // sparse ones, still to be emptied
	pending atomic.Int32 // how many those are
	_       [24]byte     // an arena has a cache line
}

// page is the head of a page. Guarded by its arena's lock; once the page is not open any more, size and used are fixed.
type page struct {
	size  uint32
	used  uint32
	live  uint32 // bytes of entries in use
	given bool
}

const pageHead = int(unsafe.Sizeof(page{}))

func (t *Table) arena(hash uint64) *arena { return &t.arenas[hash>>(64-arenaBits)] }

func roundUp(n int) int { return (n + grain - 1) &^ (grain - 1) }

// stored is what an entry of n bytes takes, by itself or in a page.
func stored(n int) int {
	if n > maxPaged {
		return allocSize(n)
	}
	return roundUp(n)
}

// reserve gives n bytes and their place in their page, 0 for bytes by themselves. The lock is held until they are
// filled: who empties a page relies on all of it being written.
func (a *arena) reserve(n int) (b []byte, place uint16) {
	if n > maxPaged {
		return make([]byte, n), 0
	}
	n = roundUp(n)
	if a.open == nil || int(a.open.used)+n > int(a.open.size) {
		a.turn(n)
	}
	p := a.open
	at := int(p.used)
	p.used += uint32(n)
	p.live += uint32(n)
	return p.bytes(at, n), uint16(at / grain)
}

// turn opens a new page.
func (a *arena) turn(n int) {
	size := pageMin
	if was := a.open; was != nil {
		size = min(2*int(was.size), pageMax)
		a.open = nil
		a.judge(was)
	}
	for size < n+pageHead {
		size *= 2
	}
	b := make([]byte, size)
	a.open = (*page)(unsafe.Pointer(unsafe.SliceData(b)))
	a.open.size, a.open.used = uint32(size), uint32(pageHead)
}

func (p *page) bytes(at, n int) []byte {
	return unsafe.Slice((*byte)(unsafe.Add(unsafe.Pointer(p), at)), n)[:n:n]
}

// free says that an entry of n bytes is not in use any more.
func (a *arena) free(p *packed, n int) {
	if p.place == 0 {
		return
	}
	a.mu.Lock()
	pg := p.page()
	pg.live -= uint32(roundUp(n))
	a.judge(pg)
	a.mu.Unlock()
}

// judge gives up a page of which little is in use. One of which nothing is needs no more than that.
func (a *arena) judge(pg *page) {
	if pg == a.open || pg.given || pg.live == 0 || int(pg.live)*100 >= int(pg.size)*sparse {
		return
	}
	pg.given = true
	a.given = append(a.given, pg)
	a.pending.Add(1)
}

func (a *arena) take() *page {
	a.mu.Lock()
	defer a.mu.Unlock()
	last := len(a.given) - 1
	if last < 0 {
		return nil
	}
	pg := a.given[last]
	a.given[last] = nil
	a.given = a.given[:last]
	a.pending.Add(-1)
	return pg
}

// tidy empties a page of the hash's arena if one waits for it.
func (t *Table) tidy(hash uint64) {
	if a := t.arena(hash); a.pending.Load() > 0 {
		t.compact(a)
	}
}

// tidyAll empties all pages that wait for it.
func (t *Table) tidyAll() {
	for i := range t.arenas {
		for t.arenas[i].pending.Load() > 0 && t.compact(&t.arenas[i]) {
		}
	}
}

// compact empties one page that was given up, if there is any. Called without locks: every write that leaves a sparse
// page behind empties one, so that they do not pile up.
func (t *Table) compact(a *arena) bool {
	pg := a.take()
	if pg == nil {
		return false
	}
	for at := pageHead; at < int(pg.used); {
		p := (*packed)(unsafe.Add(unsafe.Pointer(pg), at))
		n := p.size()
		t.move(a, p, n)
		at += roundUp(n)
	}
	t.counts.compacted.Add(1)
	return true
}

// move puts an entry elsewhere, if it is still in use.
func (t *Table) move(a *arena, p *packed, n int) {
	k := record.Key{DB: p.db(), Name: p.text(p.nameAt(), int(p.name))}
	h := t.hash(k)
	b := t.bucket(h)
	b.mu.Lock()
	defer b.mu.Unlock()
	i := b.locate(h, k)
	if i < 0 || b.slots[i].e != p {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	to, place := a.reserve(n)
	copy(to, p.bytes(0, n))
	moved := (*packed)(unsafe.Pointer(unsafe.SliceData(to)))
	moved.place = place
	b.slots[i].e = moved
}
