package wire

import (
	"encoding/binary"

	"github.com/sessioncast/sessioncast/internal/hlc"
	"github.com/sessioncast/sessioncast/internal/record"
)

// The flags of a heartbeat.
const (
	heartbeatFull       = 0x01
	heartbeatIncomplete = 0x02 // only with full
	heartbeatUnknown    = 0xfc
)

// What an entry of a full heartbeat, or of an offer, is. 0 ends them.
const (
	entryVector         = 1
	entryHeard          = 2
	entryHeardMulticast = 3
	entryMarks          = 4 // in an offer
	entryHeardShut      = 5 // by multicast, and not by unicast
)

// MaxLoss is the highest Heard.LossPct: all lost, in half percents.
const MaxLoss = 200

// AppendHeartbeat appends the body of a TypeHeartbeat frame, at most limit bytes long, and tells how many vectors and
// how many peers heard went in: the first of each. They are packed by turns, so a vector and a peer of one origin cost
// its name once where both lists have the same order. A first vector too large for any frame goes in with its newest
// ranges only.
func (e *Encoder) AppendHeartbeat(dst []byte, t hlc.Stamp, h *Heartbeat, limit int) (body []byte, vectors, heard int) {
	end := len(dst) + limit - 1
	dst = e.begin(dst, t)
	if !h.Full {
		dst = binary.AppendUvarint(append(dst, 0), h.High)
		return binary.AppendUvarint(dst, h.Sent), 0, 0
	}
	flags := byte(heartbeatFull)
	if h.Incomplete {
		flags |= heartbeatIncomplete
	}
	dst = binary.AppendUvarint(append(dst, flags), h.High)
	dst = binary.AppendUvarint(dst, h.Sent)
	dst = appendStatus(dst, h)
	room := true
	for i := 0; room && i < max(len(h.Vectors), len(h.Heard)); i++ {
		room = false
		if i == vectors && i < min(len(h.Vectors), MaxVectors) && e.vector(&dst, &h.Vectors[i], end, i == 0) {
			vectors++
			room = true
		}
		if i == heard && i < min(len(h.Heard), MaxVectors) && e.heard(&dst, &h.Heard[i], end) {
			heard++
			room = true
		}
	}
	return append(dst, 0), vectors, heard
}

// appendStatus appends what only full heartbeats say, but for the entries.
func appendStatus(dst []byte, h *Heartbeat) []byte {
	dst = append(dst, byte(h.State))
	dst = appendName(dst, h.Name)
	dst = binary.AppendUvarint(dst, h.Sessions)
	dst = binary.AppendUvarint(dst, h.Bytes)
	dst = append(dst, h.FullPct)
	dst = binary.AppendUvarint(dst, uint64(h.WallMillis))
	keys := h.KeyIDs[:min(len(h.KeyIDs), MaxKeyIDs)]
	dst = append(dst, byte(len(keys)))
	for _, id := range keys {
		dst = append(dst, id[:]...)
	}
	dst = binary.BigEndian.AppendUint64(dst, h.Config)
	dst = binary.BigEndian.AppendUint64(dst, h.VectorHash)
	dst = binary.BigEndian.AppendUint64(dst, h.DeadHash)
	dst = binary.AppendUvarint(dst, h.Epoch)
	dst = binary.BigEndian.AppendUint64(dst, h.Root)
	return binary.AppendUvarint(dst, h.Made)
}

// vector appends v unless that exceeds end, and reports whether it did. With cut it leaves out the oldest ranges that
// do not fit.
func (e *Encoder) vector(dst *[]byte, v *Vector, end int, cut bool) bool {
	entry, refs := len(*dst), len(e.refs)
	b := e.ref(append(*dst, entryVector), v.Origin)
	all := v.Set.Ranges()
	ranges := newest(all, end-len(b))
	if len(b) >= end || len(ranges) < len(all) && (!cut || len(ranges) == 0) {
		*dst, e.refs = b[:entry], e.refs[:refs]
		return false
	}
	*dst = appendRanges(b, ranges)
	return true
}

func (e *Encoder) heard(dst *[]byte, h *Heard, end int) bool {
	entry, refs := len(*dst), len(e.refs)
	tag := byte(entryHeard)
	switch {
	case h.Multicast && h.Shut:
		tag = entryHeardShut
	case h.Multicast:
		tag = entryHeardMulticast
	}
	b := append(e.ref(append(*dst, tag), h.Origin), min(h.LossPct, MaxLoss))
	if len(b) > end {
		*dst, e.refs = b[:entry], e.refs[:refs]
		return false
	}
	*dst = b
	return true
}

// Said is what the beginning of an authentic body of type t tells of its sender: its clock and, where it is a HELLO or a full
// heartbeat, its name and state; state 0 where it is not. It names no other origin, so it may be asked of who is not proven.
func (d *Decoder) Said(t Type, body []byte) (at hlc.Stamp, name string, state MemberState, err error) {
	r, at := d.begin(body, 0)
	switch t {
	case TypeHeartbeat:
		if flags := r.u8(); flags&heartbeatFull == 0 {
			return at, "", 0, r.err
		}
		r.uvarint()
		r.uvarint()
	case TypeHello:
	default:
		return at, "", 0, r.err
	}
	state, name = r.memberState(), r.name()
	return at, name, state, r.err
}

// Heartbeat parses the body of a TypeHeartbeat frame.
func (d *Decoder) Heartbeat(body []byte, sender record.Ref, into *Heartbeat) (hlc.Stamp, error) {
	r, t := d.begin(body, sender)
	*into = Heartbeat{KeyIDs: into.KeyIDs[:0], Vectors: into.Vectors[:0], Heard: into.Heard[:0]}
	flags := r.u8()
	r.check(flags&heartbeatUnknown == 0 && flags != heartbeatIncomplete, ErrUnknown)
	into.High = r.uvarint()
	into.Sent = r.uvarint()
	if into.Full = flags&heartbeatFull != 0; !into.Full {
		return t, r.err
	}
	into.Incomplete = flags&heartbeatIncomplete != 0
	r.status(into)
	for tag := r.u8(); tag != 0 && r.err == nil; tag = r.u8() {
		switch tag {
		case entryVector:
			r.check(len(into.Vectors) < MaxVectors, ErrLimit)
			into.Vectors = append(into.Vectors, Vector{Origin: r.ref(), Set: r.set()})
		case entryHeard, entryHeardMulticast, entryHeardShut:
			r.check(len(into.Heard) < MaxVectors, ErrLimit)
			into.Heard = append(into.Heard, Heard{Origin: r.ref(), Multicast: tag != entryHeard, Shut: tag == entryHeardShut, LossPct: r.u8()})
			r.check(into.Heard[len(into.Heard)-1].LossPct <= MaxLoss, ErrValue)
		default:
			r.fail(ErrUnknown)
		}
	}
	return t, r.err
}

func (r *reader) status(h *Heartbeat) {
	h.State = r.memberState()
	h.Name = r.name()
	h.Sessions = r.uvarint()
	h.Bytes = r.uvarint()
	h.FullPct = r.u8()
	h.WallMillis = int64(r.uvarint())
	r.check(h.WallMillis >= 0, ErrValue)
	keys := r.u8()
	r.check(keys <= MaxKeyIDs, ErrLimit)
	for ; keys > 0 && r.err == nil; keys-- {
		if b := r.bytes(4); b != nil {
			h.KeyIDs = append(h.KeyIDs, [4]byte(b))
		}
	}
	h.Config = r.u64()
	h.VectorHash = r.u64()
	h.DeadHash = r.u64()
	h.Epoch = r.uvarint()
	h.Root = r.u64()
	h.Made = r.uvarint()
}

// memberState takes what a node says of itself.
func (r *reader) memberState() MemberState {
	s := MemberState(r.u8())
	r.check(s >= Joining && s <= Leaving, ErrValue)
	return s
}

// AppendAck appends the body of a TypeAck frame, at most limit bytes long: as much of the set, from its newest end, as
// fits.
func (e *Encoder) AppendAck(dst []byte, t hlc.Stamp, a *Ack, limit int) []byte {
	end := len(dst) + limit
	dst = e.begin(dst, t)
	return appendRanges(dst, newest(a.Set.Ranges(), end-len(dst)))
}

// Ack parses the body of a TypeAck frame.
func (d *Decoder) Ack(body []byte, sender record.Ref, into *Ack) (hlc.Stamp, error) {
	r, t := d.begin(body, sender)
	into.Set = r.set()
	return t, r.err
}
