package record

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"

	"github.com/sessioncast/sessioncast/internal/hlc"
)

// A patched value is a whole value, as a write makes it, and fields that were written by themselves since: each is a register of its
// own, so that two nodes that change different fields of a session at one moment lose nothing. The whole is the latest write of all of it, and
// ends the fields that were written before; see docs/ARCHITECTURE.md, "Fields". What the fields mean is for readers to say.
//
// Such a value's Version is that of the last write of any of it, or of its owner alone, Whole is the whole's own, and its Bytes are
//
//	length of the whole, the whole, then for each field, in the order of their names: length of the name, the name, its stamp
//	less the whole's, 0 where it was removed or 1 and the length of what it says, and that
//
// with all numbers as varints.

// TypePatched is the Type of a patched value. One that has no field and is of its whole's version is a plain value.
const TypePatched = 2

// Limits of a patched value.
const (
	MaxFields    = 1024 // fields of their own
	MaxFieldName = 1024 // bytes
)

// ErrPatched is a patched value that nobody writes so.
var ErrPatched = errors.New("record: not a patched value")

// Field is a register within a value.
type Field struct {
	Name    string
	At      hlc.Stamp // when it was written
	Removed bool
	Bytes   []byte // what it says; empty where it was removed
}

// later reports whether f counts before g, another state of one field. Of two with one stamp, which two nodes wrote, the same one counts
// everywhere.
func (f *Field) later(g *Field) bool {
	switch {
	case f.At != g.At:
		return f.At > g.At
	case f.Removed != g.Removed:
		return g.Removed
	}
	return bytes.Compare(f.Bytes, g.Bytes) > 0
}

// Parts takes a value apart: the whole, its version, and the fields of their own in the order of their names. What they hold lies in v's
// bytes. The fields are appended to into.
func (v *Value) Parts(into []Field) (whole []byte, at Version, fields []Field, err error) {
	if v.Type != TypePatched {
		return v.Bytes, v.Version, into, nil
	}
	r := fieldReader{b: v.Bytes}
	whole = r.take(r.number())
	for len(r.b) > 0 && !r.bad {
		f := Field{Name: string(r.take(r.number()))}
		f.At = v.Whole.At + hlc.Stamp(r.number())
		if size := r.number(); size == 0 {
			f.Removed = true
		} else {
			f.Bytes = r.take(size - 1)
		}
		into = append(into, f)
	}
	if r.bad {
		return nil, at, nil, ErrPatched
	}
	return whole, v.Whole, into, nil
}

// CheckPatched reports whether v, which came from elsewhere, is a patched value as Patched makes them.
func (v *Value) CheckPatched() error {
	_, _, fields, err := v.Parts(nil)
	if err != nil || len(fields) == 0 && v.Version == v.Whole || len(fields) > MaxFields || v.Whole.At > v.At {
		return ErrPatched
	}
	for i := range fields {
		f := &fields[i]
		if len(f.Name) > MaxFieldName || i > 0 && fields[i-1].Name >= f.Name || f.At < v.Whole.At || f.At > v.At {
			return ErrPatched
		}
	}
	return nil
}

// Patched is the value of a whole and the fields that were written since, which must be in the order of their names; a plain one where nothing was.
// Its hash is left to the caller.
func Patched(version Version, owner string, at Version, whole []byte, fields []Field) Value {
	v := Value{Version: version, Owner: owner}
	if len(fields) == 0 && version == at {
		v.Bytes = whole
		return v
	}
	v.Type, v.Whole = TypePatched, at
	size := binary.MaxVarintLen32 + len(whole)
	for i := range fields {
		size += 3*binary.MaxVarintLen64 + len(fields[i].Name) + len(fields[i].Bytes)
	}
	b := make([]byte, 0, size)
	b = append(binary.AppendUvarint(b, uint64(len(whole))), whole...)
	for i := range fields {
		f := &fields[i]
		b = append(binary.AppendUvarint(b, uint64(len(f.Name))), f.Name...)
		b = binary.AppendUvarint(b, uint64(f.At-at.At))
		if f.Removed {
			b = append(b, 0)
			continue
		}
		b = append(binary.AppendUvarint(b, 1+uint64(len(f.Bytes))), f.Bytes...)
	}
	v.Bytes = b
	return v
}

// joinPatched merges two values one of which is patched: the later whole, and of each field that was not written before it the later state.
func (o *Origins) joinPatched(v, in *Value) (changed bool) {
	whole, at, mine, err := v.Parts(nil)
	inWhole, inAt, theirs, inErr := in.Parts(nil)
	if err != nil || inErr != nil { // no node writes so, and none takes it in
		return false
	}
	if o.Later(inAt, at) || inAt == at && bytes.Compare(inWhole, whole) > 0 {
		whole, at = inWhole, inAt
	}
	version, owner := v.Version, v.Owner
	if o.Later(in.Version, v.Version) || in.Version == v.Version && in.Owner > v.Owner {
		version, owner = in.Version, in.Owner
	}
	joined := Patched(version, owner, at, whole, keepLatest(JoinFields(mine, theirs, at.At), len(whole)))
	if joined.Version == v.Version && joined.Type == v.Type && joined.Whole == v.Whole && joined.Owner == v.Owner && bytes.Equal(joined.Bytes, v.Bytes) {
		return false
	}
	joined.Hash = o.ValueHash(&joined)
	*v = joined
	return true
}

// Adds reports whether in, another state of the register, says something that v does not.
func (o *Origins) Adds(v, in *Value) bool {
	if in.Type != TypePatched && v.Type != TypePatched {
		return o.Later(in.Version, v.Version)
	}
	both := *v
	return o.joinPatched(&both, in)
}

// JoinFields merges two rows of fields in the order of their names, without those from before the whole.
func JoinFields(a, b []Field, whole hlc.Stamp) []Field {
	joined := make([]Field, 0, len(a)+len(b))
	take := func(f *Field) {
		if f.At >= whole {
			joined = append(joined, *f)
		}
	}
	for len(a) > 0 && len(b) > 0 {
		switch x, y := &a[0], &b[0]; {
		case x.Name < y.Name:
			take(x)
			a = a[1:]
		case x.Name > y.Name:
			take(y)
			b = b[1:]
		default:
			if y.later(x) {
				x = y
			}
			take(x)
			a, b = a[1:], b[1:]
		}
	}
	for i := range a {
		take(&a[i])
	}
	for i := range b {
		take(&b[i])
	}
	return joined
}

// keepLatest drops the earliest fields of those that are too many, or too long beside the whole, to be one value. Writers stay far below that: only
// what many wrote at one moment comes near it.
func keepLatest(fields []Field, whole int) []Field {
	size := whole + binary.MaxVarintLen32
	for i := range fields {
		size += fields[i].size()
	}
	if len(fields) <= MaxFields && size <= MaxValue {
		return fields
	}
	byAge := make([]*Field, len(fields))
	for i := range fields {
		byAge[i] = &fields[i]
	}
	slices.SortFunc(byAge, func(f, g *Field) int {
		switch {
		case f.At != g.At && f.At > g.At, f.At == g.At && f.Name < g.Name:
			return -1
		}
		return 1
	})
	size = whole + binary.MaxVarintLen32
	kept := make(map[string]bool)
	for _, f := range byAge {
		if size += f.size(); size > MaxValue || len(kept) == MaxFields {
			break
		}
		kept[f.Name] = true
	}
	return slices.DeleteFunc(fields, func(f Field) bool { return !kept[f.Name] })
}

func (f *Field) size() int { return 3*binary.MaxVarintLen64 + len(f.Name) + len(f.Bytes) }

// fieldReader takes numbers and bytes from the front of a patched value.
type fieldReader struct {
	b   []byte
	bad bool
}

// number takes a varint of the fewest bytes.
func (r *fieldReader) number() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 || n > 1 && r.b[n-1] == 0 {
		r.bad, r.b = true, nil
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *fieldReader) take(n uint64) []byte {
	if n > uint64(len(r.b)) {
		r.bad, r.b = true, nil
		return nil
	}
	b := r.b[:n:n]
	r.b = r.b[n:]
	return b
}
