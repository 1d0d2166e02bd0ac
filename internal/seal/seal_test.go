package seal

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/sessioncast/sessioncast/internal/record"
	"github.com/sessioncast/sessioncast/internal/replay"
	"github.com/sessioncast/sessioncast/internal/wire"
)

// originOf is an origin of one repeated byte.
func originOf(b byte) record.Origin {
	return record.OriginFrom(bytes.Repeat([]byte{b}, record.OriginSize))
}

var alice, bob, carol = originOf(0xa1), originOf(0xb0), originOf(0xca)

// pair is alice's Sealer and bob's Opener of one keyring; alice is admitted.
func pair(t testing.TB) (*Sealer, *Opener) {
	t.Helper()
	k := ringOf(t, "test", keyOf(1))
	s, o := NewSealer(k, alice), NewOpener(k, bob)
	if !o.Admit(alice, 0) {
		t.Fatal("not admitted")
	}
	return s, o
}

// wantOpen opens a copy of frame, by both ways of Open, and wants body.
func wantOpen(t *testing.T, o *Opener, frame []byte, body string, proven bool) wire.Header {
	t.Helper()
	op, err := o.Open(nil, bytes.Clone(frame))
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	if string(op.Body) != body || op.Proven != proven {
		t.Fatalf("body %q, proven %v; want %q, %v", op.Body, op.Proven, body, proven)
	}
	return op.Header
}

// wantRefused opens a copy of frame and wants the error itself, not one that wraps it.
func wantRefused(t *testing.T, o *Opener, frame []byte, want error) {
	t.Helper()
	op, err := o.Open(nil, bytes.Clone(frame))
	if err != want {
		t.Fatalf("Open: %v, want %v", err, want)
	}
	if op.Body != nil || op.Proven {
		t.Fatalf("refused, and yet body %q, proven %v", op.Body, op.Proven)
	}
}

func TestWhatIsSealedOpens(t *testing.T) {
	s, o := pair(t)
	for i, body := range []string{"hello", "", string(bytes.Repeat([]byte("x"), 1342))} {
		for _, to := range []*record.Origin{nil, &bob} {
			packet := s.Packet()
			frame := s.Seal([]byte("before"), wire.TypeRepair, to, []byte(body))
			if string(frame[:6]) != "before" || len(frame) != 6+wire.Overhead+len(body) {
				t.Fatalf("frame of %d bytes", len(frame))
			}
			h := wantOpen(t, o, frame[6:], body, true)
			want := wire.Header{Type: wire.TypeRepair, Addressed: to != nil, KeyID: s.ring.PrimaryID(), Origin: alice, Packet: packet}
			if h != want {
				t.Fatalf("body %d: header %+v, want %+v", i, h, want)
			}
		}
	}
}

func TestPacketNumbersStartAtOneAndGrow(t *testing.T) {
	s, o := pair(t)
	for want := uint64(1); want < 5; want++ {
		if s.Packet() != want {
			t.Fatalf("next packet %d, want %d", s.Packet(), want)
		}
		if h := wantOpen(t, o, s.Seal(nil, wire.TypeData, nil, nil), "", true); h.Packet != want {
			t.Fatalf("packet %d, want %d", h.Packet, want)
		}
	}
}

func TestBeginAndFinishSealInPlace(t *testing.T) {
	s, o := pair(t)
	buf := make([]byte, 0, 200)
	buf = append(buf, "before"...)
	frame := append(s.Begin(buf, wire.TypeAck, true), "body"...)
	sealed := s.Finish(frame, 6, bob)
	if &sealed[0] != &buf[:1][0] {
		t.Error("Finish moved a frame that had room for its tag")
	}
	if h := wantOpen(t, o, sealed[6:], "body", true); h.Type != wire.TypeAck || !h.Addressed {
		t.Errorf("header %+v", h)
	}
	// And where there is no room.
	tight := append(s.Begin(nil, wire.TypeData, false), "tight"...)
	wantOpen(t, o, s.Finish(tight[:len(tight):len(tight)], 0, record.Origin{}), "tight", true)
}

func TestFinishInAnyOrderButOnlyOnce(t *testing.T) {
	s, o := pair(t)
	s.last = 1<<epochBits - 2
	first := append(s.Begin(make([]byte, 0, 100), wire.TypeData, false), "first"...)
	second := append(s.Begin(make([]byte, 0, 100), wire.TypeData, false), "second"...)
	again := bytes.Clone(first)
	wantOpen(t, o, s.Finish(second, 0, record.Origin{}), "second", true)
	sealed := s.Finish(first, 0, record.Origin{})
	wantOpen(t, o, sealed, "first", true)
	for name, frame := range map[string][]byte{"its plain copy": again, "the sealed frame": sealed} {
		before := bytes.Clone(frame)
		if s.Finish(frame, 0, record.Origin{}) != nil || !bytes.Equal(frame, before) {
			t.Errorf("%s was sealed under a nonce used before", name)
		}
	}
}

func TestFinishRefuses(t *testing.T) {
	at := func(i int, b byte) func([]byte) []byte {
		return func(frame []byte) []byte { frame[i] = b; return frame }
	}
	same := func(frame []byte) []byte { return frame }
	tests := []struct {
		name      string
		addressed bool
		to        record.Origin
		start     int
		edit      func([]byte) []byte
	}{
		{"an addressed frame without destination", true, record.Origin{}, 0, same},
		{"a destination for a frame that is not addressed", false, bob, 0, same},
		{"a start before the buffer", false, record.Origin{}, -1, same},
		{"a start behind the buffer", false, record.Origin{}, 1000, same},
		{"a wrong start", false, record.Origin{}, 1, same},
		{"less than a header", false, record.Origin{}, 0, func(f []byte) []byte { return f[:wire.HeaderSize-1] }},
		{"a packet number not given out", false, record.Origin{}, 0, at(41, 99)},
		{"packet 0", false, record.Origin{}, 0, at(41, 0)},
		{"another origin", false, record.Origin{}, 0, at(8, 0)},
		{"another key", false, record.Origin{}, 0, func(f []byte) []byte { f[4] ^= 1; return f }},
		{"no type", false, record.Origin{}, 0, at(3, 0)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, o := pair(t)
			frame := tt.edit(append(s.Begin(nil, wire.TypeData, tt.addressed), "secret"...))
			if s.Finish(frame, tt.start, tt.to) != nil {
				t.Error("sealed")
			}
			if s.Packet() != 2 {
				t.Errorf("next packet %d: the number of a failed frame is given out again", s.Packet())
			}
			wantOpen(t, o, s.Seal(nil, wire.TypeData, nil, nil), "", true)
		})
	}
}

func TestSealToNobodyIsRefused(t *testing.T) {
	s, _ := pair(t)
	if s.Seal(nil, wire.TypeData, &record.Origin{}, nil) != nil || s.Packet() != 2 {
		t.Error("sealed for the zero origin, or its number is given out again")
	}
}

func TestAFrameBegunBeforeAKeyChangeIsNotFinished(t *testing.T) {
	s, o := pair(t)
	frame := s.Begin(nil, wire.TypeData, false)
	next := ringOf(t, "test", keyOf(2), keyOf(1))
	s.SetKeyring(next)
	if s.Finish(frame, 0, record.Origin{}) != nil {
		t.Error("sealed with the new key under the old id")
	}
	fresh := s.Seal(nil, wire.TypeData, nil, []byte("new"))
	wantRefused(t, o, fresh, ErrKey)
	o.SetKeyring(next)
	wantOpen(t, o, fresh, "new", true)
}

func TestKeysRotateWithoutRestart(t *testing.T) {
	older, newer := keyOf(1), keyOf(2)
	s, o := pair(t)
	seal := func() []byte { return s.Seal(nil, wire.TypeData, nil, []byte("x")) }
	warm, late := seal(), seal()
	wantOpen(t, o, warm, "x", true)

	o.SetKeyring(ringOf(t, "test", older, newer)) // 1. add everywhere
	wantOpen(t, o, seal(), "x", true)
	s.SetKeyring(ringOf(t, "test", newer, older)) // 2. make primary
	h := wantOpen(t, o, seal(), "x", true)
	if h.KeyID != ringOf(t, "test", newer).PrimaryID() || h.Packet != 4 {
		t.Errorf("header %+v", h)
	}
	wantOpen(t, o, late, "x", true)        // one of the old key still under way
	o.SetKeyring(ringOf(t, "test", newer)) // 3. remove
	wantOpen(t, o, seal(), "x", true)
	wantRefused(t, o, warm, ErrKey)
	o.SetKeyring(ringOf(t, "test", newer, older))
	wantRefused(t, o, warm, ErrReplay) // the windows outlive every change
}

func TestAKeyChangeDropsTheOldCiphers(t *testing.T) {
	s, o := pair(t)
	wantOpen(t, o, s.Seal(nil, wire.TypeData, nil, []byte("x")), "x", true)
	stranger := NewSealer(s.ring, carol).Seal(nil, wire.TypeHello, nil, []byte("x"))
	wantOpen(t, o, stranger, "x", false)
	o.SetKeyring(ringOf(t, "test", keyOf(2)))
	if o.admitted[alice].ciphers != [2]senderCipher{} || len(o.strangers) != 0 {
		t.Error("ciphers of a removed key are kept")
	}
}

func TestEveryBitOfAFrameCounts(t *testing.T) {
	s, o := pair(t)
	for _, to := range []*record.Origin{nil, &bob} {
		frame := s.Seal(nil, wire.TypeData, to, []byte("a session"))
		for bit := range len(frame) * 8 {
			forged := bytes.Clone(frame)
			forged[bit/8] ^= 1 << (bit % 8)
			if op, err := o.Open(nil, forged); err == nil || op.Body != nil {
				t.Fatalf("bit %d of byte %d flipped, and it opens", bit%8, bit/8)
			}
		}
		wantOpen(t, o, frame, "a session", true) // none of the forgeries marked its number
	}
}

func TestTruncatedAndExtendedFramesAreRefused(t *testing.T) {
	s, o := pair(t)
	frame := s.Seal(nil, wire.TypeData, nil, []byte("a session"))
	for n := range frame {
		want := ErrTag
		if n < wire.Overhead {
			want = wire.ErrShort
		}
		wantRefused(t, o, frame[:n], want)
	}
	wantRefused(t, o, append(bytes.Clone(frame), 0), ErrTag)
	wantOpen(t, o, frame, "a session", true)
}

func TestFramesForOthersAreRefused(t *testing.T) {
	k := ringOf(t, "test", keyOf(1), keyOf(2))
	frame := NewSealer(k, alice).Seal(nil, wire.TypeData, &carol, []byte("for carol"))
	tests := []struct {
		name string
		ring *Keyring
		self record.Origin
		want error
	}{
		{"another destination", k, bob, ErrTag},
		{"the sender itself", k, alice, ErrOwn},
		{"another cluster name", ringOf(t, "prod", keyOf(1)), carol, ErrKey},
		{"another key", ringOf(t, "test", keyOf(2)), carol, ErrKey},
		{"the public key", ringOf(t, "test", InsecureKey()), carol, ErrKey},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { wantRefused(t, NewOpener(tt.ring, tt.self), frame, tt.want) })
	}
	wantOpen(t, NewOpener(ringOf(t, "test", keyOf(3), keyOf(1)), carol), frame, "for carol", false)
}

func TestAKeyIDAloneOpensNothing(t *testing.T) {
	frame := NewSealer(ringOf(t, "test", keyOf(2)), alice).Seal(nil, wire.TypeData, nil, []byte("x"))
	other := ringOf(t, "test", keyOf(1))
	id := other.PrimaryID()
	copy(frame[4:8], id[:])
	wantRefused(t, NewOpener(other, bob), frame, ErrTag)
}

func TestNoPairOfKeyAndNonceRepeats(t *testing.T) {
	type pairOf struct{ key, nonce string }
	seen := map[pairOf]string{}
	k := ringOf(t, "test", keyOf(1))
	for _, self := range []record.Origin{alice, bob} {
		s := NewSealer(k, self)
		for _, from := range []uint64{0, 1<<epochBits - 50, 2<<epochBits - 50, 1<<epochBits*7 - 50} {
			s.last = from
			for range 100 {
				var h wire.Header
				if err := wire.ParseHeader(s.Seal(nil, wire.TypeData, nil, nil), &h); err != nil {
					t.Fatal(err)
				}
				key := hkdfOf(t, keyOf(1), senderInfo("test", self, h.Packet>>22), 32)
				p := pairOf{string(key), string(bytes.Clone(s.scratch.nonce[:]))}
				here := fmt.Sprintf("%v packet %d", self.Node, h.Packet)
				if other, ok := seen[p]; ok {
					t.Fatalf("%s and %s share key and nonce", other, here)
				}
				seen[p] = here
			}
		}
	}
	if len(seen) != 2*4*100 {
		t.Errorf("%d pairs", len(seen))
	}
}

func TestSenderKeysChangeEvery4194304Packets(t *testing.T) {
	s, o := pair(t)
	s.last = 1<<22 - 2
	before, after := s.Seal(nil, wire.TypeData, nil, []byte("1")), s.Seal(nil, wire.TypeData, nil, []byte("2"))
	for i, frame := range [][]byte{before, after} {
		epoch := uint64(i)
		if want := referenceFrame(t, frame[:wire.HeaderSize], "test", keyOf(1), epoch, nil, []byte{byte('1' + i)}); !bytes.Equal(frame, want) {
			t.Errorf("frame of epoch %d is %x, want %x", epoch, frame, want)
		}
	}
	wantOpen(t, o, after, "2", true)
	wantOpen(t, o, before, "1", true)
	if len(o.admitted[alice].ciphers) != 2 || o.admitted[alice].ciphers[1].epoch != 1 {
		t.Error("the later epoch's cipher is gone")
	}
}

func TestReplaysAreRefused(t *testing.T) {
	s, o := pair(t)
	frames := make([][]byte, replay.Size+3)
	for i := range frames {
		frames[i] = s.Seal(nil, wire.TypeData, nil, []byte("x"))
	}
	last := len(frames) - 1
	wantOpen(t, o, frames[1], "x", true)
	wantRefused(t, o, frames[1], ErrReplay)
	wantOpen(t, o, frames[0], "x", true)
	wantOpen(t, o, frames[last], "x", true)
	wantRefused(t, o, frames[2], ErrReplay) // too old
	wantOpen(t, o, frames[3], "x", true)
	wantRefused(t, o, frames[3], ErrReplay)
}

func TestAForgeryDoesNotMoveTheWindow(t *testing.T) {
	s, o := pair(t)
	first := s.Seal(nil, wire.TypeData, nil, []byte("1"))
	s.last = 1 << 40
	forged := s.Seal(nil, wire.TypeData, nil, []byte("2"))
	forged[len(forged)-1] ^= 1
	wantRefused(t, o, forged, ErrTag)
	wantOpen(t, o, first, "1", true)
}

func TestOnlyTheAdmittedAreProven(t *testing.T) {
	k := ringOf(t, "test", keyOf(1))
	s, o := NewSealer(k, alice), NewOpener(k, bob)
	hello, data := s.Seal(nil, wire.TypeHello, nil, []byte("hello")), s.Seal(nil, wire.TypeData, nil, []byte("data"))
	later := s.Seal(nil, wire.TypeData, nil, []byte("later"))
	wantOpen(t, o, hello, "hello", false)
	wantOpen(t, o, hello, "hello", false)
	if o.Admitted(alice) {
		t.Fatal("admitted by opening")
	}
	if !o.Admit(alice, 2) || !o.Admitted(alice) || o.Admitted(carol) {
		t.Fatal("Admit or Admitted")
	}
	wantRefused(t, o, hello, ErrReplay)
	wantRefused(t, o, data, ErrReplay)
	wantOpen(t, o, later, "later", true)

	if !o.Admit(alice, 1) {
		t.Fatal("not admitted again")
	}
	wantRefused(t, o, data, ErrReplay) // a lower start lets nothing in again
	wantRefused(t, o, later, ErrReplay)

	o.Forget(alice)
	if o.Admitted(alice) {
		t.Fatal("not forgotten")
	}
	wantOpen(t, o, later, "later", false)
}

func TestAdmissionsAreBounded(t *testing.T) {
	_, o := pair(t) // alice is the first
	origin := func(i int) record.Origin { return record.Origin{Node: record.NodeID{1, byte(i >> 8), byte(i)}} }
	for i := 1; i < MaxAdmitted; i++ {
		if !o.Admit(origin(i), 0) {
			t.Fatalf("origin %d not admitted", i)
		}
	}
	if o.Admit(origin(MaxAdmitted), 0) || o.Admitted(origin(MaxAdmitted)) {
		t.Error("admitted beyond the limit")
	}
	if !o.Admit(alice, 5) {
		t.Error("an admitted origin refused")
	}
	o.Forget(alice)
	if !o.Admit(origin(MaxAdmitted), 0) {
		t.Error("no room after Forget")
	}
}

func TestStrangersAreBounded(t *testing.T) {
	k := ringOf(t, "test", keyOf(1))
	o := NewOpener(k, bob)
	stranger := func(i int) record.Origin { return record.Origin{Node: record.NodeID{1, byte(i >> 8), byte(i)}} }
	hello := func(i int) []byte { return NewSealer(k, stranger(i)).Seal(nil, wire.TypeHello, nil, []byte("hi")) }
	for i := range MaxStrangers {
		wantOpen(t, o, hello(i), "hi", false)
	}
	wantOpen(t, o, hello(0), "hi", false)
	if len(o.strangers) != MaxStrangers || o.strangers[stranger(0)] == nil {
		t.Fatalf("%d strangers kept", len(o.strangers))
	}
	o.Admit(stranger(1), 0)
	wantOpen(t, o, hello(MaxStrangers), "hi", false)
	wantOpen(t, o, hello(MaxStrangers+1), "hi", false)
	if len(o.strangers) > MaxStrangers || o.strangers[stranger(0)] != nil || o.strangers[stranger(2)] == nil {
		t.Errorf("%d strangers kept, not the latest", len(o.strangers))
	}
	if !o.Admitted(stranger(1)) {
		t.Error("an admitted origin went with the strangers")
	}
	wantOpen(t, o, hello(0), "hi", false) // one driven out still opens
	forged := hello(5000)
	forged[len(forged)-1] ^= 1
	before := len(o.strangers)
	wantRefused(t, o, forged, ErrTag)
	if o.strangers[stranger(5000)] != nil || len(o.strangers) != before {
		t.Error("a forgery is kept")
	}
}

func TestStrangersStayBoundedWhenTheyComeAndGo(t *testing.T) {
	k := ringOf(t, "test", keyOf(1))
	o := NewOpener(k, bob)
	for i := range 5 * MaxStrangers {
		origin := record.Origin{Node: record.NodeID{1, byte(i % 7), byte(i * 13 >> 2)}}
		wantOpen(t, o, NewSealer(k, origin).Seal(nil, wire.TypeHello, nil, nil), "", false)
		if i%3 == 0 {
			o.Admit(origin, 0)
			o.Forget(origin)
		}
		if len(o.strangers) > MaxStrangers || len(o.admitted) != 0 {
			t.Fatalf("%d strangers, %d admitted", len(o.strangers), len(o.admitted))
		}
	}
}

func TestOpenAppendsToDst(t *testing.T) {
	s, o := pair(t)
	frame := s.Seal(nil, wire.TypeData, nil, []byte("body"))
	before := bytes.Clone(frame)
	dst := append(make([]byte, 0, 64), "kept"...)
	op, err := o.Open(dst, frame)
	if err != nil || string(op.Body) != "body" || !bytes.Equal(frame, before) {
		t.Fatalf("body %q, %v, frame changed: %v", op.Body, err, !bytes.Equal(frame, before))
	}
	if string(dst[:8]) != "keptbody" {
		t.Errorf("dst %q", dst[:8])
	}
}

func TestOpenInPlaceStaysInTheFrame(t *testing.T) {
	s, o := pair(t)
	frame := s.Seal(nil, wire.TypeData, nil, []byte("body"))
	op, err := o.Open(nil, frame)
	if err != nil || string(op.Body) != "body" {
		t.Fatalf("body %q, %v", op.Body, err)
	}
	if &op.Body[0] != &frame[wire.HeaderSize] {
		t.Error("the body is somewhere else")
	}
}

func TestSealAndOpenAllocateNothing(t *testing.T) {
	s, o := pair(t)
	body, buf, out := make([]byte, 1300), make([]byte, 0, 1400), make([]byte, 0, 1400)
	var err error
	run := func() {
		frame := s.Seal(buf, wire.TypeData, &bob, body)
		if _, err = o.Open(out, frame); err == nil {
			_, err = o.Open(nil, frame)
		}
	}
	run()
	if n := testing.AllocsPerRun(100, run); n != 0 || err != ErrReplay {
		t.Errorf("%v allocations, error %v", n, err)
	}
	if n := testing.AllocsPerRun(100, func() {
		frame := append(s.Begin(buf, wire.TypeData, false), body...)
		_, err = o.Open(nil, s.Finish(frame, 0, record.Origin{}))
	}); n != 0 || err != nil {
		t.Errorf("in place: %v allocations, error %v", n, err)
	}
}

func TestRefusingAllocatesNothing(t *testing.T) {
	s, o := pair(t)
	good := s.Seal(nil, wire.TypeData, nil, []byte("x"))
	wantOpen(t, o, good, "x", true)
	edit := func(i int) []byte {
		frame := s.Seal(nil, wire.TypeData, nil, []byte("x"))
		frame[i] ^= 0x55
		return frame
	}
	for _, tt := range []struct {
		frame []byte
		want  error
	}{
		{good[:57], wire.ErrShort}, {edit(0), wire.ErrMagic}, {edit(2), wire.ErrVersion}, {edit(3), wire.ErrType},
		{edit(4), ErrKey}, {good, ErrReplay}, {edit(45), ErrTag}, {NewSealer(o.ring, bob).Seal(nil, 1, nil, nil), ErrOwn},
	} {
		var err error
		if n := testing.AllocsPerRun(20, func() { _, err = o.Open(nil, tt.frame) }); n != 0 || err != tt.want {
			t.Errorf("%v allocations, error %v, want %v", n, err, tt.want)
		}
	}
}

func FuzzOpen(f *testing.F) {
	k := ringOf(f, "test", keyOf(1))
	s := NewSealer(k, alice)
	f.Add(s.Seal(nil, wire.TypeData, nil, []byte("body")))
	f.Add(s.Seal(nil, wire.TypeData, &bob, nil))
	f.Add([]byte(`{"type":"hello"}`))
	f.Fuzz(func(t *testing.T, frame []byte) {
		admitted, stranger := NewOpener(k, bob), NewOpener(k, bob)
		admitted.Admit(alice, 0)
		before := bytes.Clone(frame)
		op, err := admitted.Open([]byte{}, frame)
		if !bytes.Equal(frame, before) {
			t.Error("frame changed")
		}
		if _, err2 := stranger.Open(nil, frame); (err2 == nil) != (err == nil) {
			t.Errorf("admitted %v, stranger %v", err, err2)
		}
		if err != nil {
			return
		}
		// Nobody but a holder of the key makes a frame that opens, and then it is the one the reference makes.
		var to *record.Origin
		if op.Header.Addressed {
			to = &bob
		}
		if want := referenceFrame(t, before[:wire.HeaderSize], "test", keyOf(1), op.Header.Packet>>22, to, op.Body); !bytes.Equal(before, want) {
			t.Errorf("%x opens and should be %x", before, want)
		}
	})
}

func BenchmarkSeal(b *testing.B) {
	for _, size := range []int{200, 1400} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			s, _ := pair(b)
			body, buf := make([]byte, size-wire.Overhead), make([]byte, 0, size)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				s.Seal(buf, wire.TypeData, nil, body)
			}
		})
	}
}

// BenchmarkOpen includes copying the frame, since opening it a second time needs a second one.
func BenchmarkOpen(b *testing.B) {
	for _, size := range []int{200, 1400} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			s, o := pair(b)
			frame := s.Seal(nil, wire.TypeData, nil, make([]byte, size-wire.Overhead))
			out := make([]byte, 0, size)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				o.admitted[alice].window = replay.Window{}
				if _, err := o.Open(out, frame); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
