package wire

import (
	"encoding/binary"

	"github.com/cespare/xxhash/v2"
	"github.com/sessioncast/sessioncast/internal/hlc"
	"github.com/sessioncast/sessioncast/internal/record"
)

// MaxBatchDots is how many dots the items of one batch cover together.
const MaxBatchDots = 2 * MaxItemDots

// The first byte of an item: its kind, and what follows.
const (
	itemKindMask = 0x07 // 0 ends the items
	itemOrigin   = 0x08 // the dots are not the sender's: a reference to their origin follows
	itemOneDot   = 0x10 // one dot, as a number; otherwise ranges
	itemDatabase = 0x20 // the key is not in database 0: a byte names its database
	itemUnknown  = 0xc0
)

// The first byte of a state: how many births there are, and what is known of destruction.
const (
	stateBirths  = 0x1f
	stateTomb    = 0x20
	stateHold    = 0x40 // only with stateTomb
	stateUnknown = 0x80
)

// The first byte of a birth.
const (
	birthWeak          = 0x01
	birthValue         = 0x02
	birthValueIsID     = 0x04 // the value's version is the birth's ID
	birthDeadline      = 0x08
	birthDeadlineIsTop = 0x10 // the deadline's version is the value's, the ID's where there is no value
	birthDue           = 0x20 // the session ends some time
	birthPlain         = 0x40 // nothing is remembered but the register itself, see plain
	birthAbsolute      = 0x80
)

// FragmentID names a version of an item: the hash of its encoding by AppendItem.
func FragmentID(encoded []byte) uint64 { return xxhash.Sum64(encoded) }

// AppendItem appends it without its dots, in a form that stands by itself: it is the same on every node that holds
// the same state.
func (e *Encoder) AppendItem(dst []byte, it *Item) []byte {
	self := e.self
	e.self, e.refs = 0, e.refs[:0]
	dst = e.bareItem(dst, 0, it)
	e.self = self
	return dst
}

// ItemSize is the length of what AppendItem appends.
func (e *Encoder) ItemSize(it *Item) int {
	var scratch [1024]byte
	e.measure, e.skipped = true, 0
	size := len(e.AppendItem(scratch[:0], it)) + e.skipped
	e.measure = false
	return size
}

// ParseItem reads what AppendItem appended. The item has no origin and no dots.
func (d *Decoder) ParseItem(b []byte, into *Item) error {
	r := d.bare(b, 0)
	r.bareItem(r.u8(), into)
	return r.err
}

// item appends an item with its dots.
func (e *Encoder) item(dst []byte, base hlc.Stamp, it *Item) []byte {
	head := itemHead(it)
	if it.Origin != e.self {
		head |= itemOrigin
	}
	if len(it.Dots) == 1 {
		head |= itemOneDot
	}
	dst = append(dst, head)
	if head&itemOrigin != 0 {
		dst = e.ref(dst, it.Origin)
	}
	if head&itemOneDot != 0 {
		dst = binary.AppendUvarint(dst, it.Dots[0])
	} else {
		dst = appendRanges(dst, e.dotRanges(it.Dots))
	}
	return e.news(dst, base, it)
}

// bareItem appends an item without its dots.
func (e *Encoder) bareItem(dst []byte, base hlc.Stamp, it *Item) []byte {
	return e.news(append(dst, itemHead(it)), base, it)
}

func itemHead(it *Item) byte {
	head := byte(it.Kind) & itemKindMask
	if it.Kind != KindPull && it.Key.DB != 0 {
		head |= itemDatabase
	}
	return head
}

// news appends an item's key and state, as far as its kind has them.
func (e *Encoder) news(dst []byte, base hlc.Stamp, it *Item) []byte {
	if it.Kind == KindPull {
		return dst
	}
	dst = appendKeyName(dst, it.Key)
	if it.Kind == KindNothing {
		return dst
	}
	return e.state(dst, base, &it.State, it.Kind == KindTouch)
}

// appendKeyName appends a key, whose database byte is there only when a flag before it says so.
func appendKeyName(dst []byte, k record.Key) []byte {
	if k.DB != 0 {
		dst = append(dst, k.DB)
	}
	return appendText(dst, k.Name)
}

// state appends s. A touch leaves the values out.
func (e *Encoder) state(dst []byte, base hlc.Stamp, s *record.State, touch bool) []byte {
	head := byte(len(s.Births)) & stateBirths
	tomb := s.Tomb != record.Tombstone{}
	if tomb {
		head |= stateTomb
	}
	if s.Tomb.Hold != 0 {
		head |= stateHold
	}
	dst = append(dst, head)
	if tomb {
		dst = appendStamp(dst, base, s.Tomb.At)
		dst = appendSigned(dst, s.Tomb.Until-s.Tomb.At.Millis())
	}
	if s.Tomb.Hold != 0 {
		dst = appendStamp(dst, s.Tomb.At, s.Tomb.Hold)
	}
	for i := range s.Births {
		dst = e.birth(dst, base, &s.Births[i], touch)
	}
	return dst
}

func (e *Encoder) birth(dst []byte, base hlc.Stamp, b *record.Birth, touch bool) []byte {
	flags := birthFlags(b, touch)
	dst = append(dst, flags)
	dst = e.version(dst, base, b.ID)
	dst = binary.AppendUvarint(dst, b.Seq)
	if flags&birthValue != 0 {
		if flags&birthValueIsID == 0 {
			dst = e.version(dst, base, b.Value.Version)
		}
		dst = e.value(dst, base, &b.Value)
	}
	if flags&birthDeadline != 0 && flags&birthDeadlineIsTop == 0 {
		dst = e.version(dst, base, b.Deadline.Version)
	}
	return appendTimes(dst, flags, b)
}

func birthFlags(b *record.Birth, touch bool) (flags byte) {
	set := func(on bool, flag byte) {
		if on {
			flags |= flag
		}
	}
	top := b.ID
	value, deadline := !touch && !b.Value.IsZero(), !b.Deadline.IsZero()
	if value {
		top = b.Value.Version
	}
	set(b.Weak, birthWeak)
	set(value, birthValue)
	set(value && b.Value.Version == b.ID, birthValueIsID)
	set(deadline, birthDeadline)
	set(deadline && b.Deadline.Version == top, birthDeadlineIsTop)
	set(deadline && b.Deadline.Due != 0, birthDue)
	set(plain(b), birthPlain)
	set(b.Absolute != 0, birthAbsolute)
	return flags
}

// plain reports whether b's times all follow from when its deadline register was written and from when it ends, as they
// do until something else than a SET has moved the deadline.
func plain(b *record.Birth) bool {
	due, promise := registerTimes(b)
	return promise == due && b.Latest == due && b.Span == plainSpan(due, b.Deadline.At.Millis())
}

// plainSpan is the lifetime that a register gives which was written at a time and ends at another, 0 for never.
func plainSpan(due, written int64) int64 {
	if due == 0 {
		return 0
	}
	return due - written
}

// registerTimes is the deadline register's two times, both 0 where it says nothing or never.
func registerTimes(b *record.Birth) (due, promise int64) {
	if b.Deadline.IsZero() || b.Deadline.Due == 0 {
		return 0, 0
	}
	return b.Deadline.Due, b.Deadline.Promise
}

// value appends the length, doubled to make room for the flag that a type and an owner follow, the version of the whole where fields were written over it, and
// the bytes.
func (e *Encoder) value(dst []byte, base hlc.Stamp, v *record.Value) []byte {
	length := uint64(len(v.Bytes)) << 1
	labelled := v.Type != 0 || v.Owner != ""
	if labelled {
		length |= 1
	}
	dst = binary.AppendUvarint(dst, length)
	if labelled {
		dst = appendText(append(dst, v.Type), v.Owner)
	}
	if v.Type == record.TypePatched {
		dst = e.version(dst, base, v.Whole)
	}
	if e.measure {
		e.skipped += len(v.Bytes)
		return dst
	}
	return append(dst, v.Bytes...)
}

// appendTimes appends a birth's times, each by its distance from the one before.
func appendTimes(dst []byte, flags byte, b *record.Birth) []byte {
	due, promise := registerTimes(b)
	written := timesFrom(flags, b)
	if flags&birthDue != 0 {
		dst = appendSigned(dst, due-written)
	}
	if flags&birthPlain == 0 {
		if flags&birthDue != 0 {
			dst = appendSigned(dst, promise-due)
		}
		dst = appendSigned(dst, b.Span-plainSpan(due, written))
		dst = appendSigned(dst, b.Latest-max(promise, written+b.Span))
	}
	if flags&birthAbsolute != 0 {
		dst = appendSigned(dst, b.Absolute-b.ID.At.Millis())
	}
	return dst
}

// timesFrom is what the first of a birth's times is counted from.
func timesFrom(flags byte, b *record.Birth) int64 {
	if flags&birthDeadline != 0 {
		return b.Deadline.At.Millis()
	}
	return b.ID.At.Millis()
}

// item takes an item that starts with head.
func (r *reader) item(head byte, it *Item) {
	it.Origin = r.sender
	if head&itemOrigin != 0 {
		it.Origin = r.ref()
	}
	if head&itemOneDot != 0 {
		it.Dots = append(it.Dots[:0], r.uvarint())
		r.check(it.Dots[0] != 0, ErrValue)
		r.check(r.dotsLeft > 0, ErrLimit)
		r.dotsLeft--
	} else {
		it.Dots = r.seqs(it.Dots)
	}
	r.news(head, it)
}

// bareItem takes an item without dots that starts with head.
func (r *reader) bareItem(head byte, it *Item) {
	it.Origin, it.Dots = 0, it.Dots[:0]
	r.check(head&(itemOrigin|itemOneDot) == 0, ErrUnknown)
	r.news(head, it)
}

func (r *reader) news(head byte, it *Item) {
	it.Kind = ItemKind(head & itemKindMask)
	it.Key = record.Key{}
	it.State.Tomb = record.Tombstone{}
	it.State.Births = it.State.Births[:0]
	r.check(head&itemUnknown == 0 && it.Kind >= KindState && it.Kind <= KindPull, ErrUnknown)
	if it.Kind == KindPull {
		r.check(head&itemDatabase == 0, ErrValue)
		return
	}
	it.Key = r.key(head&itemDatabase != 0)
	if it.Kind != KindNothing {
		r.state(&it.State, it.Kind)
	}
}

func (r *reader) key(database bool) (k record.Key) {
	if database {
		k.DB = r.u8()
		r.check(k.DB != 0, ErrValue)
	}
	k.Name = r.text(record.MaxName)
	r.check(k.Valid(), ErrValue)
	return k
}

func (r *reader) state(s *record.State, kind ItemKind) {
	head := r.u8()
	r.check(head&stateUnknown == 0, ErrUnknown)
	r.check(head&stateBirths <= 2*record.MaxBirths, ErrLimit)
	r.tombstone(head, &s.Tomb)
	for n := head & stateBirths; n > 0 && r.err == nil; n-- {
		s.Births = append(s.Births, record.Birth{})
		r.birth(&s.Births[len(s.Births)-1], kind)
	}
	r.checkBirths(s.Births)
}

func (r *reader) tombstone(head byte, t *record.Tombstone) {
	if head&stateTomb == 0 {
		r.check(head&stateHold == 0, ErrValue)
		return
	}
	t.At = r.stamp()
	t.Until = r.millis(t.At.Millis())
	if head&stateHold != 0 {
		t.Hold = t.At - hlc.Stamp(r.signed())
		r.check(t.Hold != 0, ErrValue)
	}
	r.check(*t != record.Tombstone{} && t.At != hlc.Max, ErrValue)
}

// checkBirths refuses two births of one identity, and too many of one kind.
func (r *reader) checkBirths(births []record.Birth) {
	weak := 0
	for i := range births {
		if births[i].Weak {
			weak++
		}
		for j := range i {
			r.check(births[i].ID != births[j].ID, ErrValue)
		}
	}
	r.check(weak <= record.MaxBirths && len(births)-weak <= record.MaxBirths, ErrLimit)
}

// impossible are the flags that say something of what other flags say is not there.
func impossible(flags byte) bool {
	return flags&birthValue == 0 && flags&birthValueIsID != 0 ||
		flags&birthDeadline == 0 && flags&(birthDeadlineIsTop|birthDue) != 0
}

func (r *reader) birth(b *record.Birth, kind ItemKind) {
	flags := r.u8()
	r.check(!impossible(flags), ErrValue)
	r.check((flags&birthValue != 0) == (kind == KindState), ErrValue)
	b.Weak = flags&birthWeak != 0
	b.ID = r.version()
	b.Seq = r.uvarint()
	r.check(b.Seq != 0, ErrValue)
	top := b.ID
	if flags&birthValue != 0 {
		if flags&birthValueIsID == 0 {
			top = r.version()
		}
		r.value(&b.Value, top)
	}
	if flags&birthDeadline != 0 {
		if flags&birthDeadlineIsTop == 0 {
			top = r.version()
		}
		b.Deadline.Version = top
	}
	r.times(flags, b)
}

func (r *reader) value(v *record.Value, version record.Version) {
	v.Version = version
	length := r.count(2*record.MaxValue + 1)
	if length&1 != 0 {
		v.Type = r.u8()
		v.Owner = r.text(record.MaxOwner)
		r.check(v.Type != 0 || v.Owner != "", ErrValue)
	}
	if v.Type == record.TypePatched {
		v.Whole = r.version()
	}
	r.check(length>>1 <= record.MaxValue, ErrLimit)
	v.Bytes = r.bytes(length >> 1)
	r.check(v.Type != record.TypePatched || v.CheckPatched() == nil, ErrValue)
	if r.err == nil {
		v.Hash = r.d.Origins.ValueHash(v)
	}
}

func (r *reader) times(flags byte, b *record.Birth) {
	written := timesFrom(flags, b)
	d := &b.Deadline
	if flags&birthDue != 0 {
		d.Due = r.millis(written)
		r.check(d.Due != 0, ErrValue)
	}
	d.Promise, b.Latest, b.Span = d.Due, d.Due, plainSpan(d.Due, written)
	if flags&birthPlain == 0 {
		if flags&birthDue != 0 {
			d.Promise = r.millis(d.Due)
		}
		b.Span += r.signed()
		b.Latest = r.millis(max(d.Promise, written+b.Span))
	}
	r.check(b.Span >= 0 && b.Span <= record.MaxSpan, ErrValue)
	if flags&birthAbsolute != 0 {
		b.Absolute = r.millis(b.ID.At.Millis())
		r.check(b.Absolute != 0, ErrValue)
	}
}
