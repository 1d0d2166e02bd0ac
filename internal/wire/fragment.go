package wire

import (
	"encoding/binary"

	"github.com/sessioncast/sessioncast/internal/hlc"
	"github.com/sessioncast/sessioncast/internal/record"
)

// The first byte of a fragment's body behind the time.
const (
	fragmentRepair  = 0x01
	fragmentUnknown = 0xfe
)

// Count is how many fragments the item has: 0 for a Size of 0.
func (f *Fragment) Count() uint32 {
	if f.Size == 0 {
		return 0
	}
	return uint32((uint64(f.Total) + uint64(f.Size) - 1) / uint64(f.Size))
}

// length is how many bytes the fragment has to have.
func (f *Fragment) length() uint32 {
	if f.Index+1 < f.Count() {
		return f.Size
	}
	return f.Total - f.Index*f.Size
}

// AppendFragment appends the body of a TypeFrag frame.
func (e *Encoder) AppendFragment(dst []byte, t hlc.Stamp, f *Fragment) []byte {
	dst = e.fragmentHead(dst, t, f)
	dst = binary.AppendUvarint(dst, uint64(f.Index))
	dst = binary.AppendUvarint(dst, uint64(len(f.Bytes)))
	return append(dst, f.Bytes...)
}

func (e *Encoder) fragmentHead(dst []byte, t hlc.Stamp, f *Fragment) []byte {
	dst = e.begin(dst, t)
	var flags byte
	if f.Repair {
		flags |= fragmentRepair
	}
	dst = append(dst, flags)
	dst = appendNodes(dst, f.AckFrom[:min(len(f.AckFrom), MaxAckFrom)])
	dst = e.ref(dst, f.Origin)
	dst = appendRanges(dst, e.dotRanges(f.Dots))
	dst = binary.BigEndian.AppendUint64(dst, f.ID)
	dst = binary.AppendUvarint(dst, uint64(f.Total))
	return binary.AppendUvarint(dst, uint64(f.Size))
}

// FragmentRoom is how many bytes of an item fit into each fragment when no body may exceed limit bytes: what f.Size
// should be. Of f only AckFrom, Origin, Dots and Total count. It is 0 or less when its dots alone fill the frame.
func (e *Encoder) FragmentRoom(f *Fragment, limit int) int {
	var scratch [MaxPayload]byte
	head := *f
	head.Size = MaxPayload
	return limit - len(e.fragmentHead(scratch[:0], 0, &head)) - uvarintLen(MaxFragments) - uvarintLen(MaxPayload)
}

// Fragment parses the body of a TypeFrag frame.
func (d *Decoder) Fragment(body []byte, sender record.Ref, into *Fragment) (hlc.Stamp, error) {
	r, t := d.begin(body, sender)
	flags := r.u8()
	r.check(flags&fragmentUnknown == 0, ErrUnknown)
	into.Repair = flags&fragmentRepair != 0
	into.AckFrom = r.nodes(into.AckFrom)
	into.Origin = r.ref()
	into.Dots = r.seqs(into.Dots)
	into.ID = r.u64()
	into.Total = uint32(r.count(MaxState))
	into.Size = uint32(r.count(MaxPayload))
	into.Index = uint32(r.count(MaxFragments))
	into.Bytes = r.bytes(r.count(MaxPayload))
	if r.err != nil {
		return t, r.err
	}
	count := into.Count()
	r.check(count <= MaxFragments, ErrLimit)
	r.check(into.Index < count && uint32(len(into.Bytes)) == into.length(), ErrValue)
	return t, r.err
}
