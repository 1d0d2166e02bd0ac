package wire

import (
	"errors"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/sessioncast/sessioncast/internal/dots"
	"github.com/sessioncast/sessioncast/internal/hlc"
	"github.com/sessioncast/sessioncast/internal/record"
	"pgregory.net/rapid"
)

// codec is one body's way there and back. Parse gives a pointer to a struct of its own, or of the codec's when warm.
type codec struct {
	name   string
	typ    Type       // of a frame
	stream StreamType // or of a stream message
	draw   func(*world, *rapid.T) any
	append func(*world, hlc.Stamp, any) []byte
	parse  func(*world, []byte) (any, hlc.Stamp, error)
}

var codecs = []codec{
	{name: "batch", typ: TypeData, draw: drawBatch, append: appendBatch, parse: parsing((*Decoder).Batch)},
	{name: "fragment", typ: TypeFrag, draw: drawFragment, append: func(w *world, t hlc.Stamp, v any) []byte {
		return w.encoder().AppendFragment(nil, t, v.(*Fragment))
	}, parse: parsing((*Decoder).Fragment)},
	{name: "heartbeat", typ: TypeHeartbeat, draw: drawHeartbeat, append: func(w *world, t hlc.Stamp, v any) []byte {
		b, _, _ := w.encoder().AppendHeartbeat(nil, t, v.(*Heartbeat), unlimited)
		return b
	}, parse: parsing((*Decoder).Heartbeat)},
	{name: "nack", typ: TypeNack, draw: drawNack, append: func(w *world, t hlc.Stamp, v any) []byte {
		b, _, _ := w.encoder().AppendNack(nil, t, v.(*Nack), unlimited)
		return b
	}, parse: parsing((*Decoder).Nack)},
	{name: "hello", typ: TypeHello, draw: func(_ *world, t *rapid.T) any {
		return &Hello{Name: drawName(t), State: drawMemberState(t)}
	}, append: func(w *world, t hlc.Stamp, v any) []byte {
		return w.encoder().AppendHello(nil, t, v.(*Hello))
	}, parse: parsing((*Decoder).Hello)},
	{name: "greet", typ: TypeGreet, draw: func(_ *world, t *rapid.T) any {
		return &Greet{Name: drawName(t), State: drawMemberState(t), Sessions: drawSeq(t), Bytes: drawSeq(t), Dots: drawSeq(t),
			FullPct: rapid.Byte().Draw(t, "full"), Peers: drawAddrs(t)}
	}, append: func(w *world, t hlc.Stamp, v any) []byte {
		return w.encoder().AppendGreet(nil, t, v.(*Greet))
	}, parse: parsing((*Decoder).Greet)},
	{name: "leave", typ: TypeLeave, draw: func(_ *world, t *rapid.T) any {
		return &Leave{High: drawSeq(t)}
	}, append: func(w *world, t hlc.Stamp, v any) []byte {
		return w.encoder().AppendLeave(nil, t, v.(*Leave))
	}, parse: parsing((*Decoder).Leave)},
	{name: "probe", typ: TypeProbe, draw: func(_ *world, t *rapid.T) any {
		return &Probe{Nonce: drawSeq(t)}
	}, append: func(w *world, t hlc.Stamp, v any) []byte {
		return w.encoder().AppendProbe(nil, t, v.(*Probe))
	}, parse: parsing((*Decoder).Probe)},
	{name: "probe request", typ: TypeProbeReq, draw: func(w *world, t *rapid.T) any {
		return &ProbeReq{Target: w.drawRef(t), Nonce: drawSeq(t)}
	}, append: func(w *world, t hlc.Stamp, v any) []byte {
		return w.encoder().AppendProbeReq(nil, t, v.(*ProbeReq))
	}, parse: parsing((*Decoder).ProbeReq)},
	{name: "doubt", typ: TypeDoubt, draw: func(w *world, t *rapid.T) any {
		return &Doubt{Target: w.drawRef(t)}
	}, append: func(w *world, t hlc.Stamp, v any) []byte {
		return w.encoder().AppendDoubt(nil, t, v.(*Doubt))
	}, parse: parsing((*Decoder).Doubt)},
	{name: "ack", typ: TypeAck, draw: func(_ *world, t *rapid.T) any {
		return &Ack{Set: drawSet(t, 9)}
	}, append: func(w *world, t hlc.Stamp, v any) []byte {
		return w.encoder().AppendAck(nil, t, v.(*Ack), unlimited)
	}, parse: parsing((*Decoder).Ack)},
	{name: "challenge", typ: TypeChallenge, draw: func(_ *world, t *rapid.T) any {
		return &Challenge{Nonce: drawNonce(t)}
	}, append: func(w *world, t hlc.Stamp, v any) []byte {
		return w.encoder().AppendChallenge(nil, t, v.(*Challenge))
	}, parse: parsing((*Decoder).Challenge)},
	{name: "response", typ: TypeResponse, draw: func(_ *world, t *rapid.T) any {
		return &Response{Nonce: drawNonce(t), Challenge: drawNonce(t), High: drawSeq(t)}
	}, append: func(w *world, t hlc.Stamp, v any) []byte {
		return w.encoder().AppendResponse(nil, t, v.(*Response))
	}, parse: parsing((*Decoder).Response)},
	{name: "stream pull", stream: StreamTypePull, draw: func(_ *world, t *rapid.T) any {
		p := &StreamPull{Cursor: drawSeq(t)}
		if rapid.IntRange(0, 9).Draw(t, "fingerprints") == 0 {
			p.Fingerprints = make([]uint64, MinFingerprints<<rapid.IntRange(0, 6).Draw(t, "finer by"))
			p.Fingerprints[rapid.IntRange(0, len(p.Fingerprints)-1).Draw(t, "part")] = drawSeq(t)
		}
		return p
	}, append: func(w *world, t hlc.Stamp, v any) []byte {
		return w.encoder().AppendStreamPull(nil, t, v.(*StreamPull))
	}, parse: streamParsing((*Decoder).StreamPull)},
	{name: "stream offer", stream: StreamTypeOffer, draw: func(w *world, t *rapid.T) any {
		return &StreamOffer{State: drawMemberState(t), Epoch: drawSeq(t), Vectors: drawVectors(w, t), Marks: drawMarks(w, t)}
	}, append: func(w *world, t hlc.Stamp, v any) []byte {
		b, _ := w.encoder().AppendStreamOffer(nil, t, v.(*StreamOffer))
		return b
	}, parse: streamParsing((*Decoder).StreamOffer)},
	{name: "stream chunk", stream: StreamTypeChunk, draw: func(w *world, t *rapid.T) any {
		return &StreamChunk{Items: drawNewsList(w, t), Cursor: drawSeq(t)}
	}, append: func(w *world, t hlc.Stamp, v any) []byte {
		return streamItems(w, t, v.(*StreamChunk).Items).Chunk(v.(*StreamChunk).Cursor)
	}, parse: streamParsing((*Decoder).StreamChunk)},
	{name: "stream end", stream: StreamTypeEnd, draw: func(*world, *rapid.T) any {
		return &struct{}{}
	}, append: func(w *world, t hlc.Stamp, _ any) []byte {
		return w.encoder().AppendStreamEnd(nil, t)
	}, parse: streamParsing(func(d *Decoder, b []byte, _ *struct{}) (hlc.Stamp, error) { return d.StreamEnd(b) })},
	{name: "stream watch", stream: StreamTypeWatch, draw: func(*world, *rapid.T) any {
		return &struct{}{}
	}, append: func(w *world, t hlc.Stamp, _ any) []byte {
		return w.encoder().AppendStreamWatch(nil, t)
	}, parse: streamParsing(func(d *Decoder, b []byte, _ *struct{}) (hlc.Stamp, error) { return d.StreamWatch(b) })},
	{name: "stream lookup", stream: StreamTypeLookup, draw: func(_ *world, t *rapid.T) any {
		l := &StreamLookup{}
		for range rapid.IntRange(0, 5).Draw(t, "keys") {
			l.Keys = append(l.Keys, drawKey(t))
		}
		return l
	}, append: func(w *world, t hlc.Stamp, v any) []byte {
		return w.encoder().AppendStreamLookup(nil, t, v.(*StreamLookup))
	}, parse: streamParsing((*Decoder).StreamLookup)},
	{name: "stream found", stream: StreamTypeFound, draw: func(w *world, t *rapid.T) any {
		return &StreamFound{Items: drawNewsList(w, t)}
	}, append: func(w *world, t hlc.Stamp, v any) []byte {
		return streamItems(w, t, v.(*StreamFound).Items).Found()
	}, parse: streamParsing((*Decoder).StreamFound)},
}

// codecOf is the codec of the given name.
func codecOf(name string) codec {
	for _, c := range codecs {
		if c.name == name {
			return c
		}
	}
	panic("no codec " + name)
}

// parsing makes a codec's parse of a Decoder's method.
func parsing[T any](method func(*Decoder, []byte, record.Ref, *T) (hlc.Stamp, error)) func(*world, []byte) (any, hlc.Stamp, error) {
	return func(w *world, b []byte) (any, hlc.Stamp, error) {
		into := new(T)
		t, err := method(w.decoder(), b, w.self(), into)
		return into, t, err
	}
}

func streamParsing[T any](method func(*Decoder, []byte, *T) (hlc.Stamp, error)) func(*world, []byte) (any, hlc.Stamp, error) {
	return func(w *world, b []byte) (any, hlc.Stamp, error) {
		into := new(T)
		t, err := method(w.decoder(), b, into)
		return into, t, err
	}
}

func drawBatch(w *world, t *rapid.T) any {
	b := &Batch{AckFrom: drawNodes(t)}
	for range rapid.IntRange(0, 5).Draw(t, "items") {
		b.Items = append(b.Items, w.drawItem(t))
	}
	return b
}

func appendBatch(w *world, t hlc.Stamp, v any) []byte {
	b := w.builder()
	b.Reset(nil, t, v.(*Batch).AckFrom, unlimited)
	for i := range v.(*Batch).Items {
		if !b.Add(&v.(*Batch).Items[i]) {
			panic("an item found no room in an unlimited batch")
		}
	}
	return b.Finish()
}

func drawFragment(w *world, t *rapid.T) any {
	f := &Fragment{AckFrom: drawNodes(t), Origin: w.drawRef(t), Dots: drawDots(t), ID: drawSeq(t),
		Repair: rapid.Bool().Draw(t, "repair")}
	f.Size = uint32(rapid.IntRange(512, MaxPayload).Draw(t, "size"))
	f.Total = uint32(rapid.IntRange(1, MaxState).Draw(t, "total"))
	f.Index = uint32(rapid.IntRange(0, int(f.Count())-1).Draw(t, "index"))
	f.Bytes = make([]byte, f.length())
	for i := range f.Bytes {
		f.Bytes[i] = byte(i)
	}
	return f
}

func drawVectors(w *world, t *rapid.T) (vectors []Vector) {
	for range rapid.IntRange(0, 6).Draw(t, "vectors") {
		vectors = append(vectors, Vector{Origin: w.drawRef(t), Set: drawSet(t, 5)})
	}
	return vectors
}

func drawHeartbeat(w *world, t *rapid.T) any {
	h := &Heartbeat{High: drawSeq(t), Sent: drawSeq(t), Full: rapid.Bool().Draw(t, "full")}
	if !h.Full {
		return h
	}
	h.State, h.Name = drawMemberState(t), drawName(t)
	h.Sessions, h.Bytes, h.FullPct = drawSeq(t), drawSeq(t), rapid.Byte().Draw(t, "full percent")
	h.WallMillis = drawTime(t)
	h.KeyIDs = make([][4]byte, rapid.IntRange(0, MaxKeyIDs).Draw(t, "keys"))
	for i := range h.KeyIDs {
		h.KeyIDs[i] = [4]byte{1, 2, byte(i)}
	}
	h.Made, h.Incomplete = drawSeq(t), rapid.Bool().Draw(t, "incomplete")
	h.Config, h.VectorHash, h.DeadHash, h.Root = drawSeq(t), drawSeq(t), drawSeq(t), drawSeq(t)
	h.Epoch = drawSeq(t)
	h.Vectors = drawVectors(w, t)
	for range rapid.IntRange(0, 6).Draw(t, "heard") {
		multicast := rapid.Bool().Draw(t, "multicast")
		h.Heard = append(h.Heard, Heard{Origin: w.drawRef(t), Multicast: multicast, Shut: multicast && rapid.Bool().Draw(t, "shut"),
			LossPct: rapid.Uint8Range(0, MaxLoss).Draw(t, "loss")})
	}
	return h
}

// drawWanted is ranges in the form of a set, one at least.
func drawWanted(t *rapid.T) []dots.Range {
	s := drawSet(t, 9)
	s.Add(drawSeq(t))
	return s.Ranges()
}

func drawNack(w *world, t *rapid.T) any {
	n := &Nack{}
	for range rapid.IntRange(0, 6).Draw(t, "wants") {
		n.Wants = append(n.Wants, Want{Origin: w.drawRef(t), Ranges: drawWanted(t)})
	}
	for range rapid.IntRange(0, 6).Draw(t, "fragment sets") {
		n.Frags = append(n.Frags, FragWant{Origin: w.drawRef(t), Seq: drawSeq(t), ID: drawSeq(t), Ranges: drawWanted(t)})
	}
	return n
}

func drawNonce(t *rapid.T) (n Nonce) {
	copy(n[:], rapid.SliceOfN(rapid.Byte(), len(n), len(n)).Draw(t, "nonce"))
	return n
}

func drawNewsList(w *world, t *rapid.T) (items []Item) {
	for range rapid.IntRange(0, 4).Draw(t, "items") {
		items = append(items, w.drawNews(t))
	}
	return items
}

func streamItems(w *world, t hlc.Stamp, items []Item) *StreamBuilder {
	b := NewStreamBuilder(w.origins)
	b.Reset(nil, t)
	for i := range items {
		if !b.Add(&items[i]) {
			panic("an item found no room in a chunk")
		}
	}
	return b
}

func TestBodiesGoThereAndBack(t *testing.T) {
	for _, c := range codecs {
		t.Run(c.name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				w := newWorld()
				want, stamp := c.draw(w, t), drawStamp(t)
				b := c.append(w, stamp, want)
				got, gotStamp, err := c.parse(w, b)
				if err != nil || gotStamp != stamp {
					t.Fatalf("stamp %v, error %v; want stamp %v", gotStamp, err, stamp)
				}
				if diff := cmp.Diff(want, got, same); diff != "" {
					t.Fatalf("parsed differs (-appended +parsed):\n%s", diff)
				}
			})
		})
	}
}

// A later version may add fields behind the last one that this version knows.
func TestBytesBehindTheLastFieldAreIgnored(t *testing.T) {
	for _, c := range codecs {
		t.Run(c.name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				w := newWorld()
				want := c.draw(w, t)
				b := append(c.append(w, now, want), "later"...)
				got, _, err := c.parse(w, b)
				if diff := cmp.Diff(want, got, same); err != nil || diff != "" {
					t.Fatalf("error %v, differs (-appended +parsed):\n%s", err, diff)
				}
			})
		})
	}
}

func TestBodiesCutShortAreRefused(t *testing.T) {
	for _, c := range codecs {
		t.Run(c.name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				w := newWorld()
				b := c.append(w, now, c.draw(w, t))
				for cut := range min(len(b), 3000) {
					if _, _, err := c.parse(w, b[:cut]); !errors.Is(err, ErrTruncated) {
						t.Fatalf("cut at %d of %d: %v", cut, len(b), err)
					}
				}
			})
		})
	}
}

// Refs mean nothing outside a process, so a body must name origins by themselves.
func TestBodiesMeanTheSameOnAnotherNode(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w, h := newWorld(), Header{Type: TypeData, Origin: testOrigin(1)}
		b := appendBatch(w, now, drawBatch(w, t))
		other := new(record.Origins)
		for n := byte(9); n > 0; n-- {
			other.Intern(testOrigin(n))
		}
		here, there := Debug(&h, b, w.origins, nil), Debug(&h, b, other, nil)
		if here != there {
			t.Fatalf("here  %s\nthere %s", here, there)
		}
	})
}

// What was parsed before must not show through in what is parsed into the same struct later.
func TestParsingIntoAUsedStruct(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld()
		d := w.decoder()
		var batch Batch
		var beat Heartbeat
		var nack Nack
		for range 3 {
			wantBatch := drawBatch(w, t)
			if _, err := d.Batch(appendBatch(w, now, wantBatch), w.self(), &batch); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(wantBatch, &batch, same); diff != "" {
				t.Fatal(diff)
			}
			wantBeat := drawHeartbeat(w, t)
			if _, err := d.Heartbeat(codecOf("heartbeat").append(w, now, wantBeat), w.self(), &beat); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(wantBeat, &beat, same); diff != "" {
				t.Fatal(diff)
			}
			wantNack := drawNack(w, t)
			if _, err := d.Nack(codecOf("nack").append(w, now, wantNack), w.self(), &nack); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(wantNack, &nack, same); diff != "" {
				t.Fatal(diff)
			}
		}
	})
}

func TestItemsGoThereAndBackByThemselves(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld()
		e, want := w.encoder(), w.drawItem(t)
		b := e.AppendItem([]byte("before"), &want)[6:]
		if size := e.ItemSize(&want); size != len(b) {
			t.Fatalf("ItemSize = %d, encoded %d", size, len(b))
		}
		var got Item
		if err := w.decoder().ParseItem(b, &got); err != nil {
			t.Fatal(err)
		}
		want.Origin, want.Dots = 0, nil
		if diff := cmp.Diff(want, got, same); diff != "" {
			t.Fatalf("parsed differs (-appended +parsed):\n%s", diff)
		}
		for cut := range len(b) {
			if err := w.decoder().ParseItem(b[:cut], &got); !errors.Is(err, ErrTruncated) {
				t.Fatalf("cut at %d of %d: %v", cut, len(b), err)
			}
		}
	})
}

// Fragments of one item that come from different holders must fit together.
func TestItemsHaveOneEncodingOnAllNodes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld()
		it := w.drawItem(t)
		here := NewEncoder(w.origins, w.refs[0]).AppendItem(nil, &it)
		there := NewEncoder(w.origins, w.refs[1]).AppendItem(nil, &it)
		if string(here) != string(there) || FragmentID(here) != FragmentID(there) {
			t.Fatalf("here %x, there %x", here, there)
		}
	})
}

func drawAddrs(t *rapid.T) (list []netip.AddrPort) {
	for range rapid.IntRange(0, 3).Draw(t, "introduced") {
		port := uint16(rapid.IntRange(1, 65535).Draw(t, "port"))
		if rapid.Bool().Draw(t, "v6") {
			list = append(list, netip.AddrPortFrom(netip.AddrFrom16([16]byte{0xfd, 15: rapid.Byte().Draw(t, "host")}), port))
			continue
		}
		list = append(list, netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, rapid.Byte().Draw(t, "host")}), port))
	}
	return list
}

func drawMarks(w *world, t *rapid.T) (all []Marks) {
	for _, v := range drawVectors(w, t) {
		m := Marks{Origin: v.Origin}
		for range rapid.IntRange(0, 3).Draw(t, "marks") {
			m.List = append(m.List, Mark{Seq: drawSeq(t), At: int64(drawSeq(t) >> 1)})
		}
		all = append(all, m)
	}
	return all
}
