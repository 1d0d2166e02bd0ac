package wire

import (
	"encoding/binary"
	"slices"
	"strconv"

	"github.com/sessioncast/sessioncast/internal/hlc"
	"github.com/sessioncast/sessioncast/internal/record"
)

// Limits of stream messages.
const (
	MinFingerprints = 4096                             // in a pull that has any
	MaxFingerprints = 1 << 18                          // likewise
	ChunkTarget     = 256 << 10                        // bytes of a chunk, unless its only item is larger
	MaxChunkItems   = 8192                             // items in a chunk or an answer to a lookup
	MaxLookup       = 256                              // keys in a lookup
	MaxMarks        = 64                               // of one origin in an offer
	MaxStreamBody   = MaxState + record.MaxName + 4096 // bytes of any stream message's body
)

// StreamType says what a stream message's body holds.
type StreamType uint8

// The stream message types. Zero is none of them.
const (
	StreamTypePull   StreamType = 1
	StreamTypeOffer  StreamType = 2
	StreamTypeChunk  StreamType = 3
	StreamTypeEnd    StreamType = 4
	StreamTypeLookup StreamType = 5
	StreamTypeFound  StreamType = 6
	StreamTypeWatch  StreamType = 7

	streamTypeLast = StreamTypeWatch
)

var streamTypeNames = [...]string{
	StreamTypePull:   "PULL",
	StreamTypeOffer:  "OFFER",
	StreamTypeChunk:  "CHUNK",
	StreamTypeEnd:    "END",
	StreamTypeLookup: "LOOKUP",
	StreamTypeFound:  "FOUND",
	StreamTypeWatch:  "WATCH",
}

// Valid reports whether t is a type of this version.
func (t StreamType) Valid() bool { return t >= StreamTypePull && t <= streamTypeLast }

func (t StreamType) String() string {
	if t.Valid() {
		return streamTypeNames[t]
	}
	return "STREAM-" + strconv.Itoa(int(t))
}

// StreamPull asks for all records from Cursor on, without the parts of the table whose Fingerprints the donor has alike.
type StreamPull struct {
	Cursor       uint64
	Fingerprints []uint64 // none, or one for each of the parts that the first bits of the keys' hashes make: a power of two
}

// StreamOffer answers a pull first: what the donor holds as the transfer starts.
type StreamOffer struct {
	State   MemberState
	Epoch   uint64
	Vectors []Vector // of all origins, dead ones included
	Marks   []Marks  // how old their dots may be; an origin without any has none known
}

// StreamChunk holds records in key-hash order.
type StreamChunk struct {
	Items  []Item // without dots
	Cursor uint64 // where the next chunk begins
}

// StreamLookup asks for the records of a few keys.
type StreamLookup struct {
	Keys []record.Key
}

// StreamFound answers a lookup, with one item for each key: KindState or KindNothing. What exceeds one message's size
// comes in further ones.
type StreamFound struct {
	Items []Item // without dots
}

// PartsPossible reports whether a pull may hold so many fingerprints, besides none.
func PartsPossible(n int) bool { return n >= MinFingerprints && n <= MaxFingerprints && n&(n-1) == 0 }

// AppendStreamPull appends a pull's body. Fingerprints of which there are not as many as there may be are left out.
func (e *Encoder) AppendStreamPull(dst []byte, t hlc.Stamp, p *StreamPull) []byte {
	dst = binary.BigEndian.AppendUint64(e.begin(dst, t), p.Cursor)
	if !PartsPossible(len(p.Fingerprints)) {
		return binary.AppendUvarint(dst, 0)
	}
	dst = slices.Grow(binary.AppendUvarint(dst, uint64(len(p.Fingerprints))), 8*len(p.Fingerprints))
	for _, f := range p.Fingerprints {
		dst = binary.BigEndian.AppendUint64(dst, f)
	}
	return dst
}

// StreamPull parses a pull's body.
func (d *Decoder) StreamPull(body []byte, into *StreamPull) (hlc.Stamp, error) {
	r, t := d.begin(body, 0)
	into.Cursor = r.u64()
	into.Fingerprints = into.Fingerprints[:0]
	n := r.count(MaxFingerprints)
	r.check(n == 0 || PartsPossible(n), ErrValue)
	b := r.bytes(8 * n)
	into.Fingerprints = slices.Grow(into.Fingerprints, len(b)/8)
	for ; len(b) > 0; b = b[8:] {
		into.Fingerprints = append(into.Fingerprints, binary.BigEndian.Uint64(b))
	}
	return t, r.err
}

// AppendStreamOffer appends an offer's body and tells how many vectors went in: an offer that leaves some out claims
// less than the donor holds, which costs a repair and no more.
func (e *Encoder) AppendStreamOffer(dst []byte, t hlc.Stamp, o *StreamOffer) (body []byte, vectors int) {
	end := len(dst) + MaxStreamBody - 1
	dst = append(e.begin(dst, t), byte(o.State))
	dst = binary.AppendUvarint(dst, o.Epoch)
	for ; vectors < min(len(o.Vectors), MaxOfferOrigin); vectors++ {
		v := &o.Vectors[vectors]
		ranges := newest(v.Set.Ranges(), end-len(dst)-1-record.OriginSize)
		if len(ranges) == 0 && !v.Set.Empty() || len(dst)+2+record.OriginSize > end {
			break
		}
		dst = e.origins.Origin(v.Origin).Append(append(dst, entryVector))
		dst = appendRanges(dst, ranges)
	}
	for i := 0; i < min(len(o.Marks), MaxOfferOrigin) && len(dst)+marksRoom <= end; i++ {
		dst = e.appendMarks(dst, &o.Marks[i])
	}
	return append(dst, 0), vectors
}

// marksRoom is what an entry of marks takes at most: its tag, the origin, a count, and two varints each.
const marksRoom = 1 + record.OriginSize + 2 + MaxMarks*2*binary.MaxVarintLen64

func (e *Encoder) appendMarks(dst []byte, m *Marks) []byte {
	dst = e.origins.Origin(m.Origin).Append(append(dst, entryMarks))
	list := m.List[:min(len(m.List), MaxMarks)]
	dst = binary.AppendUvarint(dst, uint64(len(list)))
	for _, mark := range list {
		dst = binary.AppendUvarint(dst, mark.Seq)
		dst = binary.AppendUvarint(dst, uint64(mark.At))
	}
	return dst
}

func (r *reader) marks() (m Marks) {
	m.Origin = r.origin()
	for n := r.count(MaxMarks); n > 0 && r.err == nil; n-- {
		mark := Mark{Seq: r.uvarint(), At: int64(r.uvarint())}
		r.check(mark.At >= 0, ErrValue)
		m.List = append(m.List, mark)
	}
	return m
}

// StreamOffer parses an offer's body.
func (d *Decoder) StreamOffer(body []byte, into *StreamOffer) (hlc.Stamp, error) {
	r, t := d.begin(body, 0)
	into.State = r.memberState()
	into.Epoch = r.uvarint()
	into.Vectors, into.Marks = into.Vectors[:0], nil
	for tag := r.u8(); tag != 0 && r.err == nil; tag = r.u8() {
		r.check(len(into.Vectors) < MaxOfferOrigin || tag != entryVector, ErrLimit)
		r.check(len(into.Marks) < MaxOfferOrigin || tag != entryMarks, ErrLimit)
		switch tag {
		case entryVector:
			into.Vectors = append(into.Vectors, Vector{Origin: r.origin(), Set: r.set()})
		case entryMarks:
			into.Marks = append(into.Marks, r.marks())
		default:
			r.fail(ErrUnknown)
		}
	}
	return t, r.err
}

// AppendStreamEnd appends the body of the message that ends a transfer.
func (e *Encoder) AppendStreamEnd(dst []byte, t hlc.Stamp) []byte { return e.begin(dst, t) }

// StreamEnd parses an end's body.
func (d *Decoder) StreamEnd(body []byte) (hlc.Stamp, error) {
	r, t := d.begin(body, 0)
	return t, r.err
}

// AppendStreamWatch appends the body of the message that says that nothing will follow: the connection is kept only to
// end with the process at its other end.
func (e *Encoder) AppendStreamWatch(dst []byte, t hlc.Stamp) []byte { return e.begin(dst, t) }

// StreamWatch parses a watch's body.
func (d *Decoder) StreamWatch(body []byte) (hlc.Stamp, error) {
	r, t := d.begin(body, 0)
	return t, r.err
}

// AppendStreamLookup appends a lookup's body, of the first MaxLookup keys.
func (e *Encoder) AppendStreamLookup(dst []byte, t hlc.Stamp, l *StreamLookup) []byte {
	dst = e.begin(dst, t)
	keys := l.Keys[:min(len(l.Keys), MaxLookup)]
	dst = binary.AppendUvarint(dst, uint64(len(keys)))
	for _, k := range keys {
		dst = appendText(append(dst, k.DB), k.Name)
	}
	return dst
}

// StreamLookup parses a lookup's body.
func (d *Decoder) StreamLookup(body []byte, into *StreamLookup) (hlc.Stamp, error) {
	r, t := d.begin(body, 0)
	into.Keys = into.Keys[:0]
	for n := r.count(MaxLookup); n > 0 && r.err == nil; n-- {
		k := record.Key{DB: r.u8(), Name: r.text(record.MaxName)}
		r.check(k.Valid(), ErrValue)
		into.Keys = append(into.Keys, k)
	}
	return t, r.err
}

// StreamBuilder packs items into the body of a chunk or of an answer to a lookup. It is not safe for concurrent use.
type StreamBuilder struct{ packer }

// NewStreamBuilder makes a StreamBuilder.
func NewStreamBuilder(origins *record.Origins) *StreamBuilder {
	b := &StreamBuilder{packer{bare: true, maxItems: MaxChunkItems}}
	b.e.init(origins, 0)
	return b
}

// Reset begins a body of ChunkTarget bytes behind what dst holds, at the sender's time t.
func (b *StreamBuilder) Reset(dst []byte, t hlc.Stamp) {
	b.open(dst, t, ChunkTarget-8)
}

// Add appends it without its dots, or reports false and leaves the body as it was when it would grow too large. The
// first item always goes in.
func (b *StreamBuilder) Add(it *Item) bool { return b.add(it) }

// Items is how many items were added since Reset.
func (b *StreamBuilder) Items() int { return b.items }

// Chunk ends a chunk's body and gives dst with the body behind it. Only Reset may follow.
func (b *StreamBuilder) Chunk(next uint64) []byte {
	return binary.BigEndian.AppendUint64(b.close(), next)
}

// Found ends the body of an answer to a lookup, likewise.
func (b *StreamBuilder) Found() []byte { return b.close() }

// StreamChunk parses a chunk's body.
func (d *Decoder) StreamChunk(body []byte, into *StreamChunk) (hlc.Stamp, error) {
	r, t := d.begin(body, 0)
	into.Items = r.items(into.Items, MaxChunkItems, (*reader).bareItem)
	into.Cursor = r.u64()
	return t, r.err
}

// StreamFound parses the body of an answer to a lookup.
func (d *Decoder) StreamFound(body []byte, into *StreamFound) (hlc.Stamp, error) {
	r, t := d.begin(body, 0)
	into.Items = r.items(into.Items, MaxChunkItems, (*reader).bareItem)
	return t, r.err
}
