package wire

import (
	"bytes"
	"encoding/hex"
	"errors"
	"testing"

	"github.com/sessioncast/sessioncast/internal/record"
)

// headerBytes is the header of goldenHeader written out by hand from the layout in docs/PROTOCOL.md.
const headerBytes = "7363" + "01" + "85" + "a1a2a3a4" +
	"0102030405060708" + "101112131415161718191a1b1c1d1e1f2021" +
	"1122334455667788"

func goldenHeader() Header {
	h := Header{Type: TypeRepair, Addressed: true, KeyID: [4]byte{0xa1, 0xa2, 0xa3, 0xa4}, Packet: 0x1122334455667788}
	for i := range h.Origin.Node {
		h.Origin.Node[i] = byte(i + 1)
	}
	for i := range h.Origin.Incarnation {
		h.Origin.Incarnation[i] = byte(0x10 + i)
	}
	return h
}

func TestHeaderBytesAreThoseOfTheLayout(t *testing.T) {
	want, err := hex.DecodeString(headerBytes)
	if err != nil {
		t.Fatal(err)
	}
	h := goldenHeader()
	got := AppendHeader([]byte("before"), &h)
	if string(got[:6]) != "before" || !bytes.Equal(got[6:], want) {
		t.Fatalf("AppendHeader = %x, want %x after the prefix", got, want)
	}
	var back Header
	if err := ParseHeader(append(want, "body"...), &back); err != nil || back != h {
		t.Fatalf("ParseHeader = %+v, %v; want %+v", back, err, h)
	}
}

func TestHeaderSizesAreThoseOfTheLayout(t *testing.T) {
	if HeaderSize != 42 || TagSize != 16 || Overhead != 58 {
		t.Fatalf("sizes %d, %d, %d; want 42, 16, 58", HeaderSize, TagSize, Overhead)
	}
}

func TestEveryTypeGoesThereAndBack(t *testing.T) {
	seen := map[string]bool{}
	for typ := TypeData; typ <= TypeResponse; typ++ {
		for _, addressed := range []bool{false, true} {
			h := Header{Type: typ, Addressed: addressed, Packet: 1}
			var back Header
			if err := ParseHeader(AppendHeader(nil, &h), &back); err != nil || back != h {
				t.Errorf("%v addressed %v: got %+v, %v", typ, addressed, back, err)
			}
		}
		if name := typ.String(); name == "" || seen[name] {
			t.Errorf("type %d has the name %q, empty or taken", typ, name)
		} else {
			seen[name] = true
		}
	}
	if len(seen) != 14 {
		t.Errorf("%d types, want 14", len(seen))
	}
	if got := Type(99).String(); got != "TYPE-99" {
		t.Errorf("unknown type prints %q", got)
	}
}

func TestParseHeaderRefuses(t *testing.T) {
	edit := func(at int, to byte) func([]byte) []byte {
		return func(b []byte) []byte { b[at] = to; return b }
	}
	tests := []struct {
		name string
		edit func([]byte) []byte
		want error
	}{
		{"nothing at all", func([]byte) []byte { return nil }, ErrShort},
		{"one byte less than a header", func(b []byte) []byte { return b[:HeaderSize-1] }, ErrShort},
		{"a wrong first byte", edit(0, 'S'), ErrMagic},
		{"a wrong second byte", edit(1, 'd'), ErrMagic},
		{"version 0", edit(2, 0), ErrVersion},
		{"a later version", edit(2, 2), ErrVersion},
		{"type 0", edit(3, 0), ErrType},
		{"type 0, addressed", edit(3, 0x80), ErrType},
		{"the first type beyond the last", edit(3, byte(typeLast)+1), ErrType},
		{"type 127, addressed", edit(3, 0xff), ErrType},
		{"the original package's JSON", func([]byte) []byte {
			return []byte(`{"type":"hello","data":{"id":"8c0c1a3e","address":"10.0.0.1"}}`)
		}, ErrMagic},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := goldenHeader()
			got := Header{Packet: 77}
			if err := ParseHeader(tt.edit(AppendHeader(nil, &h)), &got); !errors.Is(err, tt.want) {
				t.Fatalf("error %v, want %v", err, tt.want)
			}
			if got != (Header{Packet: 77}) {
				t.Errorf("header changed by a refused frame: %+v", got)
			}
		})
	}
}

func TestHeaderAllocatesNothing(t *testing.T) {
	h, buf := goldenHeader(), make([]byte, 0, HeaderSize)
	if n := testing.AllocsPerRun(100, func() {
		var back Header
		if ParseHeader(AppendHeader(buf, &h), &back) != nil || ParseHeader(buf[:3], &back) == nil {
			t.Error("round trip failed")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzParseHeader(f *testing.F) {
	h := goldenHeader()
	f.Add(AppendHeader(nil, &h))
	f.Add([]byte("sc"))
	f.Fuzz(func(t *testing.T, b []byte) {
		var h Header
		if ParseHeader(b, &h) != nil {
			return
		}
		if back := AppendHeader(nil, &h); !bytes.Equal(back, b[:HeaderSize]) {
			t.Errorf("%x parsed and appended gives %x", b[:HeaderSize], back)
		}
		if h.Origin != record.OriginFrom(b[8:34]) {
			t.Errorf("origin %v", h.Origin)
		}
	})
}
