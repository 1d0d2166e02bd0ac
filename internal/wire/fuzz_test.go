package wire

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// fuzz feeds c anything: what parses must mean the same once it is appended and parsed again.
func fuzz(f *testing.F, c codec) {
	seeds := vectorBodies(f, c)
	if len(seeds) == 0 {
		f.Fatalf("no vector is a %s", c.name)
	}
	for _, b := range seeds {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		w := newWorld()
		first, stamp, err := c.parse(w, b)
		if err != nil {
			return
		}
		again, stamp2, err := c.parse(w, c.append(w, stamp, first))
		if err != nil || stamp2 != stamp {
			t.Fatalf("stamp %v, then %v, error %v", stamp, stamp2, err)
		}
		if diff := cmp.Diff(first, again, same); diff != "" {
			t.Fatalf("differs (-first +again):\n%s", diff)
		}
	})
}

func FuzzBatch(f *testing.F)     { fuzz(f, codecOf("batch")) }
func FuzzFragment(f *testing.F)  { fuzz(f, codecOf("fragment")) }
func FuzzHeartbeat(f *testing.F) { fuzz(f, codecOf("heartbeat")) }
func FuzzNack(f *testing.F)      { fuzz(f, codecOf("nack")) }
func FuzzHello(f *testing.F)     { fuzz(f, codecOf("hello")) }
func FuzzGreet(f *testing.F)     { fuzz(f, codecOf("greet")) }
func FuzzLeave(f *testing.F)     { fuzz(f, codecOf("leave")) }
func FuzzProbe(f *testing.F)     { fuzz(f, codecOf("probe")) }
func FuzzProbeReq(f *testing.F)  { fuzz(f, codecOf("probe request")) }
func FuzzDoubt(f *testing.F)     { fuzz(f, codecOf("doubt")) }
func FuzzAck(f *testing.F)       { fuzz(f, codecOf("ack")) }
func FuzzChallenge(f *testing.F) { fuzz(f, codecOf("challenge")) }
func FuzzResponse(f *testing.F)  { fuzz(f, codecOf("response")) }
func FuzzStreamPull(f *testing.F) {
	e := newWorld().encoder()
	f.Add(e.AppendStreamPull(nil, now, &StreamPull{Cursor: 1, Fingerprints: make([]uint64, 2*MinFingerprints)}))
	fuzz(f, codecOf("stream pull"))
}
func FuzzStreamOffer(f *testing.F)  { fuzz(f, codecOf("stream offer")) }
func FuzzStreamChunk(f *testing.F)  { fuzz(f, codecOf("stream chunk")) }
func FuzzStreamEnd(f *testing.F)    { fuzz(f, codecOf("stream end")) }
func FuzzStreamWatch(f *testing.F)  { fuzz(f, codecOf("stream watch")) }
func FuzzStreamLookup(f *testing.F) { fuzz(f, codecOf("stream lookup")) }
func FuzzStreamFound(f *testing.F)  { fuzz(f, codecOf("stream found")) }

func FuzzItem(f *testing.F) {
	w := newWorld()
	for _, v := range w.vectors() {
		if b, ok := v.value.(*Batch); ok {
			for i := range b.Items {
				f.Add(w.encoder().AppendItem(nil, &b.Items[i]))
			}
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		w := newWorld()
		var first, again Item
		if w.decoder().ParseItem(b, &first) != nil {
			return
		}
		if err := w.decoder().ParseItem(w.encoder().AppendItem(nil, &first), &again); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(first, again, same); diff != "" {
			t.Fatalf("differs (-first +again):\n%s", diff)
		}
	})
}

// FuzzDebug looks for bytes that the debug form, which parses every type, cannot take.
func FuzzDebug(f *testing.F) {
	f.Add(byte(TypeData), []byte("12345678\x00\x00"))
	f.Fuzz(func(t *testing.T, typ byte, body []byte) {
		h := Header{Type: Type(typ), Origin: testOrigin(1)}
		if Debug(&h, body, nil, nil) == "" || DebugStream(StreamType(typ), body, nil, nil) == "" {
			t.Error("nothing to show")
		}
	})
}
