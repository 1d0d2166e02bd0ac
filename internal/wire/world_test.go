package wire

import (
	"math"
	"net/netip"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/sessioncast/sessioncast/internal/dots"
	"github.com/sessioncast/sessioncast/internal/hlc"
	"github.com/sessioncast/sessioncast/internal/record"
	"pgregory.net/rapid"
)

// now is the sender's clock in tests that need no other.
const now = hlc.Stamp(1_800_000_000_000<<16 | 3)

// unlimited is a limit that no test's body reaches.
const unlimited = 1 << 30

// world is what both ends of a test share: five origins, the first of them the sender's.
type world struct {
	origins *record.Origins
	refs    []record.Ref
}

func newWorld() *world {
	w := &world{origins: new(record.Origins)}
	for i := range 5 {
		w.refs = append(w.refs, w.origins.Intern(testOrigin(byte(i+1))))
	}
	return w
}

// testOrigin is a node whose id starts with n, started at 1.7e12 ms; its incarnation's random part is n repeated.
func testOrigin(n byte) (o record.Origin) {
	o.Node = record.NodeID{n, 7: 0xee}
	copy(o.Incarnation[:], []byte{0x01, 0x8b, 0xcf, 0xe5, 0x68, 0x00})
	for i := 6; i < len(o.Incarnation); i++ {
		o.Incarnation[i] = n
	}
	return o
}

func (w *world) self() record.Ref       { return w.refs[0] }
func (w *world) encoder() *Encoder      { return NewEncoder(w.origins, w.self()) }
func (w *world) decoder() *Decoder      { return &Decoder{Origins: w.origins} }
func (w *world) builder() *BatchBuilder { return NewBatchBuilder(w.origins, w.self()) }

// same compares parsed structs: empty slices are nil ones, sets are what they hold.
var same = cmp.Options{
	cmpopts.EquateEmpty(),
	cmp.Comparer(func(a, b dots.Set) bool { return a.Equal(&b) }),
	cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b }),
}

func drawStamp(t *rapid.T) hlc.Stamp {
	switch rapid.IntRange(0, 3).Draw(t, "stamp kind") {
	case 0:
		return now
	case 1:
		return now - hlc.Stamp(rapid.Uint64Range(0, 1<<44).Draw(t, "before"))
	case 2:
		return now + hlc.Stamp(rapid.Uint64Range(0, 1<<30).Draw(t, "after"))
	}
	return hlc.Stamp(rapid.Uint64Range(1, math.MaxUint64-1).Draw(t, "any"))
}

// drawTime is a time, never 0.
func drawTime(t *rapid.T) int64 {
	if rapid.Bool().Draw(t, "soon") {
		return now.Millis() + rapid.Int64Range(0, 1<<36).Draw(t, "ahead")
	}
	return rapid.Int64Range(1, math.MaxInt64).Draw(t, "time")
}

func (w *world) drawRef(t *rapid.T) record.Ref { return rapid.SampledFrom(w.refs).Draw(t, "origin") }

func (w *world) drawVersion(t *rapid.T) record.Version {
	return record.Version{At: drawStamp(t), By: w.drawRef(t)}
}

// drawSeq is a dot's number.
func drawSeq(t *rapid.T) uint64 {
	return rapid.OneOf(rapid.Uint64Range(1, 1<<20), rapid.Uint64Range(1, math.MaxUint64)).Draw(t, "seq")
}

// drawSet has at most most ranges.
func drawSet(t *rapid.T, most int) (s dots.Set) {
	for range rapid.IntRange(0, most).Draw(t, "ranges") {
		lo := drawSeq(t)
		hi := lo + rapid.Uint64Range(0, 300).Draw(t, "length")
		s.AddRange(lo, hi)
	}
	return s
}

func drawDots(t *rapid.T) (seqs []uint64) {
	s := drawSet(t, 3)
	for _, r := range s.Ranges() {
		for seq := r.Lo; ; seq++ {
			seqs = append(seqs, seq)
			if seq == r.Hi {
				break
			}
		}
	}
	return seqs
}

func drawNodes(t *rapid.T) (nodes []record.NodeID) {
	for range rapid.IntRange(0, MaxAckFrom).Draw(t, "nodes") {
		nodes = append(nodes, record.NodeID{byte(rapid.IntRange(0, 255).Draw(t, "node"))})
	}
	return nodes
}

func drawKey(t *rapid.T) record.Key {
	if rapid.IntRange(0, 9).Draw(t, "floor") == 0 {
		return record.FloorKey(uint8(rapid.IntRange(0, record.Databases-1).Draw(t, "db")))
	}
	return record.Key{
		DB:   uint8(rapid.IntRange(0, record.Databases-1).Draw(t, "db")),
		Name: string(rapid.SliceOfN(rapid.Byte(), 0, record.MaxName).Draw(t, "name")),
	}
}

func drawTomb(t *rapid.T) (tomb record.Tombstone) {
	if rapid.Bool().Draw(t, "tomb") {
		tomb = record.Tombstone{At: drawStamp(t), Until: drawTime(t)}
		if rapid.Bool().Draw(t, "hold") {
			tomb.Hold = drawStamp(t)
		}
	}
	return tomb
}

func (w *world) drawBirth(t *rapid.T, touch bool) record.Birth {
	b := record.Birth{ID: w.drawVersion(t), Seq: drawSeq(t), Weak: rapid.Bool().Draw(t, "weak")}
	if !touch {
		b.Value = w.drawValue(t, b.ID)
	}
	if rapid.Bool().Draw(t, "deadline") {
		b.Deadline.Version = w.drawAgain(t, b.ID, b.Value.Version)
		if rapid.Bool().Draw(t, "due") {
			b.Deadline.Due = drawTime(t)
			b.Deadline.Promise = b.Deadline.Due
			if rapid.Bool().Draw(t, "promise") {
				b.Deadline.Promise = drawTime(t)
			}
		}
	}
	if b.Span = b.Deadline.Due - b.Deadline.At.Millis(); b.Deadline.Due == 0 || b.Span < 0 || b.Span > record.MaxSpan ||
		rapid.Bool().Draw(t, "span") {
		b.Span = rapid.Int64Range(0, record.MaxSpan).Draw(t, "span")
	}
	if b.Latest = b.Deadline.Promise; rapid.Bool().Draw(t, "latest") {
		b.Latest = drawTime(t)
	}
	if rapid.Bool().Draw(t, "absolute") {
		b.Absolute = drawTime(t)
	}
	return b
}

// drawAgain is one of the versions seen before, or a new one.
func (w *world) drawAgain(t *rapid.T, seen ...record.Version) record.Version {
	v := rapid.SampledFrom(seen).Draw(t, "version")
	if v.IsZero() || rapid.Bool().Draw(t, "other version") {
		return w.drawVersion(t)
	}
	return v
}

func (w *world) drawValue(t *rapid.T, id record.Version) record.Value {
	v := record.Value{Version: w.drawAgain(t, id), Bytes: rapid.SliceOfN(rapid.Byte(), 0, 200).Draw(t, "bytes")}
	if rapid.Bool().Draw(t, "labelled") {
		v.Type = rapid.Byte().Draw(t, "type")
		v.Owner = string(rapid.SliceOfN(rapid.Byte(), 0, record.MaxOwner).Draw(t, "owner"))
	}
	if v.Type == record.TypePatched || rapid.IntRange(0, 3).Draw(t, "patched") == 0 {
		v = w.drawPatched(t, v)
	}
	v.Hash = w.origins.ValueHash(&v)
	return v
}

// drawPatched is v with fields written since by themselves.
func (w *world) drawPatched(t *rapid.T, v record.Value) record.Value {
	whole, fields := record.Version{At: 1, By: w.drawVersion(t).By}, []record.Field(nil)
	for i, name := range []string{"", "cookie", "user"} {
		f := record.Field{Name: name, At: v.At, Bytes: rapid.SliceOfN(rapid.Byte(), 0, 20).Draw(t, "field")}
		if i > 0 {
			f.At = hlc.Stamp(rapid.Uint64Range(1, uint64(v.At)).Draw(t, "at"))
		}
		if f.Removed = rapid.Bool().Draw(t, "removed"); f.Removed {
			f.Bytes = nil
		}
		fields = append(fields, f)
	}
	return record.Patched(v.Version, v.Owner, whole, v.Bytes, fields)
}

func (w *world) drawState(t *rapid.T, touch bool) record.State {
	s := record.State{Tomb: drawTomb(t)}
	var kinds [2]int
	for range rapid.IntRange(0, 2*record.MaxBirths).Draw(t, "births") {
		b := w.drawBirth(t, touch)
		kind := 0
		if b.Weak {
			kind = 1
		}
		if kinds[kind] == record.MaxBirths || hasBirth(s.Births, b.ID) {
			continue
		}
		kinds[kind]++
		s.Births = append(s.Births, b)
	}
	return s
}

func hasBirth(births []record.Birth, id record.Version) bool {
	for i := range births {
		if births[i].ID == id {
			return true
		}
	}
	return false
}

// drawNews is an item without dots.
func (w *world) drawNews(t *rapid.T) Item {
	it := Item{Kind: rapid.SampledFrom([]ItemKind{KindState, KindTouch, KindNothing, KindPull}).Draw(t, "kind")}
	if it.Kind != KindPull {
		it.Key = drawKey(t)
	}
	if it.Kind <= KindTouch {
		it.State = w.drawState(t, it.Kind == KindTouch)
	}
	return it
}

func (w *world) drawItem(t *rapid.T) Item {
	it := w.drawNews(t)
	it.Origin, it.Dots = w.drawRef(t), drawDots(t)
	return it
}

func drawMemberState(t *rapid.T) MemberState {
	return rapid.SampledFrom([]MemberState{Joining, Synced, Leaving}).Draw(t, "state")
}

func drawName(t *rapid.T) string {
	return rapid.SampledFrom([]string{"", "web-1", "Füße 世界", "0123456789012345678901234567890123456789012345678901234567890123"}).
		Draw(t, "name")
}
