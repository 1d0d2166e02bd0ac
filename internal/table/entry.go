package table

import (
	"sync"
	"unsafe"

	"github.com/sessioncast/sessioncast/internal/fields"
	"github.com/sessioncast/sessioncast/internal/hlc"
	"github.com/sessioncast/sessioncast/internal/record"
)

// slotCost is what an entry takes besides its packed form: its slot, of which between 3/4 and 5/6 are in use.
const slotCost = int(unsafe.Sizeof(slot{})) * 5 / 4

// class is how an entry was last counted.
type class uint8

const (
	absent    class = iota // nothing
	session                // visible when last looked at
	hidden                 // births whose promise has passed
	tombstone              // destroyed, or a floor
)

// entry is what a node knows of one key, unpacked for an operation under the bucket's lock. Its name, owners and values
// lie in the packed form, or where the caller has them until it is packed.
type entry struct {
	name    string
	touch   *touch  // within the promise, known here only; nil: none
	packed  *packed // nil: not in the table yet
	wake    int64   // when the sweeper looks at it; never: not at all
	cost    uint32  // as added to the table's bytes
	db      uint8
	class   class
	unknown bool // a tombstone made here for a key nobody here had heard of
	state   record.State
	print   uint64 // fingerprint of state, as added to the bucket's sum

	warmth uint64 // see warm

	mine  touch           // what touch points to
	first [1]record.Birth // where the one birth lies that there normally is
}

// touch is an extension that the promise made to the peers covers.
type touch struct {
	birth record.Version // whose promise
	at    hlc.Stamp
	due   int64
}

// entries are at rest between operations.
var entries = sync.Pool{New: func() any { return new(entry) }}

// begin makes e the entry of a key of which nothing is known.
func (e *entry) begin(k record.Key) {
	*e = entry{name: k.Name, db: k.DB, wake: never}
	e.state.Births = e.first[:0]
}

// rest keeps nothing alive until it is used again.
func (e *entry) rest() {
	v := &e.first[0].Value
	e.name, e.packed, e.state.Births, v.Owner, v.Bytes = "", nil, nil, "", nil
	entries.Put(e)
}

func (e *entry) mode() mode {
	m := mode(e.class)
	if e.unknown {
		m |= modeUnknown
	}
	return m
}

// setClass notes how the entry counts now, in its packed form, too.
func (e *entry) setClass(c class) {
	e.class = c
	if e.packed != nil {
		e.packed.mode = e.packed.mode&(modeTouched|modeShared) | e.mode()
	}
}

// forgetTouch drops the local touch, in the packed form, too.
func (e *entry) forgetTouch() {
	e.touch = nil
	if e.packed != nil {
		e.packed.mode &^= modeTouched
	}
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
	Value   []byte // shared; nobody ever changes it, but where Look shows it
	Type    uint8
	Whole   record.Version // zero but of a patched value
	Owner   string
	Due     int64 // when it ends, Unix milliseconds, touches known only here included; 0: never
	Promise int64 // until when every node shows it at least, so that touches within it need not be told; 0: never ends
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
	v.Value, v.Type, v.Whole, v.Owner = value.Value.Bytes, value.Value.Type, value.Value.Whole, value.Value.Owner
	v.Version, v.Birth, v.Promise = value.Value.Version, current.ID, d.Deadline.Promise
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
	now = t.believed(now)
	h := t.hash(k)
	b := t.bucket(h)
	b.mu.Lock()
	if p := b.find(h, k); p != nil {
		if ok = t.read(&v, p, t.floor(k.DB), now, t.clusterTime(now)); ok {
			p.share()
		}
	}
	b.mu.Unlock()
	v.Render()
	return v, ok
}

// Look shows a session to see, with the lock held that its writers need: what it is shown may change when see returns. Who reads often
// and keeps nothing reads so, since a value that nobody keeps may be written over where it lies.
func (t *Table) Look(now int64, k record.Key, see func(View)) (ok bool) {
	if k.DB >= record.Databases || len(k.Name) > record.MaxName {
		return false
	}
	now = t.believed(now)
	h := t.hash(k)
	b := t.bucket(h)
	b.mu.Lock()
	defer b.mu.Unlock()
	var v View
	p := b.find(h, k)
	if ok = p != nil && t.read(&v, p, t.floor(k.DB), now, t.clusterTime(now)); ok {
		if v.Type != record.TypePatched {
			see(v)
			return ok
		}
		r := renderings.Get().(*rendering)
		v.render(r)
		see(v)
		r.rest()
	}
	return ok
}

// Render has a patched value show as what it says: its fields in their places.
func (v *View) Render() {
	if v.Type == record.TypePatched {
		v.render(new(rendering))
	}
}

// render is Render into r's memory.
func (v *View) render(r *rendering) {
	patched := record.Value{Type: v.Type, Whole: v.Whole, Bytes: v.Value}
	if whole, _, list, err := patched.Parts(r.fields[:0]); err == nil {
		r.fields, r.text = list, fields.Render(r.text[:0], whole, list)
		v.Value = r.text
	}
	v.Type, v.Whole = 0, record.Version{}
}

// rendering is where the text of a patched value is put together.
type rendering struct {
	fields []record.Field
	text   []byte
}

// renderings are at rest between looks.
var renderings = sync.Pool{New: func() any { return new(rendering) }}

// maxRendering is how many bytes a rendering at rest may hold.
const maxRendering = 64 << 10

// rest keeps nothing of what was shown, and no more memory than most sessions need.
func (r *rendering) rest() {
	clear(r.fields)
	if cap(r.text) <= maxRendering {
		renderings.Put(r)
	}
}

// read is viewInto without unpacking more than readers see, where there is only one birth.
func (t *Table) read(v *View, p *packed, floor hlc.Stamp, now, at int64) bool {
	if p.flags&(hasBirth|hasMore) != hasBirth {
		return t.readAny(v, p, floor, now, at)
	}
	if p.at <= floor {
		return false
	}
	id := record.Version{At: p.at, By: p.by}
	d := record.Deadline{Due: p.due, Promise: p.due}
	value, l := id, label{}
	if p.flags&(readPlain|hasLabel) != readPlain {
		r := p.registers()
		value, l = r.shown(p.flags, id, &d)
	}
	if d.Hidden(at, t.skewAt(now, at)) {
		return false
	}
	place := p.ownerAt()
	v.Owner, v.Value = p.text(place, l.owner), p.bytes(place+l.owner, int(p.value))
	v.Type, v.Whole, v.Version, v.Birth, v.Due, v.Promise = l.typ, l.whole, value, id, d.Due, d.Promise
	if v.Due != 0 && p.mode&modeTouched != 0 {
		_, due, _ := p.rawTouch()
		v.Due = max(v.Due, due)
	}
	return true
}

// readPlain are the flags of a birth all of whose registers were written at once, and promise what they say.
const readPlain = valueIsID | deadlineIsTop | isPlain

func (t *Table) readAny(v *View, p *packed, floor hlc.Stamp, now, at int64) bool {
	var e entry
	p.unpack(&e)
	return t.viewInto(v, &e, floor, now, at)
}

// atMost is no less than what an entry takes whose values come to so many bytes.
func atMost(name, births, values int) int64 {
	return int64(stored(packedSize+moreSize+2*maxMeta/3+name+births*(birthHead+maxMeta/3)+values) + slotCost)
}

// costOf is what an entry takes, without a local touch.
func costOf(name string, s *record.State) int64 {
	e := entry{name: name, state: *s}
	return int64(stored(e.size(e.layout(new(packed), nil))) + slotCost)
}

// growth is what the entry's cost grows by with so many bytes more.
func (e *entry) growth(more int) int64 {
	if more <= 0 {
		return 0
	}
	var scratch [maxMeta]byte
	size := e.size(e.layout(new(packed), scratch[:0]))
	return int64(stored(size+more) - stored(size))
}
