package table

import (
	"encoding/binary"
	"unsafe"

	"github.com/sessioncast/sessioncast/internal/hlc"
	"github.com/sessioncast/sessioncast/internal/record"
)

// packed is an entry as it lies in memory: one piece without pointers, so that the collector neither looks into it nor
// at more than one object for each session (ADR 0015).
//
//	packed | name | meta | touch | owner | value | more
//
// meta are the first birth's registers, as far as they say something of their own, and the tombstone; touch is room for
// a local touch, there where one was made or it costs nothing; more are further births. The name's place is the same in all,
// so that who compares it need not wait for the head. What readers got they share, and it never changes: see overwrite for
// what is written in place, under the bucket's lock; all else makes a new piece.
type packed struct {
	print uint64    // fingerprint of the state, as added to the bucket's sum
	hash  uint64    // of the value
	at    hlc.Stamp // the first birth's identity
	due   int64     // its deadline
	by    record.Ref
	value uint32 // length
	name  uint16 // length
	flags flags
	place uint16 // in its page, in grains; 0: it lies by itself
	mode  mode
	meta  uint8 // length
}

const (
	packedSize = int(unsafe.Sizeof(packed{}))
	touchSize  = 16
	moreSize   = 4 // the length of all further births
	birthHead  = 35
	maxMeta    = 160 // of a birth and a tombstone
	touchShift = 8   // a touch's deadline shares a word with the number of its birth
)

// flags say what of a birth's registers follows from something else, and what else there is.
type flags uint16

const (
	hasBirth flags = 1 << iota
	isWeak
	valueIsID     // the value's version is the birth's identity
	deadlineIsTop // the deadline's version is the value's
	isPlain       // promise, latest and span follow from the deadline
	hasAbsolute
	hasLabel // a type and an owner
	hasTomb
	hasMore
	hasRoom // for a touch

	dbShift = 11 // the database is in the upper bits
)

// mode is what of an entry changes without its state.
type mode uint8

const (
	classMask   mode = 3
	modeUnknown mode = 4
	modeTouched mode = 8
	modeShared  mode = 16 // somebody outside of the bucket's lock may hold its values
)

// pack writes e over what it was, where that can be, else anew into a, and points e's name to where it lies now.
func (e *entry) pack(a *arena) {
	var scratch [maxMeta]byte
	var h packed
	meta, size := e.plan(&h, scratch[:0])
	if e.fitsOver(&h) {
		e.overwrite(&h, meta)
	} else {
		e.fillNew(a, &h, meta, size)
	}
}

// plan works out the head, what goes behind it, and the length of it all.
func (e *entry) plan(h *packed, scratch []byte) (meta []byte, size int) {
	meta = e.layout(h, scratch)
	size = e.size(meta)
	if e.touch != nil || h.flags&hasBirth != 0 && (e.packed != nil && e.packed.flags&hasRoom != 0 || stored(size+touchSize) == stored(size)) {
		h.flags |= hasRoom
		size += touchSize
	}
	return meta, size
}

// fillNew writes what was planned into a piece of its own.
func (e *entry) fillNew(a *arena, h *packed, meta []byte, size int) {
	a.mu.Lock()
	b, place := a.reserve(size)
	h.place = place
	e.fill(b[:packedSize], h, meta)
	a.mu.Unlock()
	e.cost = uint32(stored(size) + slotCost)
	if e.touch != nil {
		e.packed.setTouch(e.touch, &e.state)
	}
}

// layout works out the head, and appends what goes behind it to meta.
func (e *entry) layout(h *packed, meta []byte) []byte {
	if births := e.state.Births; len(births) > 0 {
		first := &births[0]
		h.flags = birthFlags(first) | hasBirth
		h.at, h.by, h.due = first.ID.At, first.ID.By, first.Deadline.Due
		h.hash, h.value = first.Value.Hash, uint32(len(first.Value.Bytes))
		meta = appendMeta(meta, h.flags, first)
		if len(births) > 1 {
			h.flags |= hasMore
		}
	}
	if e.state.Tomb != (record.Tombstone{}) {
		h.flags |= hasTomb
		meta = appendTomb(meta, &e.state.Tomb)
	}
	h.flags |= flags(e.db) << dbShift
	h.print, h.name, h.meta, h.mode = e.print, uint16(len(e.name)), uint8(len(meta)), e.mode()
	return meta
}

// size is the length of e packed, without a touch.
func (e *entry) size(meta []byte) int {
	size := packedSize + len(meta) + len(e.name)
	for i := range e.state.Births {
		b := &e.state.Births[i]
		if i > 0 {
			size += birthSize(b)
			continue
		}
		size += len(b.Value.Owner) + len(b.Value.Bytes)
	}
	if len(e.state.Births) > 1 {
		size += moreSize
	}
	return size
}

// fill writes what pack has worked out.
func (e *entry) fill(b []byte, h *packed, meta []byte) {
	p := (*packed)(unsafe.Pointer(unsafe.SliceData(b)))
	*p = *h
	b = append(append(b, e.name...), meta...)
	if h.flags&hasRoom != 0 {
		b = b[:len(b)+touchSize]
	}
	if h.flags&hasBirth != 0 {
		v := &e.state.Births[0].Value
		b = append(append(b, v.Owner...), v.Bytes...)
	}
	if h.flags&hasMore != 0 {
		appendMore(b, e.state.Births[1:]) // within b's capacity
	}
	e.packed, e.name = p, p.text(packedSize, len(e.name))
}

// unpack reads p into e, whose names and values lie in p.
func (p *packed) unpack(e *entry) {
	e.packed, e.print, e.db = p, p.print, p.db()
	e.class, e.unknown = class(p.mode&classMask), p.mode&modeUnknown != 0
	e.state = record.State{Births: e.first[:0]}
	e.touch = nil
	r := p.registers()
	e.name = p.text(packedSize, int(p.name))
	at := p.ownerAt()
	if p.flags&hasBirth != 0 {
		e.state.Births = e.first[:1]
		b := &e.first[0]
		b.ID, b.Deadline.Due = record.Version{At: p.at, By: p.by}, p.due
		owner := r.meta(p.flags, b)
		b.Value.Hash = p.hash
		b.Value.Owner = p.text(at, owner)
		at += owner
		b.Value.Bytes = p.bytes(at, int(p.value))
		at += int(p.value)
	}
	if p.flags&hasTomb != 0 {
		e.state.Tomb = r.tomb()
	}
	size := at
	if p.flags&hasMore != 0 {
		n := int(binary.LittleEndian.Uint32(p.bytes(at, moreSize)))
		e.state.Births = readMore(e.state.Births, p.bytes(at+moreSize, n))
		size += moreSize + n
	}
	e.cost = uint32(stored(size) + slotCost)
	if p.mode&modeTouched != 0 {
		e.mine = p.touch(e.state.Births)
		e.touch = &e.mine
	}
}

func (p *packed) db() uint8 { return uint8(p.flags >> dbShift) }

// page is where p lies.
func (p *packed) page() *page {
	return (*page)(unsafe.Add(unsafe.Pointer(p), -int(p.place)*grain))
}

// size is p's length. It reads nothing that ever changes.
func (p *packed) size() int {
	n := p.ownerAt() + int(p.value)
	if p.flags&hasLabel != 0 {
		r := p.registers()
		_, l := r.shown(p.flags, record.Version{}, new(record.Deadline))
		n += l.owner
	}
	if p.flags&hasMore != 0 {
		n += moreSize + int(binary.LittleEndian.Uint32(p.bytes(n, moreSize)))
	}
	return n
}

// registers reads the meta.
func (p *packed) registers() reader { return reader{p.bytes(packedSize+int(p.name), int(p.meta))} }

func (p *packed) touchAt() int { return packedSize + int(p.name) + int(p.meta) }

func (p *packed) ownerAt() int {
	at := p.touchAt()
	if p.flags&hasRoom != 0 {
		at += touchSize
	}
	return at
}

// bytes are n bytes of p from at on. A pointer behind the last byte would point into another object.
func (p *packed) bytes(at, n int) []byte {
	if n == 0 {
		return []byte{}
	}
	return unsafe.Slice((*byte)(unsafe.Add(unsafe.Pointer(p), at)), n)[:n:n]
}

func (p *packed) text(at, n int) string {
	if n == 0 {
		return ""
	}
	return unsafe.String((*byte)(unsafe.Add(unsafe.Pointer(p), at)), n)
}

// is reports whether p is the entry of k.
func (p *packed) is(k record.Key) bool {
	return p.db() == k.DB && int(p.name) == len(k.Name) && p.text(packedSize, int(p.name)) == k.Name
}

// setTouch notes a local touch where there is room for it.
func (p *packed) setTouch(t *touch, s *record.State) {
	number := 0
	for i := range s.Births {
		if s.Births[i].ID == t.birth {
			number = i
		}
	}
	b := p.bytes(p.touchAt(), touchSize)
	binary.LittleEndian.PutUint64(b, uint64(t.at))
	binary.LittleEndian.PutUint64(b[8:], uint64(t.due)<<touchShift|uint64(number))
	p.mode |= modeTouched
}

func (p *packed) touch(births []record.Birth) touch {
	at, due, number := p.rawTouch()
	return touch{birth: births[number].ID, at: at, due: due}
}

func (p *packed) rawTouch() (at hlc.Stamp, due int64, number int) {
	b := p.bytes(p.touchAt(), touchSize)
	word := binary.LittleEndian.Uint64(b[8:])
	return hlc.Stamp(binary.LittleEndian.Uint64(b)), int64(word >> touchShift), int(word & (1<<touchShift - 1))
}
