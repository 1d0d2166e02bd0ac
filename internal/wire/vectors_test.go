package wire

import (
	"bytes"
	"encoding/hex"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sessioncast/sessioncast/internal/dots"
	"github.com/sessioncast/sessioncast/internal/record"
)

var update = flag.Bool("update", false, "write testdata/vectors anew")

const vectorsDir = "testdata/vectors"

// vector is a frame or stream message as another implementation must make and read it.
type vector struct {
	name  string
	codec string
	typ   Type // where the codec has several
	value any
}

func (w *world) vectors() []vector {
	id := record.Version{At: now - 65536*5, By: w.refs[1]}
	value := func(s string, v record.Version) record.Value { return record.Value{Version: v, Bytes: []byte(s)} }
	key := record.Key{Name: "sess:0123"}
	tomb := record.Tombstone{At: now.Next(), Until: now.Millis() + 86_410_000, Hold: now.Next() + 60_000<<16}
	owned := value("secret", id)
	owned.Type, owned.Owner = 1, "alice"
	crowded := record.State{Tomb: tomb, Births: []record.Birth{
		{ID: record.Version{At: now + 9, By: w.self()}, Seq: 40, Value: value("", record.Version{At: now + 10, By: w.refs[2]}), Weak: true, Latest: 5},
		{ID: id, Seq: 39, Value: owned, Deadline: record.Deadline{Version: id}, Latest: id.At.Millis() + 86_400_000, Span: 86_400_000,
			Absolute: id.At.Millis() + 43_200_000},
	}}
	parts := make([]uint64, MinFingerprints)
	parts[0], parts[MinFingerprints-1] = 0x0102030405060708, 1
	touch := record.State{Births: []record.Birth{{ID: id, Seq: 2,
		Deadline: record.Deadline{Version: record.Version{At: now, By: w.self()}, Due: now.Millis() + 1_800_000, Promise: now.Millis() + 1_912_500},
		Latest:   now.Millis() + 1_912_500, Span: 1_800_000}}}
	set := func(ranges ...dots.Range) (s dots.Set) {
		for _, r := range ranges {
			s.AddRange(r.Lo, r.Hi)
		}
		return s
	}
	two := []Vector{{w.self(), set(dots.Range{Lo: 1, Hi: 5000})}, {w.refs[2], set(dots.Range{Lo: 1, Hi: 3}, dots.Range{Lo: 5, Hi: 5})}}
	update := w.update(w.self())
	update.State.Births[0].Value.Bytes = []byte("{}")
	fields := w.update(w.self())
	latest := &fields.State.Births[0]
	latest.Value = record.Patched(record.Version{At: now, By: w.self()}, "alice", record.Version{At: latest.Value.At, By: w.refs[2]}, []byte("{}"), []record.Field{
		{Name: "cart", At: now, Bytes: []byte("[1,2]")}, {Name: "flash", At: latest.Value.At + 1, Removed: true}})
	latest.Value.Hash = w.origins.ValueHash(&latest.Value)
	news := []Item{{Kind: KindState, Key: key, State: crowded}, {Kind: KindNothing, Key: record.Key{DB: 15, Name: "gone"}}}
	return []vector{
		{"data-empty", "batch", TypeData, &Batch{}},
		{"data-update", "batch", TypeData, &Batch{AckFrom: []record.NodeID{w.node(1), w.node(2)}, Items: []Item{update}}},
		{"data-fields", "batch", TypeData, &Batch{Items: []Item{fields}}},
		{"data-touch", "batch", TypeData, &Batch{Items: []Item{{Origin: w.self(), Dots: []uint64{8}, Kind: KindTouch, Key: key, State: touch}}}},
		{"data-destroy", "batch", TypeData, &Batch{Items: []Item{{Origin: w.self(), Dots: []uint64{6, 7, 9}, Kind: KindState, Key: key, State: record.State{Tomb: tomb}}}}},
		{"data-flush", "batch", TypeData, &Batch{Items: []Item{{Origin: w.self(), Dots: []uint64{10}, Kind: KindState, Key: record.FloorKey(3),
			State: record.State{Tomb: record.Tombstone{At: now}}}}}},
		{"repair-mixed", "batch", TypeRepair, &Batch{Items: []Item{
			{Origin: w.refs[1], Dots: []uint64{39}, Kind: KindState, Key: key, State: crowded},
			{Origin: w.refs[1], Dots: []uint64{1, 2, 3, 70}, Kind: KindNothing, Key: record.Key{DB: 1, Name: "gone"}},
			{Origin: w.refs[3], Dots: []uint64{1 << 40}, Kind: KindPull},
		}}},
		{"frag", "fragment", 0, &Fragment{AckFrom: []record.NodeID{w.node(4)}, Origin: w.self(), Dots: []uint64{11, 12}, ID: 0x0123456789abcdef,
			Total: 1210, Size: 1200, Index: 1, Bytes: []byte("0123456789")}},
		{"frag-repair", "fragment", 0, &Fragment{Origin: w.refs[1], ID: 1, Total: 4, Size: 512, Repair: true, Bytes: []byte("efgh")}},
		{"nack", "nack", 0, &Nack{Wants: []Want{{w.refs[1], []dots.Range{{Lo: 4, Hi: 4}, {Lo: 9, Hi: 12}}}},
			Frags: []FragWant{{w.refs[1], 20, 0xfeed, []dots.Range{{Lo: 1, Hi: 1}}}}}},
		{"heartbeat-tail", "heartbeat", 0, &Heartbeat{High: 5000, Sent: 1200}},
		{"heartbeat-steady", "heartbeat", 0, &Heartbeat{High: 5000, Sent: 1201, Full: true, State: Synced, Name: "web-1", Sessions: 312, Bytes: 400_000,
			FullPct: 2, WallMillis: now.Millis(), KeyIDs: [][4]byte{{0xa1, 0xa2, 0xa3, 0xa4}}, Config: 1, VectorHash: 2, DeadHash: 3,
			Epoch: uint64(now.Millis()) / record.EpochMillis, Root: 4, Made: 9, Vectors: two,
			Heard: []Heard{{w.refs[2], true, false, 3}, {w.refs[3], false, false, 200}}}},
		{"heartbeat-shut", "heartbeat", 0, &Heartbeat{High: 1, Sent: 2, Full: true, Incomplete: true, State: Synced, Name: "web-1", WallMillis: now.Millis(), Heard: []Heard{{w.refs[2], true, true, 3}}}},
		{"ack", "ack", 0, &Ack{Set: two[1].Set}},
		{"hello", "hello", 0, &Hello{Name: "web-1", State: Joining}},
		{"greet", "greet", 0, &Greet{Name: "web-1", State: Synced, Sessions: 312, Bytes: 400_000, Dots: 5004, FullPct: 7,
			Peers: []netip.AddrPort{netip.MustParseAddrPort("10.0.1.4:4000"), netip.MustParseAddrPort("[fd00::4]:4001")}}},
		{"leave", "leave", 0, &Leave{High: 5000}},
		{"probe", "probe", TypeProbe, &Probe{Nonce: 0x0102030405060708}},
		{"probe-ack", "probe", TypeProbeAck, &Probe{Nonce: 0x0102030405060708}},
		{"probe-req", "probe request", 0, &ProbeReq{Target: w.refs[4], Nonce: 0x0102030405060708}},
		{"doubt", "doubt", 0, &Doubt{Target: w.refs[4]}},
		{"challenge", "challenge", 0, &Challenge{Nonce: Nonce{1, 15: 16}}},
		{"response", "response", 0, &Response{Nonce: Nonce{1, 15: 16}, Challenge: Nonce{2}, High: 5000}},
		{"stream-pull", "stream pull", 0, &StreamPull{Cursor: 1 << 52}},
		{"stream-pull-compare", "stream pull", 0, &StreamPull{Cursor: 1 << 52, Fingerprints: parts}},
		{"stream-offer", "stream offer", 0, &StreamOffer{State: Synced, Epoch: 180_000_000, Vectors: two,
			Marks: []Marks{{Origin: two[0].Origin, List: []Mark{{3, 1_700_000_000_000}, {9, 1_700_000_900_000}}}}}},
		{"stream-chunk", "stream chunk", 0, &StreamChunk{Items: news, Cursor: 1 << 60}},
		{"stream-end", "stream end", 0, nil},
		{"stream-watch", "stream watch", 0, nil},
		{"stream-lookup", "stream lookup", 0, &StreamLookup{Keys: []record.Key{key, {DB: 15, Name: "gone"}}}},
		{"stream-found", "stream found", 0, &StreamFound{Items: news}},
	}
}

func (w *world) node(i int) record.NodeID { return w.origins.Origin(w.refs[i]).Node }

// text is a vector's file.
func (v vector) text(w *world) string {
	c := codecOf(v.codec)
	body := c.append(w, now, v.value)
	if c.stream != 0 {
		return fmt.Sprintf("stream %d\nbody %x\ndebug %s\n", c.stream, body, DebugStream(c.stream, body, nil, nil))
	}
	h := Header{Type: c.typ, KeyID: [4]byte{0xa1, 0xa2, 0xa3, 0xa4}, Origin: testOrigin(1), Packet: 77}
	if v.typ != 0 {
		h.Type = v.typ
	}
	h.Addressed = h.Type != TypeData && h.Type != TypeHeartbeat && h.Type != TypeHello && h.Type != TypeLeave
	return fmt.Sprintf("header %x\nbody %x\ndebug %s\n", AppendHeader(nil, &h), body, Debug(&h, body, nil, nil))
}

func TestVectors(t *testing.T) {
	w := newWorld()
	known := map[string]bool{}
	for _, v := range w.vectors() {
		path := filepath.Join(vectorsDir, v.name+".txt")
		known[path] = true
		got := v.text(w)
		if *update {
			writeFile(t, path, got)
		}
		want, err := os.ReadFile(path)
		if err != nil || got != string(want) {
			t.Errorf("%s: %v; have\n%swant\n%s", v.name, err, got, want)
		}
		if strings.Contains(got, "malformed") {
			t.Errorf("%s does not parse", v.name)
		}
	}
	for _, path := range vectorFiles(t) {
		if !known[path] {
			t.Errorf("%s is no vector any more", path)
		}
	}
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func vectorFiles(t testing.TB) []string {
	paths, err := filepath.Glob(filepath.Join(vectorsDir, "*.txt"))
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

// vectorBodies are the bodies of the files whose frames or messages c parses: the fuzzers' seeds.
func vectorBodies(t testing.TB, c codec) (bodies [][]byte) {
	for _, path := range vectorFiles(t) {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		first, rest, _ := bytes.Cut(text, []byte("\n"))
		kind := fmt.Appendf(nil, "header 736301%02x", byte(c.typ))
		if c.stream != 0 {
			kind = fmt.Appendf(nil, "stream %d", c.stream)
		} else if len(first) > 14 {
			b, err := hex.DecodeString(string(first[13:15]))
			if err != nil {
				t.Fatal(err)
			}
			copy(first[13:], fmt.Appendf(nil, "%02x", b[0]&^addressedBit))
		}
		if !bytes.HasPrefix(first, kind) {
			continue
		}
		body, _, _ := bytes.Cut(bytes.TrimPrefix(rest, []byte("body ")), []byte("\n"))
		b, err := hex.DecodeString(string(body))
		if err != nil {
			t.Fatal(err)
		}
		bodies = append(bodies, b)
	}
	return bodies
}

// Debug forms end up in logs, where nothing of a session may stand.
func TestVectorsShowNothingOfASession(t *testing.T) {
	for _, path := range vectorFiles(t) {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		_, debug, _ := strings.Cut(string(text), "\ndebug ")
		for _, secret := range []string{"sess:", "0123 ", "gone", "secret", "alice", "efgh"} {
			if strings.Contains(debug, secret) {
				t.Errorf("%s shows %q", path, secret)
			}
		}
	}
}
