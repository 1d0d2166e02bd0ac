package wire

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/sessioncast/sessioncast/internal/record"
	"pgregory.net/rapid"
)

// update is the news of a session of 512 bytes that was created an hour before now by by, and written just now by the
// sender.
func (w *world) update(by record.Ref) Item {
	data := bytes.Repeat([]byte("x"), 512)
	due := now.Add(30 * time.Minute).Millis()
	written := record.Version{At: now - 2, By: w.self()}
	return Item{
		Origin: w.self(), Dots: []uint64{123_456}, Kind: KindState,
		Key: record.Key{Name: "sess:" + strings.Repeat("k", 32)},
		State: record.State{Births: []record.Birth{{
			ID: record.Version{At: now.Add(-time.Hour), By: by}, Seq: 120_000,
			Value:    record.Value{Version: written, Bytes: data, Hash: record.ContentHash(0, "", data)},
			Deadline: record.Deadline{Version: written, Due: due, Promise: due},
			Latest:   due, Span: due - written.At.Millis(),
		}}},
	}
}

func TestBatchBytesAreThoseOfTheLayout(t *testing.T) {
	w := newWorld()
	id := record.Version{At: now - 1, By: w.self()}
	due := now.Millis() + 1000
	it := Item{
		Origin: w.self(), Dots: []uint64{7}, Kind: KindState, Key: record.Key{DB: 2, Name: "k"},
		State: record.State{Births: []record.Birth{{
			ID: id, Seq: 7, Value: record.Value{Version: id, Bytes: []byte("v!")},
			Deadline: record.Deadline{Version: id, Due: due, Promise: due}, Latest: due, Span: 1000,
		}}},
	}
	touch := Item{
		Origin: w.refs[1], Dots: []uint64{3, 5, 6}, Kind: KindTouch, Key: record.Key{Name: "t"},
		State: record.State{Births: []record.Birth{{
			ID: record.Version{At: now, By: w.refs[1]}, Seq: 3,
			Deadline: record.Deadline{Version: record.Version{At: now, By: w.refs[2]}, Due: due, Promise: due + 64}, Latest: due + 1001, Span: 2000,
		}}},
	}
	b := w.builder()
	b.Reset(nil, now, []record.NodeID{{9}}, unlimited)
	if !b.Add(&it) || !b.Add(&touch) {
		t.Fatal("no room")
	}
	const second, third = "02000000000000ee018bcfe56800020202020202020202020202", "03000000000000ee018bcfe56800030303030303030303030303"
	want := "01a3185c50000003" + // the sender's clock
		"01" + "0900000000000000" + // one node to acknowledge
		"31" + "07" + // a state, one dot of the sender's, a database; the dot
		"02" + "01" + "6b" + // database 2, key "k"
		"01" + // one birth
		"7e" + "02" + "00" + "07" + // all flags but weak and absolute; one before the clock, of the sender; dot 7
		"04" + "7621" + // two bytes without a label
		"d00f" + // ends 1000 ms after it was made
		"0a" + "01" + second + "02" + "0200" + "0001" + // a touch; origin 1, defined here; ranges 3 and 5 to 6
		"01" + "74" + // key "t"
		"01" + // one birth
		"28" + "00" + "01" + "03" + // deadline and end; at the clock, of origin 1; dot 3
		"00" + "02" + third + // the deadline's version: at the clock, of origin 2, defined here
		"d00f" + "8001" + // the end, the promise 64 ms later
		"d00f" + "02" + // a span 1000 ms longer than this register's; latest: 1 ms after the version plus the span
		"00" // no more items
	if got := hex.EncodeToString(b.Finish()); got != want {
		t.Errorf("body\n%s, want\n%s", got, want)
	}
}

// The frame that a write sends decides what a write costs, so its size is watched.
func TestAnUpdateOf512BytesTakesAtMost600(t *testing.T) {
	w := newWorld()
	b, acks := w.builder(), []record.NodeID{{1}, {2}}
	here := w.update(w.self())
	b.Reset(nil, now, acks, MaxPayload-Overhead)
	if !b.Add(&here) || b.Len() > 600 {
		t.Errorf("created here: %d bytes", b.Len())
	}
	elsewhere := w.update(w.refs[3])
	b.Reset(nil, now, acks, MaxPayload-Overhead)
	if !b.Add(&elsewhere) || b.Len() > 600+record.OriginSize {
		t.Errorf("created elsewhere: %d bytes", b.Len())
	}
}

func TestBuilderKeepsItsLimit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld()
		limit := rapid.IntRange(300, 1400).Draw(t, "limit")
		b := w.builder()
		b.Reset([]byte("head"), now, drawNodes(t), limit)
		var added []Item
		refused := 0
		for range rapid.IntRange(1, 20).Draw(t, "items") {
			it := w.drawItem(t)
			before := b.Len()
			if b.Add(&it) {
				added = append(added, it)
			} else if refused++; b.Len() != before {
				t.Fatalf("a refused item left %d bytes, %d before", b.Len(), before)
			}
		}
		size, items := b.Len(), b.Items()
		body := b.Finish()[4:]
		if len(body) != size || size > limit || items != len(added) {
			t.Fatalf("%d bytes of %d announced and %d allowed, %d items", len(body), size, limit, items)
		}
		var got Batch
		if _, err := w.decoder().Batch(body, w.self(), &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(added, got.Items, same); diff != "" {
			t.Fatalf("%d added, %d refused; parsed differs:\n%s", len(added), refused, diff)
		}
	})
}

func TestBuilderFillsTheFrame(t *testing.T) {
	w := newWorld()
	b := w.builder()
	b.Reset(nil, now, nil, unlimited)
	it := w.update(w.refs[1])
	for range 3 {
		b.Add(&it)
	}
	exact := b.Len()
	for _, tt := range []struct{ limit, want int }{{exact, 3}, {exact - 1, 2}} {
		b.Reset(nil, now, nil, tt.limit)
		for range 4 {
			b.Add(&it)
		}
		if b.Items() != tt.want {
			t.Errorf("%d items in %d bytes, want %d", b.Items(), tt.limit, tt.want)
		}
	}
}

func TestBuilderKeepsTheNumbersOfItemsAndDots(t *testing.T) {
	w := newWorld()
	b := w.builder()
	b.Reset(nil, now, nil, unlimited)
	it := Item{Origin: w.self(), Dots: []uint64{1}, Kind: KindNothing}
	for b.Add(&it) {
	}
	if b.Items() != MaxItems {
		t.Errorf("%d items", b.Items())
	}
	b.Reset(nil, now, nil, unlimited)
	it.Dots = upTo(MaxItemDots + 1)
	if b.Add(&it) {
		t.Error("an item of too many dots went in")
	}
	it.Dots = it.Dots[:MaxItemDots]
	for b.Add(&it) {
	}
	if b.Items() != MaxBatchDots/MaxItemDots {
		t.Errorf("%d items of %d dots", b.Items(), MaxItemDots)
	}
	var got Batch
	if _, err := w.decoder().Batch(b.Finish(), w.self(), &got); err != nil || len(got.Items[1].Dots) != MaxItemDots {
		t.Errorf("error %v", err)
	}
}

func upTo(n uint64) (seqs []uint64) {
	for seq := uint64(1); seq <= n; seq++ {
		seqs = append(seqs, seq)
	}
	return seqs
}

func TestChunkTakesOneOversizedItem(t *testing.T) {
	w := newWorld()
	large, small := w.update(w.self()), w.update(w.self())
	large.State.Births[0].Value.Bytes = make([]byte, record.MaxValue)
	b := NewStreamBuilder(w.origins)
	b.Reset(nil, now)
	if !b.Add(&large) || b.Add(&small) {
		t.Error("a large item must have a chunk of its own")
	}
	b.Reset(nil, now)
	for b.Add(&small) {
	}
	if b.Add(&large) {
		t.Error("a large item went in behind others")
	}
	body := b.Chunk(99)
	if len(body) > ChunkTarget || len(body) < ChunkTarget-700 {
		t.Errorf("a chunk of %d bytes", len(body))
	}
	var got StreamChunk
	if _, err := w.decoder().StreamChunk(body, &got); err != nil || got.Cursor != 99 {
		t.Errorf("cursor %d, error %v", got.Cursor, err)
	}
}

func TestFragmentsFillTheFrame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld()
		e := w.encoder()
		limit := rapid.IntRange(1200, MaxPayload-Overhead).Draw(t, "limit")
		f := Fragment{AckFrom: drawNodes(t), Origin: w.drawRef(t), Dots: upTo(9),
			Total: uint32(rapid.IntRange(2000, MaxState).Draw(t, "total"))}
		f.Size = uint32(e.FragmentRoom(&f, limit))
		f.Index = rapid.Uint32Range(0, f.Count()-1).Draw(t, "index")
		f.Bytes = make([]byte, f.length())
		b := e.AppendFragment(nil, now, &f)
		if len(b) > limit || f.length() == f.Size && len(b) < limit-8 {
			t.Fatalf("%d bytes, limit %d", len(b), limit)
		}
	})
}

func TestSteadyStateAllocatesNothing(t *testing.T) {
	w := newWorld()
	b, d, e := w.builder(), w.decoder(), w.encoder()
	items := []Item{w.update(w.self()), w.update(w.refs[1])}
	acks := []record.NodeID{{1}, {2}}
	buf := make([]byte, 0, MaxPayload)
	var into Batch
	if n := testing.AllocsPerRun(100, func() {
		b.Reset(buf, now, acks, MaxPayload-Overhead)
		if !b.Add(&items[0]) || !b.Add(&items[1]) || b.Add(&items[0]) {
			t.Error("two items fit, not three")
		}
		if _, err := d.Batch(b.Finish(), w.self(), &into); err != nil || len(into.Items) != 2 {
			t.Errorf("%d items, error %v", len(into.Items), err)
		}
		if e.ItemSize(&items[1]) < 512 {
			t.Error("size")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
	beat, nack := Heartbeat{High: 9, Full: true, State: Synced, Name: "n"}, Nack{}
	for _, ref := range w.refs {
		v := Vector{Origin: ref}
		v.Set.AddRange(1, 99)
		beat.Vectors, beat.Heard = append(beat.Vectors, v), append(beat.Heard, Heard{Origin: ref})
		nack.Wants = append(nack.Wants, Want{Origin: ref, Ranges: v.Set.Ranges()})
	}
	var gotNack Nack
	if n := testing.AllocsPerRun(100, func() {
		if _, vectors, heard := e.AppendHeartbeat(buf, now, &beat, 1300); vectors != 5 || heard != 5 {
			t.Errorf("%d vectors, %d heard", vectors, heard)
		}
		body, _, _ := e.AppendNack(buf, now, &nack, 1300)
		if _, err := d.Nack(body, w.self(), &gotNack); err != nil {
			t.Error(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations for heartbeat and NACK", n)
	}
}

func BenchmarkBatch(b *testing.B) {
	w := newWorld()
	builder, d := w.builder(), w.decoder()
	it := w.update(w.self())
	buf := make([]byte, 0, MaxPayload)
	builder.Reset(nil, now, nil, MaxPayload)
	builder.Add(&it)
	body := builder.Finish()
	b.Run("build", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			builder.Reset(buf, now, nil, MaxPayload)
			builder.Add(&it)
			builder.Finish()
		}
	})
	b.Run("parse", func(b *testing.B) {
		b.ReportAllocs()
		var into Batch
		for b.Loop() {
			if _, err := d.Batch(body, w.self(), &into); err != nil {
				b.Fatal(err)
			}
		}
	})
}
