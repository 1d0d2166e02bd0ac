package table

import (
	"sync"
	"unsafe"

	"github.com/sessioncast/sessioncast/internal/record"
)

// LogSize is how many dots of each origin are remembered with their keys. What is older is pulled.
const LogSize = 8192

const nameBlock = 4096 // bytes

const minRing = 16 // most origins are members of the past, of which a few dots are remembered

// ring remembers the keys of an origin's latest dots. It doubles, up to LogSize, as dots that it is to remember collide.
type ring struct {
	slots []logged
	high  uint64
	block []byte // where names are copied to
}

// logged is a dot and its key, flat because there are so many. The names lie
// in blocks of the ring's own: it keeps nothing else alive.
type logged struct {
	seq   uint64 // 0: none
	name  string
	db    uint8
	touch bool
}

func (l *logged) key() record.Key { return record.Key{DB: l.db, Name: l.name} }

func (r *ring) note(seq uint64, k record.Key, touch bool) {
	if seq == 0 || seq+LogSize <= r.high {
		return
	}
	r.high = max(r.high, seq)
	for !r.fits(seq) {
		r.grow()
	}
	*r.slot(seq) = logged{seq, r.keep(k.Name), k.DB, touch}
}

// slot is where a dot is remembered. There are as many slots as a power of two.
func (r *ring) slot(seq uint64) *logged { return &r.slots[seq&uint64(len(r.slots)-1)] }

// keep copies a name into a block. A block is free when the last of its names has been displaced.
func (r *ring) keep(name string) string {
	if len(name) == 0 {
		return ""
	}
	if len(r.block)+len(name) > cap(r.block) {
		r.block = make([]byte, 0, min(max(16*len(name), 2*cap(r.block)), nameBlock))
	}
	at := len(r.block)
	r.block = append(r.block, name...)
	return unsafe.String(&r.block[at], len(name))
}

// fits reports whether seq's slot is free, or holds a dot that is not to be remembered any more.
func (r *ring) fits(seq uint64) bool {
	n := uint64(len(r.slots))
	if n == 0 {
		return false
	}
	was := r.slot(seq).seq
	return n == LogSize || was == 0 || was == seq || was+LogSize <= r.high
}

func (r *ring) grow() {
	old := r.slots
	r.slots = make([]logged, max(minRing, 2*len(old)))
	for _, l := range old {
		if l.seq != 0 {
			*r.slot(l.seq) = l
		}
	}
}

func (r *ring) get(seq uint64) (logged, bool) {
	if seq == 0 || len(r.slots) == 0 {
		return logged{}, false
	}
	l := *r.slot(seq)
	return l, l.seq == seq
}

// ownLog is the log of this node's dots. They are given out under a bucket's lock and logged after it, so they may
// arrive here in another order: high is the end of the part without holes.
type ownLog struct {
	mu    sync.Mutex
	ring  ring
	high  uint64
	early map[uint64]struct{} // logged above a hole; as many as there are writes in flight
}

func (l *ownLog) note(seq uint64, k record.Key, touch bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ring.note(seq, k, touch)
	if seq != l.high+1 {
		if l.early == nil {
			l.early = make(map[uint64]struct{})
		}
		l.early[seq] = struct{}{}
		return
	}
	l.high = seq
	for len(l.early) > 0 {
		if _, ok := l.early[l.high+1]; !ok {
			return
		}
		l.high++
		delete(l.early, l.high)
	}
}

// remoteLogs are the logs of the other origins.
type remoteLogs struct {
	mu    sync.Mutex
	rings map[record.Ref]*ring
}

// Made is the last own dot given out.
func (t *Table) Made() uint64 { return t.seq.Load() }

// OwnHigh is the end of the own dots, from 1, that are all in the table and in the log.
func (t *Table) OwnHigh() uint64 {
	t.own.mu.Lock()
	defer t.own.mu.Unlock()
	return t.own.high
}

// LogKey is the key that a dot changed, if it is remembered, and whether it changed the deadline only (known of own
// dots).
func (t *Table) LogKey(origin record.Ref, seq uint64) (k record.Key, touch, ok bool) {
	var l logged
	if origin == t.self() {
		t.own.mu.Lock()
		l, ok = t.own.ring.get(seq)
		t.own.mu.Unlock()
		return l.key(), l.touch, ok
	}
	t.remote.mu.Lock()
	defer t.remote.mu.Unlock()
	r := t.remote.rings[origin]
	if r == nil {
		return k, false, false
	}
	l, ok = r.get(seq)
	return l.key(), false, ok
}

// Note remembers which key a remote dot changed. Own dots are remembered by themselves.
func (t *Table) Note(origin record.Ref, seq uint64, k record.Key) {
	if origin == t.self() || origin == 0 {
		return
	}
	t.remote.mu.Lock()
	defer t.remote.mu.Unlock()
	r := t.remote.rings[origin]
	if r == nil {
		if t.remote.rings == nil {
			t.remote.rings = make(map[record.Ref]*ring)
		}
		r = new(ring)
		t.remote.rings[origin] = r
	}
	r.note(seq, k, false)
}

// ForgetLog frees an origin's log, for who is not expected back: its dots are pulled from then on. A dot of it that comes
// nevertheless begins a new one.
func (t *Table) ForgetLog(origin record.Ref) {
	t.remote.mu.Lock()
	defer t.remote.mu.Unlock()
	delete(t.remote.rings, origin)
}
