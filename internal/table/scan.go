package table

import (
	"sync"

	"github.com/sessioncast/sessioncast/internal/record"
)

// Limits of one step over the table.
const (
	maxChunkKeys = 4096 // keys in one Chunk, but for keys with equal hashes
	maxScanCount = 4096 // sessions from one Scan, but for keys at one cursor
	scanEffort   = 16   // entries looked at for each session asked for,
	minEffort    = 1024 // and at least so many
	chunkOverhed = 64   // bytes of a key's record besides name and births
	birthOnWire  = 128  // bytes of a birth besides value and owner
)

// scanShift makes a Scan's cursor fit in 53 bits: some clients read cursors as floating-point numbers.
const scanShift = 11

type chunkItem struct {
	key   record.Key
	state record.State
}

var chunkPool = sync.Pool{New: func() any { return new([]chunkItem) }}

// Chunk emits whole states in the order of their keys' hashes, expired ones, tombstones and floors included, from
// cursor on until they come to maxBytes. next is the cursor to go on with; done says that there is nothing left. Keys
// with equal hashes go together. Of differ, where it is not nil, only the parts that it tells to differ are emitted. emit
// runs outside all locks and may keep neither its state nor its slice of births.
func (t *Table) Chunk(cursor uint64, maxBytes int, differ *Differ,
	emit func(k record.Key, s *record.State)) (next uint64, done bool) {
	scratch := chunkPool.Get().(*[]chunkItem)
	items, size := (*scratch)[:0], 0
	next, done = 0, true
	for i := int(cursor >> (64 - bucketBits)); i < Buckets && done; i++ {
		b := &t.buckets[i]
		if b.n.Load() == 0 {
			continue
		}
		b.mu.Lock()
		b.walkDiffering(max(cursor, uint64(i)<<(64-bucketBits)), differ, func(hash uint64, e *entry) bool {
			if len(items) > 0 && hash != next && (size >= maxBytes || len(items) >= maxChunkKeys) {
				next, done = hash, false
				return false
			}
			next = hash
			items = appendItem(items, e)
			size += wireSize(e)
			return true
		})
		b.mu.Unlock()
	}
	for i := range items {
		emit(items[i].key, &items[i].state)
	}
	release(scratch, items)
	if done {
		next = 0
	}
	return next, done
}

// appendItem copies e to the end of items, reusing the births there from the last use.
func appendItem(items []chunkItem, e *entry) []chunkItem {
	if len(items) < cap(items) {
		items = items[:len(items)+1]
	} else {
		items = append(items, chunkItem{})
	}
	it := &items[len(items)-1]
	it.key = e.key()
	copyState(&it.state, &e.state)
	e.packed.share()
	return items
}

// release puts the scratch back without the values that it points to.
func release(scratch *[]chunkItem, items []chunkItem) {
	for i := range items {
		items[i].key = record.Key{}
		clear(items[i].state.Births)
	}
	*scratch = items[:0]
	chunkPool.Put(scratch)
}

func wireSize(e *entry) int {
	size := chunkOverhed + len(e.name)
	for i := range e.state.Births {
		v := &e.state.Births[i].Value
		size += birthOnWire + len(v.Bytes) + len(v.Owner)
	}
	return size
}

type scanned struct {
	name string
	view View
}

// Scan emits visible sessions of db, about count of them, and gives the cursor to go on with: 0 starts, 0 ends. A
// session that stays throughout a scan is emitted at least once. emit runs outside all locks; the name may be kept.
func (t *Table) Scan(now int64, db int, cursor uint64, count int, emit func(name string, v View)) (next uint64) {
	if db < 0 || db >= record.Databases || cursor > 1<<(64-scanShift)-1 {
		return 0
	}
	now = t.believed(now)
	count = min(max(count, 1), maxScanCount)
	s := scan{t: t, db: uint8(db), now: now, at: t.clusterTime(now), group: cursor, want: count, effort: max(minEffort, count*scanEffort)}
	from := cursor << scanShift
	for i := int(from >> (64 - bucketBits)); i < Buckets && !s.stopped; i++ {
		b := &t.buckets[i]
		if b.n.Load() == 0 {
			continue
		}
		b.mu.Lock()
		b.walk(max(from, uint64(i)<<(64-bucketBits)), s.visit)
		b.mu.Unlock()
	}
	for _, f := range s.found {
		emit(f.name, f.view)
	}
	if !s.stopped {
		return 0
	}
	return s.group
}

type scan struct {
	t       *Table
	db      uint8
	now, at int64  // wall and cluster time
	group   uint64 // of the last entry seen; all that share a cursor go together
	want    int
	effort  int
	found   []scanned
	stopped bool
}

func (s *scan) visit(hash uint64, e *entry) bool {
	group := hash >> scanShift
	if group != s.group && (len(s.found) >= s.want || s.effort <= 0) {
		s.group, s.stopped = group, true
		return false
	}
	s.group = group
	s.effort--
	if e.db == s.db {
		if v, ok := s.t.view(e, s.t.floor(e.db), s.now, s.at); ok {
			s.found = append(s.found, scanned{e.name, v})
			e.packed.share()
		}
	}
	return true
}

// Random picks a visible session of db by the random number r. A db's sessions lie on a circle by hash, and r is a
// place on it: sessions after a gap are picked more often.
func (t *Table) Random(now int64, db int, r uint64) (name string, ok bool) {
	if t.Len(db) == 0 {
		return "", false
	}
	now = t.believed(now)
	at := t.clusterTime(now)
	visit := func(_ uint64, e *entry) bool {
		if int(e.db) == db {
			if _, ok = t.view(e, t.floor(e.db), now, at); ok {
				name = e.name
			}
		}
		return !ok
	}
	first := int(r >> (64 - bucketBits))
	for i := 0; i <= Buckets && !ok; i++ {
		b := &t.buckets[(first+i)%Buckets]
		if b.n.Load() == 0 {
			continue
		}
		from := uint64(0)
		if i == 0 {
			from = r
		}
		b.mu.Lock()
		b.walk(max(from, uint64((first+i)%Buckets)<<(64-bucketBits)), visit)
		b.mu.Unlock()
	}
	return name, ok
}
