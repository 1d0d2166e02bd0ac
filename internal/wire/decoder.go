package wire

import (
	"encoding/binary"
	"strings"
	"unicode"
	"unicode/utf8"
	"unsafe"

	"github.com/sessioncast/sessioncast/internal/dots"
	"github.com/sessioncast/sessioncast/internal/hlc"
	"github.com/sessioncast/sessioncast/internal/record"
)

// Decoder parses bodies. It interns every origin that a body names, so it must be given authenticated bodies only. It
// is not safe for concurrent use.
//
// When a parse fails, what was parsed into is undefined. Bytes behind a body's last field are ignored.
type Decoder struct {
	Origins *record.Origins

	refs []record.Ref // the origins that the present body has defined
	r    reader
}

// begin starts a body of sender's: its first field is the sender's clock. The reader is the Decoder's own.
func (d *Decoder) begin(body []byte, sender record.Ref) (*reader, hlc.Stamp) {
	r := d.bare(body, sender)
	t := hlc.Stamp(r.u64())
	r.base = t
	return r, t
}

func (d *Decoder) bare(body []byte, sender record.Ref) *reader {
	d.refs = d.refs[:0]
	d.r = reader{d: d, b: body, sender: sender, dotsLeft: MaxBatchDots}
	return &d.r
}

// reader takes fields from the front of b. After the first error every field is zero and the error stays, so only
// loops have to look at it on their way.
type reader struct {
	d        *Decoder
	b        []byte
	err      error
	base     hlc.Stamp
	sender   record.Ref // 0: the body has none, and names every origin in full
	dotsLeft int
}

func (r *reader) fail(err error) {
	if r.err == nil {
		r.err = err
	}
	r.b = nil
}

// check fails with err unless ok.
func (r *reader) check(ok bool, err error) {
	if !ok {
		r.fail(err)
	}
}

func (r *reader) u8() byte {
	if len(r.b) == 0 {
		r.fail(ErrTruncated)
		return 0
	}
	v := r.b[0]
	r.b = r.b[1:]
	return v
}

func (r *reader) u64() uint64 {
	b := r.bytes(8)
	if b == nil {
		return 0
	}
	return binary.BigEndian.Uint64(b)
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	switch {
	case n == 0:
		r.fail(ErrTruncated)
		return 0
	case n < 0:
		r.fail(ErrValue)
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) signed() int64 { return unzigzag(r.uvarint()) }

// count is a varint of at most limit.
func (r *reader) count(limit int) int {
	v := r.uvarint()
	if v > uint64(limit) {
		r.fail(ErrLimit)
		return 0
	}
	return int(v)
}

// bytes takes n bytes, without copying them; nil when there are fewer or n is 0.
func (r *reader) bytes(n int) []byte {
	if n > len(r.b) {
		r.fail(ErrTruncated)
		return nil
	}
	if n == 0 {
		return nil
	}
	b := r.b[:n:n]
	r.b = r.b[n:]
	return b
}

// text takes a string of at most limit bytes that aliases the body.
func (r *reader) text(limit int) string {
	b := r.bytes(r.count(limit))
	return unsafe.String(unsafe.SliceData(b), len(b))
}

// name takes a node's name.
func (r *reader) name() string {
	s := r.text(MaxHostName)
	r.check(ValidName(s), ErrValue)
	return s
}

// ValidName reports whether a node may have the name s. Names are shown to people, so they must be printable.
func ValidName(s string) bool {
	return len(s) <= MaxHostName && utf8.ValidString(s) && !strings.ContainsFunc(s, unprintable)
}

func unprintable(c rune) bool { return !unicode.IsPrint(c) }

// ref takes a reference to an origin, and the origin itself where it is new. It is never 0 but after an error.
func (r *reader) ref() record.Ref {
	n := r.uvarint()
	refs := &r.d.refs
	switch {
	case r.err != nil:
		return 0
	case n == 0:
		r.check(r.sender != 0, ErrValue)
		return r.sender
	case n <= uint64(len(*refs)):
		return (*refs)[n-1]
	case n > uint64(len(*refs))+1:
		r.fail(ErrValue)
		return 0
	}
	ref := r.origin()
	*refs = append(*refs, ref)
	return ref
}

// origin takes an origin in full.
func (r *reader) origin() record.Ref {
	b := r.bytes(record.OriginSize)
	if b == nil {
		return 0
	}
	ref := r.d.Origins.Intern(record.OriginFrom(b))
	r.check(ref != 0, ErrValue)
	return ref
}

func (r *reader) stamp() hlc.Stamp { return r.base - hlc.Stamp(r.signed()) }

// version takes the version of something that exists.
func (r *reader) version() record.Version {
	v := record.Version{At: r.stamp(), By: r.ref()}
	r.check(v.At != 0 && v.At != hlc.Max, ErrValue)
	return v
}

// millis takes a time, given as its distance from another; times are never before 1970.
func (r *reader) millis(from int64) int64 {
	ms := from + r.signed()
	r.check(ms >= 0, ErrValue)
	return ms
}

func (r *reader) nodes(into []record.NodeID) []record.NodeID {
	n := int(r.u8())
	r.check(n <= MaxAckFrom, ErrLimit)
	into = into[:0]
	for range n {
		b := r.bytes(len(record.NodeID{}))
		if b == nil {
			return into
		}
		into = append(into, record.NodeID(b))
	}
	return into
}

// set takes an interval set.
func (r *reader) set() dots.Set {
	if r.err != nil {
		return dots.Set{}
	}
	s, rest, err := dots.Parse(r.b, MaxSetRanges)
	switch err {
	case nil:
		r.b = rest
	case dots.ErrShort:
		r.fail(ErrTruncated)
	case dots.ErrTooMany:
		r.fail(ErrLimit)
	default:
		r.fail(ErrValue)
	}
	return s
}

// ranges takes ranges in the form of a set, at most limit of them.
func (r *reader) ranges(into []dots.Range, limit int) []dots.Range {
	into = into[:0]
	least := uint64(1)
	for n := r.count(limit); n > 0 && r.err == nil; n-- {
		var next dots.Range
		next, least = r.nextRange(least)
		into = append(into, next)
	}
	return into
}

// nextRange takes the range that starts at least at the number given, and gives where the one behind it may start: 0
// when none may.
func (r *reader) nextRange(least uint64) (dots.Range, uint64) {
	lo := least + r.uvarint()
	hi := lo + r.uvarint()
	if least == 0 || lo < least || hi < lo {
		r.fail(ErrValue)
		return dots.Range{}, 0
	}
	if hi+2 < hi {
		return dots.Range{Lo: lo, Hi: hi}, 0
	}
	return dots.Range{Lo: lo, Hi: hi}, hi + 2
}

// seqs takes the dots of an item, ascending.
func (r *reader) seqs(into []uint64) []uint64 {
	into = into[:0]
	least := uint64(1)
	for n := r.count(MaxItemDots); n > 0 && r.err == nil; n-- {
		var next dots.Range
		next, least = r.nextRange(least)
		if r.err != nil {
			break
		}
		if next.Hi-next.Lo >= uint64(min(MaxItemDots-len(into), r.dotsLeft)) {
			r.fail(ErrLimit)
			break
		}
		r.dotsLeft -= int(next.Count())
		for seq := next.Lo; ; seq++ {
			into = append(into, seq)
			if seq == next.Hi {
				break
			}
		}
	}
	return into
}

// extend makes s longer by one element, which still owns what it owned in an earlier parse.
func extend[T any](s []T) []T {
	if len(s) < cap(s) {
		return s[:len(s)+1]
	}
	var zero T
	return append(s, zero)
}
