package table

import (
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/sessioncast/sessioncast/internal/record"
)

// Packed entries lie side by side in pages, since the allocator's own places for them would take a tenth more. A page
// is only ever added to: what is superseded in it stays until the page is given up, because somebody may be reading it.
// When too much of an arena is superseded, what is in use of its emptiest page moves to another, and the collector takes
// the page as soon as no reader holds anything of it (ADR 0015).
const (
	arenaBits = 4
	arenaSize = 1 << arenaBits
	pageMin   = 1 << 10  // of an arena's first page; each is twice as large as the last,
	pageMax   = 32 << 10 // up to this
	maxPaged  = 4 << 10  // a larger entry lies by itself
	grain     = 8        // entries are aligned to it

	// Percent of an arena that may be superseded: while there is writing, each byte more that is allowed saves copies; the
	// sweeper tidies up behind it.
	slackWriting = 25
	slackAtRest  = 12

	levels      = 8    // pages are sorted by how many eighths of them are in use
	tidyEmptied = 1024 // pages that one Sweep empties at most
)

// arena is the pages of a share of the buckets. Its lock is taken under a bucket's, and nothing is locked under it.
type arena struct {
	mu      sync.Mutex
	open    *page
	total   int                 // bytes that were given out of closed pages of which something is in use
	dead    int                 // of those, superseded
	closed  [levels - 1][]*page // those pages, by how much of each is in use, but the fullest
	pending atomic.Bool         // more is superseded than writers leave
	stock   stock               // of the table
	_       [40]byte            // an arena has whole cache lines
}

// page is the head of a page. Guarded by its arena's lock; once the page is not open any more, size and used are fixed.
type page struct {
	size  uint32
	used  uint32
	index uint32 // in its level's list
	live  uint16 // bytes of entries in use
	level int8   // the eighths that are in use, less one; levels: it is not counted
	given bool   // being emptied, or empty
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
	p.live += uint16(n)
	return p.bytes(at, n), uint16(at / grain)
}

// turn opens a new page.
func (a *arena) turn(n int) {
	size := pageMin
	if was := a.open; was != nil {
		size = min(2*int(was.size), pageMax)
		a.open = nil
		a.close(was)
	}
	for size < n+pageHead {
		size *= 2
	}
	a.open = a.stock.take(size)
}

// close counts a page that nothing is added to any more.
func (a *arena) close(pg *page) {
	a.total += int(pg.used)
	a.dead += int(pg.used) - int(pg.live)
	a.sort(pg)
}

func (p *page) bytes(at, n int) []byte {
	return unsafe.Slice((*byte)(unsafe.Add(unsafe.Pointer(p), at)), n)[:n:n]
}

// free says that an entry of n bytes is not in use any more.
func (a *arena) free(p *packed, n int) {
	if p.place == 0 {
		return
	}
	n = roundUp(n)
	a.mu.Lock()
	pg := p.page()
	pg.live -= uint16(n)
	if pg != a.open && !pg.given {
		a.dead += n
		a.sort(pg)
	}
	a.mu.Unlock()
}

// sort lists a closed page by how much of it is in use. One of which nothing is needs no more than to be forgotten.
func (a *arena) sort(pg *page) {
	if pg.live == 0 {
		a.give(pg)
	} else if level := int8((uint64(pg.live)*levels - 1) / uint64(pg.used)); level != pg.level {
		a.unlist(pg)
		pg.level = level
		if level < levels-1 {
			pg.index = uint32(len(a.closed[level]))
			a.closed[level] = append(a.closed[level], pg)
		}
	}
	a.pending.Store(a.over(slackWriting))
}

// unlist takes a page out of its level.
func (a *arena) unlist(pg *page) {
	if pg.level >= levels-1 {
		return
	}
	list := a.closed[pg.level]
	last := list[len(list)-1]
	list[pg.index], last.index = last, pg.index
	list[len(list)-1] = nil
	a.closed[pg.level] = list[:len(list)-1]
}

// give stops counting a page.
func (a *arena) give(pg *page) {
	a.unlist(pg)
	pg.level, pg.given = levels, true
	a.total -= int(pg.used)
	a.dead -= int(pg.used) - int(pg.live)
}

// over reports whether more than so many percent are superseded.
func (a *arena) over(percent int) bool { return a.dead*100 > a.total*percent }

// take gives up the emptiest page if more than so many percent are superseded, and none is too full to be worth it.
func (a *arena) take(slack int) *page {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.over(slack) {
		return nil
	}
	for _, list := range a.closed {
		if n := len(list); n > 0 {
			pg := list[n-1]
			a.give(pg)
			a.pending.Store(a.over(slackWriting))
			return pg
		}
	}
	return nil
}

// tidy empties a page of the hash's arena if too much of it is superseded.
func (t *Table) tidy(hash uint64) {
	if a := t.arena(hash); a.pending.Load() {
		t.compact(a, slackWriting)
	}
}

// tidyAll empties pages as long as it is worth it, and no more than one Sweep may.
func (t *Table) tidyAll() {
	budget := tidyEmptied
	for i := range t.arenas {
		for budget > 0 && t.compact(&t.arenas[i], slackAtRest) {
			budget--
		}
	}
}

// compact empties one page if more than slack percent are superseded. Called without locks: every write that finds too
// much superseded empties a page, so that it does not grow.
func (t *Table) compact(a *arena, slack int) bool {
	pg := a.take(slack)
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
	k := record.Key{DB: p.db(), Name: p.text(packedSize, int(p.name))}
	h := t.hash(k)
	b := t.bucket(h)
	b.mu.Lock()
	defer b.mu.Unlock()
	i := b.seek(h)
	for i < len(b.slots) && b.slots[i].hash == h && b.slots[i].e != p {
		i++
	}
	if i >= len(b.slots) || b.slots[i].e != p {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	to, place := a.reserve(n)
	copy(to, p.bytes(0, n))
	moved := (*packed)(unsafe.Pointer(unsafe.SliceData(to)))
	moved.place = place
	moved.mode &^= modeShared
	b.slots[i].e = moved
}
