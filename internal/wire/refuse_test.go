package wire

import (
	"encoding/hex"
	"errors"
	"math"
	"net/netip"
	"strings"
	"testing"

	"github.com/sessioncast/sessioncast/internal/dots"
	"github.com/sessioncast/sessioncast/internal/hlc"
	"github.com/sessioncast/sessioncast/internal/record"
	"pgregory.net/rapid"
)

// clock is the first field of the bodies written out in tests.
const clock = "01a3185c50000003"

// How bodies begin, and parts of them.
var (
	atClock = "00" + "00" // a stamp: at the clock, of the sender
	value   = "047621"
	second  = "01" + hex.EncodeToString(testOrigin(2).Append(nil))
)

// state is a batch of one state of key "k" whose births and tombstone are given.
func state(hex string) string { return clock + "00" + "1101" + "016b" + hex + "00" }

// refusal is a body, in hex, and what is to become of it.
type refusal struct {
	name, codec, hex string
	want             error
}

func refuse(t *testing.T, tests []refusal) {
	t.Helper()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b, err := hex.DecodeString(tt.hex)
			if err != nil {
				t.Fatal(err)
			}
			if _, _, err := codecOf(tt.codec).parse(newWorld(), b); !errors.Is(err, tt.want) {
				t.Errorf("error %v, want %v", err, tt.want)
			}
		})
	}
}

func TestBatchesRefused(t *testing.T) {
	refuse(t, []refusal{
		{"a batch that is right", "batch", state("01" + "46" + atClock + "01" + value), nil},
		{"too many nodes to acknowledge", "batch", clock + "21", ErrLimit},
		{"an unknown kind", "batch", clock + "00" + "1501", ErrUnknown},
		{"an unknown item flag", "batch", clock + "00" + "5101016b00" + "00", ErrUnknown},
		{"an unknown state flag", "batch", state("80"), ErrUnknown},
		{"dot 0", "batch", clock + "00" + "1300016b" + "00", ErrValue},
		{"a varint of more than 64 bits", "batch", clock + "00" + "13ffffffffffffffffff7f016b00", ErrValue},
		{"more dots than a batch may cover", "batch", clock + "00" + "03" + "01" + "00" + "8020" + "016b00", ErrLimit},
		{"dots near the end of their type", "batch", clock + "00" + "03" + "01" + "00" + "feffffffffffffffff01" + "016b00", ErrLimit},
		{"dots beyond their type", "batch", clock + "00" + "03" + "01" + "01" + "ffffffffffffffffff01" + "016b00", ErrValue},
		{"a dot behind the last there is", "batch", clock + "00" + "03" + "02" + "feffffffffffffffff01" + "00" + "0000" + "016b00", ErrValue},
		{"an origin that was not defined", "batch", clock + "00" + "1b" + "02" + "01016b00", ErrValue},
		{"the origin of nobody", "batch", clock + "00" + "1b" + "01" + strings.Repeat("00", record.OriginSize) + "01016b00", ErrValue},
		{"a key that is too long", "batch", clock + "00" + "1301" + "8104" + strings.Repeat("6b", 513) + "00", ErrLimit},
		{"database 0 said aloud", "batch", clock + "00" + "3301" + "00" + "016b00", ErrValue},
		{"a database that is none", "batch", clock + "00" + "3301" + "20" + "0000", ErrValue},
		{"a floor with a name", "batch", clock + "00" + "3301" + "10" + "016b00", ErrValue},
		{"a pull with a database", "batch", clock + "00" + "340100", ErrValue},
	})
}

func TestStatesRefused(t *testing.T) {
	refuse(t, []refusal{
		{"17 births", "batch", state("11"), ErrLimit},
		{"9 births of one kind", "batch", state("09" + births(9, value)), ErrLimit},
		{"8 births of one kind", "batch", state("08" + births(8, value)), nil},
		{"a birth twice", "batch", state("02" + strings.Repeat("46"+atClock+"01"+value, 2)), ErrValue},
		{"a birth at stamp 0", "batch", state("01" + "46" + hex.EncodeToString(appendStamp(nil, now, 0)) + "00" + "01" + value), ErrValue},
		{"a birth at the last stamp", "batch", state("01" + "46" + hex.EncodeToString(appendStamp(nil, now, hlc.Max)) + "00" + "01" + value), ErrValue},
		{"a birth of dot 0", "batch", state("01" + "46" + atClock + "00" + value), ErrValue},
		{"a state without a value", "batch", state("01" + "40" + atClock + "01"), ErrValue},
		{"a touch with a value", "batch", clock + "00" + "1201" + "016b" + "01" + "46" + atClock + "01" + value + "00", ErrValue},
		{"a value's version without a value", "batch", state("01" + "44" + atClock + "01"), ErrValue},
		{"an end without a deadline", "batch", state("01" + "66" + atClock + "01" + value + "02"), ErrValue},
		{"a label that says nothing", "batch", state("01" + "46" + atClock + "01" + "05" + "0000" + "7621"), ErrValue},
		{"an owner that is too long", "batch", state("01" + "46" + atClock + "01" + "05" + "01" + "8102"), ErrLimit},
		{"a value that is too long", "batch", state("01" + "46" + atClock + "01" + "82808001"), ErrLimit},
		{"an end before 1970", "batch", state("01" + "7e" + atClock + "01" + value + "ffffffffffffffff01"), ErrValue},
		{"a latest promise before 1970", "batch", state("01" + "06" + atClock + "01" + value + "00" + "ffffffffffffffff01"), ErrValue},
		{"a span", "batch", state("01" + "06" + atClock + "01" + value + "feffffffffff7f" + "00"), nil},
		{"a span below 0", "batch", state("01" + "06" + atClock + "01" + value + "01" + "00"), ErrValue},
		{"a span beyond 48 bits", "batch", state("01" + "06" + atClock + "01" + value + "8080808080808001" + "00"), ErrValue},
		{"a span far beyond its type", "batch", state("01" + "06" + atClock + "01" + value + "feffffffffffffffff01" + "00"), ErrValue},
		{"an end before its register was written", "batch", state("01" + "7e" + atClock + "01" + value + "01"), ErrValue},
		{"an absolute end at 0", "batch", state("01" + "c6" + atClock + "01" + value + "00" + hex.EncodeToString(appendSigned(nil, -now.Millis()))), ErrValue},
		{"a hold without a tombstone", "batch", state("40"), ErrValue},
		{"a tombstone kept until before 1970", "batch", state("20" + "00" + "ffffffffffffffff01"), ErrValue},
	})
}

func TestControlBodiesRefused(t *testing.T) {
	refuse(t, []refusal{
		{"an unknown flag of a fragment", "fragment", clock + "02", ErrUnknown},
		{"a fragment of a whole that is too large", "fragment", clock + "00000000" + "0000000000000001" + "80808010", ErrLimit},
		{"a fragment of no size", "fragment", clock + "00000000" + "0000000000000001" + "0a" + "00" + "00" + "00", ErrValue},
		{"a fragment behind the last", "fragment", clock + "00000000" + "0000000000000001" + "0a" + "05" + "02" + "00", ErrValue},
		{"a fragment that is too short", "fragment", clock + "00000000" + "0000000000000001" + "0a" + "05" + "01" + "0461626364", ErrValue},
		{"a fragment of too many", "fragment", clock + "00000000" + "0000000000000001" + "80808008" + "01" + "00" + "0161", ErrLimit},
		{"an unknown flag of a heartbeat", "heartbeat", clock + "020101", ErrUnknown},
		{"a heartbeat of a dead node", "heartbeat", clock + "010101" + "05", ErrValue},
		{"a greeting that is right", "greet", clock + "02" + "0161" + "00000000" + "00", nil},
		{"a greeting that introduces too many", "greet", clock + "02" + "0161" + "00000000" + "31", ErrLimit},
		{"an introduction cut short", "greet", clock + "02" + "0161" + "00000000" + "01" + "040a0000010f", ErrTruncated},
		{"an address of no family", "greet", clock + "02" + "0161" + "00000000" + "01" + "050a000001010fa0", ErrValue},
		{"a name with a line's end", "greet", clock + "02" + "010a" + "00000000", ErrValue},
		{"a name that is no UTF-8", "greet", clock + "02" + "01ff" + "00000000", ErrValue},
		{"a name that is too long", "greet", clock + "02" + "41" + strings.Repeat("61", 65) + "00000000", ErrLimit},
		{"an unknown entry of a NACK", "nack", clock + "03", ErrUnknown},
		{"a NACK that wants nothing", "nack", clock + "01" + second + "00" + "00", ErrValue},
		{"a NACK of too many ranges", "nack", clock + "01" + second + "41", ErrLimit},
		{"fragments of dot 0", "nack", clock + "02" + second + "00" + "0000000000000001" + "010000" + "00", ErrValue},
		{"a set of too many ranges", "ack", clock + "8140", ErrLimit},
		{"a set beyond its type", "ack", clock + "01" + "ffffffffffffffffff01" + "00", ErrValue},
		{"a HELLO without its padding", "hello", clock + "01" + "0161", ErrTruncated},
	})
}

func TestStreamBodiesRefused(t *testing.T) {
	refuse(t, []refusal{
		{"a few fingerprints", "stream pull", clock + "0000000000000000" + "01" + "0000000000000000", ErrValue},
		{"fingerprints of which there is no power of two", "stream pull", clock + "0000000000000000" + "8160" + strings.Repeat("00", 8*0x3001), ErrValue},
		{"fingerprints cut short", "stream pull", clock + "0000000000000000" + "8040" + strings.Repeat("00", 8*8191), ErrTruncated},
		{"fingerprints of twice as many parts", "stream pull", clock + "0000000000000000" + "8040" + strings.Repeat("00", 8*8192), nil},
		{"too many fingerprints", "stream pull", clock + "0000000000000000" + "808020", ErrLimit},
		{"too many keys to look up", "stream lookup", clock + "8102", ErrLimit},
		{"a chunk whose item has a dot", "stream chunk", clock + "1301016b00" + "0000000000000000", ErrUnknown},
		{"a chunk with an origin of the sender's", "stream chunk", clock + "01016b" + "01" + "46" + atClock + "01" + value + "00", ErrValue},
		{"an unknown entry of an offer", "stream offer", clock + "02" + "00" + "02", ErrUnknown},
	})
}

// births is n births at different stamps, each with the value given.
func births(n int, value string) string {
	var b strings.Builder
	for i := range n {
		b.WriteString("46" + hex.EncodeToString([]byte{byte(i)}) + "00" + "01" + value)
	}
	return b.String()
}

func TestNothingNearItsLimitIsRefused(t *testing.T) {
	w := newWorld()
	data := make([]byte, record.MaxValue)
	it := Item{Kind: KindState, Key: record.Key{DB: 15, Name: strings.Repeat("k", record.MaxName)}}
	it.State.Tomb = record.Tombstone{At: math.MaxUint64 - 1, Until: math.MaxInt64, Hold: math.MaxUint64}
	for i := range 2 * record.MaxBirths {
		v := record.Version{At: math.MaxUint64 - 1 - 1<<48, By: w.refs[i%5]}
		b := record.Birth{ID: v, Seq: math.MaxUint64 - uint64(i), Weak: i < record.MaxBirths, Latest: math.MaxInt64, Span: record.MaxSpan, Absolute: math.MaxInt64}
		b.ID.At -= hlc.Stamp(i)
		b.Value = record.Value{Version: v, Type: 255, Owner: strings.Repeat("o", record.MaxOwner), Bytes: data}
		b.Deadline = record.Deadline{Version: record.Version{At: 1, By: w.self()}, Due: 1, Promise: math.MaxInt64}
		it.State.Births = append(it.State.Births, b)
	}
	b := w.encoder().AppendItem(nil, &it)
	if len(b) > MaxState {
		t.Errorf("an item of %d bytes exceeds MaxState, %d", len(b), MaxState)
	}
	var got Item
	if err := w.decoder().ParseItem(b, &got); err != nil || len(got.State.Births) != 2*record.MaxBirths {
		t.Errorf("%d births, error %v", len(got.State.Births), err)
	}
	s := NewStreamBuilder(w.origins)
	s.Reset(nil, now)
	if !s.Add(&it) || len(s.Chunk(math.MaxUint64)) > MaxStreamBody {
		t.Error("the largest item exceeds MaxStreamBody")
	}
}

func TestNoAnswerIsLargerThanAHello(t *testing.T) {
	w := newWorld()
	e, name := w.encoder(), strings.Repeat("n", MaxHostName)
	hello := e.AppendHello(nil, now, &Hello{Name: name + "n", State: Joining})
	greet := e.AppendGreet(nil, now, &Greet{Name: name, State: Synced, Sessions: math.MaxUint64, Bytes: math.MaxUint64,
		Dots: math.MaxUint64, FullPct: 255})
	challenge := e.AppendChallenge(nil, now, &Challenge{})
	if len(hello) != HelloSize || len(greet) > HelloSize || len(challenge) > HelloSize {
		t.Errorf("hello %d, greet %d, challenge %d", len(hello), len(greet), len(challenge))
	}
}

func TestIntroductionsAreAddressesOfHosts(t *testing.T) {
	w := newWorld()
	var many []netip.AddrPort
	for i := range MaxIntroduced + 1 {
		many = append(many, netip.AddrPortFrom(netip.AddrFrom16([16]byte{0xfd, 15: byte(i)}), 4000))
	}
	full := w.encoder().AppendGreet(nil, now, &Greet{State: Synced, Name: strings.Repeat("n", MaxHostName), Peers: many})
	var got Greet
	if _, err := w.decoder().Greet(full, w.self(), &got); err != nil || len(got.Peers) != MaxIntroduced || len(full) > 1232-Overhead {
		t.Errorf("%v, %d introduced in %d bytes", err, len(got.Peers), len(full))
	}
	for _, bad := range []string{"228.0.0.5:4000", "0.0.0.0:4000", "10.0.0.1:0", "[ff02::1]:4000"} {
		b := w.encoder().AppendGreet(nil, now, &Greet{State: Synced, Peers: []netip.AddrPort{netip.MustParseAddrPort(bad)}})
		if _, err := w.decoder().Greet(b, w.self(), &got); !errors.Is(err, ErrValue) {
			t.Errorf("%s: %v, want ErrValue", bad, err)
		}
	}
}

func TestNamesAreCutBetweenCharacters(t *testing.T) {
	w := newWorld()
	name := strings.Repeat("a", MaxHostName-1) + "ü"
	var got Hello
	if _, err := w.decoder().Hello(w.encoder().AppendHello(nil, now, &Hello{Name: name, State: Synced}), w.self(), &got); err != nil {
		t.Fatal(err)
	}
	if got.Name != name[:MaxHostName-1] {
		t.Errorf("name %q", got.Name)
	}
}

// What does not fit must be said to be left out, and what is said to be in must be there.
func TestHeartbeatsAndNacksArePackedToTheirLimit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld()
		limit := rapid.IntRange(200, 500).Draw(t, "limit")
		beat := drawHeartbeat(w, t).(*Heartbeat)
		b, vectors, heard := w.encoder().AppendHeartbeat(nil, now, beat, limit)
		var gotBeat Heartbeat
		if _, err := w.decoder().Heartbeat(b, w.self(), &gotBeat); err != nil {
			t.Fatal(err)
		}
		if len(b) > limit || len(gotBeat.Vectors) != vectors || len(gotBeat.Heard) != heard {
			t.Fatalf("%d bytes of %d, %d vectors of %d, %d heard of %d",
				len(b), limit, len(gotBeat.Vectors), vectors, len(gotBeat.Heard), heard)
		}
		for i, v := range gotBeat.Vectors {
			if sent := &beat.Vectors[i]; v.Origin != sent.Origin || i > 0 && !v.Set.Equal(&sent.Set) || !sent.Set.Covers(&v.Set) {
				t.Fatalf("vector %d is %v, sent %v", i, v, sent)
			}
		}
		nack := drawNack(w, t).(*Nack)
		b, wants, frags := w.encoder().AppendNack(nil, now, nack, limit)
		var gotNack Nack
		if _, err := w.decoder().Nack(b, w.self(), &gotNack); err != nil {
			t.Fatal(err)
		}
		if len(b) > limit || len(gotNack.Wants) != wants || len(gotNack.Frags) != frags {
			t.Fatalf("%d bytes of %d, %d wants of %d, %d fragment sets of %d",
				len(b), limit, len(gotNack.Wants), wants, len(gotNack.Frags), frags)
		}
	})
}

func TestListsThatAreTooLongAreCut(t *testing.T) {
	w := newWorld()
	var odd dots.Set
	for seq := uint64(1); seq < 40_000; seq += 2 {
		odd.Add(seq)
	}
	beat := Heartbeat{Full: true, State: Synced, Vectors: []Vector{{w.refs[1], odd}, {w.refs[2], odd}}, Heard: []Heard{{w.refs[1], true, false, 0}}}
	b, vectors, _ := w.encoder().AppendHeartbeat(nil, now, &beat, 1300)
	var got Heartbeat
	if _, err := w.decoder().Heartbeat(b, w.self(), &got); err != nil || vectors != 1 {
		t.Fatalf("%d vectors, error %v", vectors, err)
	}
	if set := &got.Vectors[0].Set; len(b) > 1300 || len(b) < 1290 || set.Max() != odd.Max() || !odd.Covers(set) {
		t.Errorf("%d bytes, up to %d", len(b), set.Max())
	}
	var ack Ack
	b = w.encoder().AppendAck(nil, now, &Ack{Set: odd}, unlimited)
	if _, err := w.decoder().Ack(b, w.self(), &ack); err != nil || ack.Set.Len() != MaxSetRanges || ack.Set.Max() != odd.Max() {
		t.Errorf("%d ranges up to %d, error %v", ack.Set.Len(), ack.Set.Max(), err)
	}
	nack := Nack{Wants: []Want{{w.refs[1], odd.Ranges()}}}
	b, _, _ = w.encoder().AppendNack(nil, now, &nack, 1300)
	var gotNack Nack
	if _, err := w.decoder().Nack(b, w.self(), &gotNack); err != nil || len(gotNack.Wants[0].Ranges) != MaxRanges ||
		gotNack.Wants[0].Ranges[0].Lo != 1 {
		t.Errorf("wants %v, error %v", gotNack.Wants, err)
	}
	offer := StreamOffer{State: Synced, Vectors: []Vector{{w.refs[1], odd}}}
	b, n := w.encoder().AppendStreamOffer(nil, now, &offer)
	var gotOffer StreamOffer
	if _, err := w.decoder().StreamOffer(b, &gotOffer); err != nil || n != 1 || gotOffer.Vectors[0].Set.Len() != MaxSetRanges {
		t.Errorf("%d vectors, error %v", n, err)
	}
}

func TestRangesThatTouchAreJoined(t *testing.T) {
	w := newWorld()
	nack := Nack{Wants: []Want{{w.refs[1], []dots.Range{{Lo: 1, Hi: 2}, {Lo: 3, Hi: 4}, {Lo: 4, Hi: 6}, {Lo: 8, Hi: 8}}}}}
	b, _, _ := w.encoder().AppendNack(nil, now, &nack, unlimited)
	var got Nack
	if _, err := w.decoder().Nack(b, w.self(), &got); err != nil {
		t.Fatal(err)
	}
	if r := got.Wants[0].Ranges; len(r) != 2 || r[0] != (dots.Range{Lo: 1, Hi: 6}) || r[1] != (dots.Range{Lo: 8, Hi: 8}) {
		t.Errorf("ranges %v", r)
	}
}
