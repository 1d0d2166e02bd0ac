package wire

import (
	"encoding/binary"
	"unicode/utf8"

	"github.com/sessioncast/sessioncast/internal/dots"
	"github.com/sessioncast/sessioncast/internal/hlc"
	"github.com/sessioncast/sessioncast/internal/record"
)

// Encoder appends bodies. It is not safe for concurrent use.
type Encoder struct {
	origins *record.Origins
	self    record.Ref

	// The origins that the present body defines: refs is the table, and slots finds a ref's place in it. A slot is
	// only believed when refs agrees, so that emptying refs is all it takes to begin anew.
	refs  []record.Ref
	slots []uint32

	ranges  []dots.Range // scratch
	measure bool         // count values' bytes in skipped instead of appending them
	skipped int
}

// NewEncoder makes an Encoder for the node that self stands for. With self 0 bodies stand by themselves: they name every
// origin in full.
func NewEncoder(origins *record.Origins, self record.Ref) *Encoder {
	e := &Encoder{}
	e.init(origins, self)
	return e
}

func (e *Encoder) init(origins *record.Origins, self record.Ref) {
	e.origins, e.self = origins, self
}

// begin starts a body: the sender's clock and an empty table of origins.
func (e *Encoder) begin(dst []byte, t hlc.Stamp) []byte {
	e.refs = e.refs[:0]
	return binary.BigEndian.AppendUint64(dst, uint64(t))
}

// ref appends a reference to an origin: 0 for the sender, the number of one defined before, or the next number and
// the origin itself.
func (e *Encoder) ref(dst []byte, ref record.Ref) []byte {
	if ref == e.self && ref != 0 {
		return append(dst, 0)
	}
	if n := e.defined(ref); n != 0 {
		return binary.AppendUvarint(dst, uint64(n))
	}
	e.define(ref)
	dst = binary.AppendUvarint(dst, uint64(len(e.refs)))
	return e.origins.Origin(ref).Append(dst)
}

func (e *Encoder) defined(ref record.Ref) uint32 {
	if int(ref) >= len(e.slots) {
		return 0
	}
	if n := e.slots[ref]; n != 0 && int(n) <= len(e.refs) && e.refs[n-1] == ref {
		return n
	}
	return 0
}

func (e *Encoder) define(ref record.Ref) {
	// A ref that the origins never gave stands for nobody; it must not size the slots.
	if int(ref) > e.origins.Len() {
		ref = 0
	}
	if need := int(ref) + 1; need > len(e.slots) {
		e.slots = append(e.slots, make([]uint32, need-len(e.slots))...)
	}
	e.refs = append(e.refs, ref)
	e.slots[ref] = uint32(len(e.refs))
}

// appendStamp appends s as its distance before base, which is small where both are fresh.
func appendStamp(dst []byte, base, s hlc.Stamp) []byte {
	return appendSigned(dst, int64(base-s))
}

func appendSigned(dst []byte, v int64) []byte {
	return binary.AppendUvarint(dst, zigzag(v))
}

func zigzag(v int64) uint64   { return uint64(v)<<1 ^ uint64(v>>63) }
func unzigzag(u uint64) int64 { return int64(u>>1) ^ -int64(u&1) }

func (e *Encoder) version(dst []byte, base hlc.Stamp, v record.Version) []byte {
	return e.ref(appendStamp(dst, base, v.At), v.By)
}

func appendText(dst []byte, s string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(s))), s...)
}

// appendName appends a node's name, cut to the limit between two characters.
func appendName(dst []byte, name string) []byte {
	for len(name) > MaxHostName {
		_, n := utf8.DecodeLastRuneInString(name)
		name = name[:len(name)-n]
	}
	return appendText(dst, name)
}

func appendNodes(dst []byte, nodes []record.NodeID) []byte {
	dst = append(dst, byte(len(nodes)))
	for _, n := range nodes {
		dst = append(dst, n[:]...)
	}
	return dst
}

// dotRanges gives ascending numbers as ranges, in scratch memory.
func (e *Encoder) dotRanges(seqs []uint64) []dots.Range {
	e.ranges = e.ranges[:0]
	for _, seq := range seqs {
		e.join(dots.Range{Lo: seq, Hi: seq})
	}
	return e.ranges
}

// tidy gives ascending ranges with those that touch joined, at most limit of them, in scratch memory.
func (e *Encoder) tidy(ranges []dots.Range, limit int) []dots.Range {
	e.ranges = e.ranges[:0]
	for _, r := range ranges {
		e.join(r)
	}
	return e.ranges[:min(len(e.ranges), limit)]
}

func (e *Encoder) join(r dots.Range) {
	if n := len(e.ranges); n > 0 && r.Lo-1 <= e.ranges[n-1].Hi {
		e.ranges[n-1].Hi = max(e.ranges[n-1].Hi, r.Hi)
		return
	}
	e.ranges = append(e.ranges, r)
}

// appendRanges appends ranges in the form of a dots.Set, in which they neither overlap nor touch.
func appendRanges(dst []byte, ranges []dots.Range) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(ranges)))
	least := uint64(1)
	for _, r := range ranges {
		dst = binary.AppendUvarint(dst, r.Lo-least)
		dst = binary.AppendUvarint(dst, r.Hi-r.Lo)
		least = r.Hi + 2
	}
	return dst
}

// newest is the end of ranges that fits into room bytes in the form of appendRanges.
func newest(ranges []dots.Range, room int) []dots.Range {
	first, behind := len(ranges), 0
	for i := len(ranges) - 1; i >= 0 && len(ranges)-i <= MaxSetRanges; i-- {
		r := ranges[i]
		length := uvarintLen(r.Hi - r.Lo)
		if uvarintLen(uint64(len(ranges)-i))+uvarintLen(r.Lo-1)+length+behind > room {
			break
		}
		first = i
		if i > 0 {
			behind += uvarintLen(r.Lo-ranges[i-1].Hi-2) + length
		}
	}
	return ranges[first:]
}

// lowest is the beginning of ranges that fits into room bytes.
func lowest(ranges []dots.Range, room int) []dots.Range {
	least, size := uint64(1), 0
	for i, r := range ranges {
		size += uvarintLen(r.Lo-least) + uvarintLen(r.Hi-r.Lo)
		if uvarintLen(uint64(i+1))+size > room {
			return ranges[:i]
		}
		least = r.Hi + 2
	}
	return ranges
}

func uvarintLen(v uint64) int {
	n := 1
	for ; v >= 0x80; v >>= 7 {
		n++
	}
	return n
}
