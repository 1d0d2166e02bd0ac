package wire

import (
	"encoding/binary"

	"github.com/sessioncast/sessioncast/internal/dots"
	"github.com/sessioncast/sessioncast/internal/hlc"
	"github.com/sessioncast/sessioncast/internal/record"
)

// What an entry of a NACK is. 0 ends them.
const (
	nackWant = 1
	nackFrag = 2
)

// AppendNack appends the body of a TypeNack frame, at most limit bytes long, and tells how many wants and fragment
// sets went in. The last want may have gone in with its lowest ranges only; so do more than MaxRanges.
func (e *Encoder) AppendNack(dst []byte, t hlc.Stamp, n *Nack, limit int) (body []byte, wants, frags int) {
	end := len(dst) + limit - 1
	dst = e.begin(dst, t)
	for wants < min(len(n.Wants), MaxWants) {
		w := &n.Wants[wants]
		entry, refs := len(dst), len(e.refs)
		dst = e.ref(append(dst, nackWant), w.Origin)
		ranges := lowest(e.tidy(w.Ranges, MaxRanges), end-len(dst))
		if len(ranges) == 0 {
			dst, e.refs = dst[:entry], e.refs[:refs]
			break
		}
		dst = appendRanges(dst, ranges)
		wants++
	}
	for frags < min(len(n.Frags), MaxWants) {
		entry, refs := len(dst), len(e.refs)
		dst = e.fragWant(dst, &n.Frags[frags], end)
		if len(dst) == entry {
			e.refs = e.refs[:refs]
			break
		}
		frags++
	}
	return append(dst, 0), wants, frags
}

// fragWant appends w, or nothing when not one of its ranges fits before end.
func (e *Encoder) fragWant(dst []byte, w *FragWant, end int) []byte {
	entry := len(dst)
	dst = e.ref(append(dst, nackFrag), w.Origin)
	dst = binary.AppendUvarint(dst, w.Seq)
	dst = binary.BigEndian.AppendUint64(dst, w.ID)
	ranges := lowest(e.tidy(w.Ranges, MaxRanges), end-len(dst))
	if len(ranges) == 0 {
		return dst[:entry]
	}
	return appendRanges(dst, ranges)
}

// Nack parses the body of a TypeNack frame.
func (d *Decoder) Nack(body []byte, sender record.Ref, into *Nack) (hlc.Stamp, error) {
	r, t := d.begin(body, sender)
	into.Wants, into.Frags = into.Wants[:0], into.Frags[:0]
	for tag := r.u8(); tag != 0 && r.err == nil; tag = r.u8() {
		switch tag {
		case nackWant:
			r.check(len(into.Wants) < MaxWants, ErrLimit)
			into.Wants = extend(into.Wants)
			r.want(&into.Wants[len(into.Wants)-1])
		case nackFrag:
			r.check(len(into.Frags) < MaxWants, ErrLimit)
			into.Frags = extend(into.Frags)
			r.fragWant(&into.Frags[len(into.Frags)-1])
		default:
			r.fail(ErrUnknown)
		}
	}
	return t, r.err
}

func (r *reader) want(w *Want) {
	w.Origin = r.ref()
	w.Ranges = r.wanted(w.Ranges)
}

func (r *reader) fragWant(w *FragWant) {
	w.Origin = r.ref()
	w.Seq = r.uvarint()
	w.ID = r.u64()
	w.Ranges = r.wanted(w.Ranges)
	r.check(w.Seq != 0, ErrValue)
}

// wanted takes ranges of which there is one at least.
func (r *reader) wanted(into []dots.Range) []dots.Range {
	into = r.ranges(into, MaxRanges)
	r.check(len(into) > 0, ErrValue)
	return into
}
