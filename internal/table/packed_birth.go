package table

import (
	"encoding/binary"
	"unsafe"

	"github.com/sessioncast/sessioncast/internal/hlc"
	"github.com/sessioncast/sessioncast/internal/record"
)

func birthFlags(b *record.Birth) (f flags) {
	set := func(on bool, flag flags) {
		if on {
			f |= flag
		}
	}
	set(b.Weak, isWeak)
	set(b.Value.Version == b.ID, valueIsID)
	set(b.Deadline.Version == b.Value.Version, deadlineIsTop)
	set(plain(b), isPlain)
	set(b.Absolute != 0, hasAbsolute)
	set(b.Value.Type != 0 || b.Value.Owner != "", hasLabel)
	return f
}

// plain reports whether b's times all follow from when it ends and when that was written, as after a SET.
func plain(b *record.Birth) bool {
	d := &b.Deadline
	return d.Promise == d.Due && b.Latest == d.Due && b.Span == plainSpan(d)
}

func plainSpan(d *record.Deadline) int64 {
	if d.Due == 0 {
		return 0
	}
	return d.Due - d.At.Millis()
}

// appendMeta appends a birth's registers but its deadline, what readers need first.
func appendMeta(b []byte, f flags, x *record.Birth) []byte {
	d := &x.Deadline
	if f&valueIsID == 0 {
		b = appendVersion(b, x.ID, x.Value.Version)
	}
	if f&deadlineIsTop == 0 {
		b = appendVersion(b, x.Value.Version, d.Version)
	}
	if f&isPlain == 0 {
		b = binary.AppendVarint(b, d.Promise-d.Due)
	}
	if f&hasLabel != 0 {
		b = binary.AppendUvarint(append(b, x.Value.Type), uint64(len(x.Value.Owner)))
		if x.Value.Type == record.TypePatched {
			b = appendVersion(b, x.Value.Version, x.Value.Whole)
		}
	}
	b = binary.AppendUvarint(b, x.Seq)
	if f&isPlain == 0 {
		b = binary.AppendVarint(b, x.Span-plainSpan(d))
		b = binary.AppendVarint(b, x.Latest-d.Due)
	}
	if f&hasAbsolute != 0 {
		b = binary.AppendVarint(b, x.Absolute)
	}
	return b
}

// appendVersion appends v by its distance from another.
func appendVersion(b []byte, from, v record.Version) []byte {
	return binary.AppendUvarint(binary.AppendVarint(b, int64(v.At-from.At)), uint64(v.By))
}

func appendTomb(b []byte, t *record.Tombstone) []byte {
	b = binary.AppendUvarint(b, uint64(t.At))
	b = binary.AppendVarint(b, t.Until)
	return binary.AppendUvarint(b, uint64(t.Hold))
}

// reader takes fields from the front of what was packed here.
type reader struct{ b []byte }

func (r *reader) signed() int64 {
	v := r.unsigned()
	return int64(v>>1) ^ -int64(v&1)
}

func (r *reader) unsigned() uint64 {
	if c := r.b[0]; c < 0x80 {
		r.b = r.b[1:]
		return uint64(c)
	}
	return r.long()
}

func (r *reader) long() uint64 {
	v, n := binary.Uvarint(r.b)
	r.b = r.b[n:]
	return v
}

func (r *reader) version(from record.Version) record.Version {
	at := from.At + hlc.Stamp(r.signed())
	return record.Version{At: at, By: record.Ref(r.unsigned())}
}

// shown reads what readers need of a birth, whose deadline is known: all up to the length of its owner.
func (r *reader) shown(f flags, id record.Version, d *record.Deadline) (value record.Version, label label) {
	value = id
	if f&valueIsID == 0 {
		value = r.version(id)
	}
	d.Version = value
	if f&deadlineIsTop == 0 {
		d.Version = r.version(value)
	}
	d.Promise = d.Due
	if f&isPlain == 0 {
		d.Promise += r.signed()
	}
	if f&hasLabel != 0 {
		label.typ = r.b[0]
		r.b = r.b[1:]
		label.owner = int(r.unsigned())
		if label.typ == record.TypePatched {
			label.whole = r.version(value)
		}
	}
	return value, label
}

// label is what few values have.
type label struct {
	typ   uint8
	owner int // its length
	whole record.Version
}

// meta reads all that appendMeta appended.
func (r *reader) meta(f flags, x *record.Birth) (owner int) {
	var l label
	x.Value.Version, l = r.shown(f, x.ID, &x.Deadline)
	x.Value.Type, x.Value.Whole = l.typ, l.whole
	x.Weak = f&isWeak != 0
	x.Absolute = 0
	x.Seq = r.unsigned()
	x.Span, x.Latest = plainSpan(&x.Deadline), x.Deadline.Due
	if f&isPlain == 0 {
		x.Span += r.signed()
		x.Latest += r.signed()
	}
	if f&hasAbsolute != 0 {
		x.Absolute = r.signed()
	}
	return l.owner
}

func (r *reader) tomb() (t record.Tombstone) {
	t.At = hlc.Stamp(r.unsigned())
	t.Until = r.signed()
	t.Hold = hlc.Stamp(r.unsigned())
	return t
}

// birthSize is what a further birth takes.
func birthSize(x *record.Birth) int {
	var scratch [maxMeta]byte
	meta := appendMeta(scratch[:0], birthFlags(x), x)
	return birthHead + len(meta) + len(x.Value.Owner) + len(x.Value.Bytes)
}

// appendMore appends further births behind their length.
func appendMore(b []byte, births []record.Birth) []byte {
	start := len(b)
	b = append(b, 0, 0, 0, 0)
	for i := range births {
		x := &births[i]
		f := birthFlags(x)
		b = binary.LittleEndian.AppendUint16(b, uint16(f))
		b = binary.LittleEndian.AppendUint64(b, uint64(x.ID.At))
		b = binary.LittleEndian.AppendUint32(b, uint32(x.ID.By))
		b = binary.LittleEndian.AppendUint64(b, uint64(x.Deadline.Due))
		b = binary.LittleEndian.AppendUint64(b, x.Value.Hash)
		b = binary.LittleEndian.AppendUint32(b, uint32(len(x.Value.Bytes)))
		b = append(b, 0) // meta's length, known when it is written
		at := len(b)
		b = appendMeta(b, f, x)
		b[at-1] = byte(len(b) - at)
		b = append(append(b, x.Value.Owner...), x.Value.Bytes...)
	}
	binary.LittleEndian.PutUint32(b[start:], uint32(len(b)-start-moreSize))
	return b
}

// readMore appends the births that b holds.
func readMore(births []record.Birth, b []byte) []record.Birth {
	for len(b) > 0 {
		f := flags(binary.LittleEndian.Uint16(b))
		x := record.Birth{ID: record.Version{
			At: hlc.Stamp(binary.LittleEndian.Uint64(b[2:])),
			By: record.Ref(binary.LittleEndian.Uint32(b[10:])),
		}}
		x.Deadline.Due = int64(binary.LittleEndian.Uint64(b[14:]))
		x.Value.Hash = binary.LittleEndian.Uint64(b[22:])
		value, meta := int(binary.LittleEndian.Uint32(b[30:])), int(b[34])
		r := reader{b[birthHead : birthHead+meta]}
		owner := r.meta(f, &x)
		b = b[birthHead+meta:]
		x.Value.Owner = unsafe.String(unsafe.SliceData(b), owner)
		x.Value.Bytes = b[owner : owner+value : owner+value]
		b = b[owner+value:]
		births = append(births, x)
	}
	return births
}
