package dots

import (
	"bytes"
	"encoding/hex"
	"errors"
	"testing"

	"pgregory.net/rapid"
)

func TestBytesAreThoseOfTheForm(t *testing.T) {
	tests := []struct {
		name string
		set  *Set
		want string
	}{
		{"nothing", setOf(), "00"},
		{"1 alone", setOf(Range{1, 1}), "010000"},
		{"1 to 300", setOf(Range{1, 300}), "0100ab02"},
		{"two ranges with the least hole", setOf(Range{2, 4}, Range{6, 6}), "0201020000"},
		{"a wide hole", setOf(Range{1, 1}, Range{1000, 1001}), "020000e50701"},
		{"everything", setOf(Range{1, top}), "0100feffffffffffffffff01"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := tt.set.AppendTo([]byte("x"))
			if got := hex.EncodeToString(b[1:]); b[0] != 'x' || got != tt.want {
				t.Fatalf("AppendTo = %s, want %s", got, tt.want)
			}
			back, rest, err := Parse(append(b[1:], "rest"...), tt.set.Len())
			if err != nil || !back.Equal(tt.set) || string(rest) != "rest" {
				t.Fatalf("Parse = %v, %q, %v", back.Ranges(), rest, err)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	const all = "feffffffffffffffff01" // from 1 to the highest number
	tests := []struct {
		name, hex string
		want      error
	}{
		{"nothing", "", ErrShort},
		{"half a count", "80", ErrShort},
		{"a range without its length", "0100", ErrShort},
		{"a length cut in half", "010080", ErrShort},
		{"one range of two", "020000", ErrShort},
		{"more ranges than allowed", "0500000000000000000000", ErrTooMany},
		{"a count near the limit of its type", "ffffffffffffffffff01", ErrTooMany},
		{"a count in a longer form", "8000", ErrMalformed},
		{"a skip in a longer form", "01800000", ErrMalformed},
		{"a length in a longer form", "01008000", ErrMalformed},
		{"a varint of eleven bytes", "ffffffffffffffffffff01", ErrMalformed},
		{"a start beyond the highest number", "01ffffffffffffffffff0100", ErrMalformed},
		{"an end beyond the highest number", "0101" + "ffffffffffffffffff01", ErrMalformed},
		{"a range behind the highest number", "0200" + all + "0000", ErrMalformed},
		{"a range behind the last but one", "0200" + "fdffffffffffffffff01" + "0000", ErrMalformed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b, err := hex.DecodeString(tt.hex)
			if err != nil {
				t.Fatal(err)
			}
			if s, rest, err := Parse(b, 4); !errors.Is(err, tt.want) || !s.Empty() || rest != nil {
				t.Fatalf("Parse = %v, %x, %v; want %v", s.Ranges(), rest, err, tt.want)
			}
		})
	}
}

func TestParseOfNegativeLimitTakesTheEmptySetOnly(t *testing.T) {
	if _, _, err := Parse([]byte{0}, -1); err != nil {
		t.Error(err)
	}
	if _, _, err := Parse([]byte{1, 0, 0}, -1); !errors.Is(err, ErrTooMany) {
		t.Error(err)
	}
}

func TestSetGoesThereAndBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := new(Set)
		for range rapid.IntRange(0, 20).Draw(t, "ranges") {
			lo := rapid.Uint64().Draw(t, "lo")
			s.AddRange(lo, lo+rapid.Uint64Range(0, 1000).Draw(t, "length"))
		}
		b := s.AppendTo(nil)
		back, rest, err := Parse(b, s.Len())
		if err != nil || len(rest) != 0 || !back.Equal(s) {
			t.Fatalf("Parse = %v, %x, %v; want %v", back.Ranges(), rest, err, s.Ranges())
		}
		if s.Empty() {
			return
		}
		if _, _, err := Parse(b, s.Len()-1); !errors.Is(err, ErrTooMany) {
			t.Fatalf("one range too many: %v", err)
		}
		cut := rapid.IntRange(0, len(b)-1).Draw(t, "cut")
		if _, _, err := Parse(b[:cut], s.Len()); !errors.Is(err, ErrShort) {
			t.Fatalf("cut at %d of %d: %v", cut, len(b), err)
		}
	})
}

func FuzzParse(f *testing.F) {
	f.Add([]byte{0})
	f.Add(setOf(Range{1, 300}, Range{302, 302}, Range{top, top}).AppendTo(nil))
	f.Add([]byte{2, 0, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		const limit = 64
		s, rest, err := Parse(b, limit)
		if err != nil {
			return
		}
		if s.Len() > limit {
			t.Fatalf("%d ranges", s.Len())
		}
		if back := s.AppendTo(nil); !bytes.Equal(back, b[:len(b)-len(rest)]) {
			t.Fatalf("%x has the other form %x", b, back)
		}
		again := new(Set)
		for _, r := range s.Ranges() {
			again.AddRange(r.Lo, r.Hi)
		}
		if !again.Equal(&s) {
			t.Fatalf("%v is not in order", s.Ranges())
		}
	})
}
