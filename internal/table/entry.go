package table

import (
	"strings"
	"unsafe"

	"github.com/sessioncast/sessioncast/internal/hlc"
	"github.com/sessioncast/sessioncast/internal/record"
)

// What an entry costs beyond its name, values and owners; close to what the heap holds for it (see
// TestCostIsCloseToTheHeap).
const (
	entryCost = int64(unsafe.Sizeof(entry{})) + slotCost + wakeCost + allocCost
	birthCost = int64(unsafe.Sizeof(record.Birth{})) + allocCost
	slotCost  = 16 * 3 / 2 // slots are between 3/8 and 3/4 full
	allocCost = 16         // rounding of one allocation to its size class, on average
	wakeCost  = 24         // one wake and the slack of its heap
	touchCost = int64(unsafe.Sizeof(touch{}))
)

// class is how an entry was last counted.
type class uint8

const (
	absent    class = iota // nothing
	session                // visible when last looked at
	hidden                 // births whose promise has passed
	tombstone              // destroyed, or a floor
)

// entry is what a node knows of one key. Guarded by its bucket's lock. What readers need comes first.
type entry struct {
	name    string
	touch   *touch // within the promise, known here only; nil: none
	cost    uint32 // as added to the table's bytes
	db      uint8
	class   class
	unknown bool // a tombstone made here for a key nobody here had heard of
	inline  bool // part of a liveEntry
	state   record.State
	print   uint64 // fingerprint of state, as added to the bucket's sum
	wake    int64  // the earliest wake queued for it; 0: none
}

// touch is an extension that the promise made to the peers covers.
type touch struct {
	birth record.Version // whose promise
	at    hlc.Stamp
	due   int64
}

// liveEntry is an entry together with room for the one birth that it normally has. Tombstones use a bare entry.
type liveEntry struct {
	entry
	first [1]record.Birth
}

func newEntry(k record.Key, births bool) *entry {
	if !births {
		return &entry{name: strings.Clone(k.Name), db: k.DB}
	}
	l := &liveEntry{entry: entry{name: strings.Clone(k.Name), db: k.DB, inline: true}}
	l.state.Births = l.first[:0]
	return &l.entry
}

func (e *entry) key() record.Key { return record.Key{DB: e.db, Name: e.name} }

func (e *entry) isFloor() bool { return e.db >= record.Databases }

// deadline is the birth whose register decides when the key ends, nil where nothing lives.
func (t *Table) deadline(e *entry, floor hlc.Stamp) *record.Birth {
	_, d := e.state.Winner(t.cfg.Origins, floor)
	return d
}

// View is what a reader sees of a session.
type View struct {
	Value   []byte // shared; nobody ever changes it in place
	Type    uint8
	Owner   string
	Due     int64 // when it ends, Unix milliseconds, touches known only here included; 0: never
	Version record.Version
	Birth   record.Version // identity of the birth that the next update writes to
}

func (t *Table) view(e *entry, floor hlc.Stamp, now, at int64) (v View, ok bool) {
	ok = t.viewInto(&v, e, floor, now, at)
	return v, ok
}

func (t *Table) viewInto(v *View, e *entry, floor hlc.Stamp, now, at int64) bool {
	skew := t.skewAt(now, at)
	var value, d, current *record.Birth
	if births := e.state.Births; len(births) == 1 { // nearly always
		value = &births[0]
		d, current = value, value
		if value.ID.At <= floor {
			return false
		}
	} else if value, d = e.state.Winner(t.cfg.Origins, floor); d == nil {
		return false
	}
	if d.Deadline.Hidden(at, skew) {
		return false
	}
	if current == nil {
		current = e.state.Current(floor, at, skew)
	}
	v.Value, v.Type, v.Owner = value.Value.Bytes, value.Value.Type, value.Value.Owner
	v.Version, v.Birth = value.Value.Version, current.ID
	if v.Due = d.Deadline.Due; v.Due != 0 && e.touch != nil {
		v.Due = max(v.Due, e.touch.due)
	}
	return true
}

// Get reads a session. The name may lie over a buffer that changes later.
func (t *Table) Get(now int64, k record.Key) (v View, ok bool) {
	if k.DB >= record.Databases || len(k.Name) > record.MaxName {
		return v, false
	}
	h := t.hash(k)
	b := t.bucket(h)
	b.mu.Lock()
	if e := b.find(h, k); e != nil {
		ok = t.viewInto(&v, e, t.floor(k.DB), now, t.clusterTime(now))
	}
	b.mu.Unlock()
	return v, ok
}

// stateCost is the part of an entry's cost that comes from its births.
func stateCost(s *record.State) int64 {
	var c int64
	for i := range s.Births {
		v := &s.Births[i].Value
		c += birthCost + int64(len(v.Bytes)+len(v.Owner))
	}
	return c
}

func costOf(name int, s *record.State) int64 { return entryCost + int64(name) + stateCost(s) }

func (e *entry) fullCost() int64 {
	cost := costOf(len(e.name), &e.state)
	if e.touch != nil {
		cost += touchCost
	}
	return cost
}
