package seal

import (
	"bytes"
	"testing"

	"github.com/sessioncast/sessioncast/internal/replay"
	"github.com/sessioncast/sessioncast/internal/wire"
)

// headerOf is the header of a whole frame.
func headerOf(t *testing.T, frame []byte) *wire.Header {
	t.Helper()
	h := new(wire.Header)
	if err := wire.ParseHeader(frame, h); err != nil {
		t.Fatal(err)
	}
	return h
}

func TestASealerKnowsWhatItSealed(t *testing.T) {
	k := ringOf(t, "test", keyOf(1))
	one, two := NewSealer(k, alice), NewSealer(k, alice)
	own, clones := one.Seal(nil, wire.TypeData, nil, []byte("one")), two.Seal(nil, wire.TypeData, nil, []byte("two"))
	ahead := two.Seal(nil, wire.TypeData, nil, []byte("three"))
	if !one.MayHaveSealed(headerOf(t, own), own) {
		t.Error("its own frame is another's")
	}
	if one.MayHaveSealed(headerOf(t, clones), clones) {
		t.Error("another frame of a number it used is its own")
	}
	if one.MayHaveSealed(headerOf(t, ahead), ahead) {
		t.Error("a number that it never gave out is its own")
	}
	one.Begin(nil, wire.TypeData, false) // never finished
	if one.MayHaveSealed(headerOf(t, ahead), ahead) {
		t.Error("a number under which it sealed nothing is its own")
	}
	for range replay.Size {
		one.Seal(nil, wire.TypeData, nil, nil)
	}
	if !one.MayHaveSealed(headerOf(t, clones), clones) {
		t.Error("it tells what it cannot remember")
	}
}

func TestOwnFramesOpenByTheirOwnWayOnly(t *testing.T) {
	k := ringOf(t, "test", keyOf(1))
	s, o := NewSealer(k, alice), NewOpener(k, alice)
	frame := s.Seal(nil, wire.TypeData, nil, []byte("body"))
	wantRefused(t, o, frame, ErrOwn)
	if !o.OpenOwn(bytes.Clone(frame)) {
		t.Error("a clone's frame does not open")
	}
	bent := bytes.Clone(frame)
	bent[len(bent)-1]++
	others := NewSealer(ringOf(t, "test", keyOf(2)), alice).Seal(nil, wire.TypeData, nil, nil)
	for name, f := range map[string][]byte{
		"a forged one": bent, "one of another key": others, "one for a single node": s.Seal(nil, wire.TypeProbe, &bob, nil),
		"one of another": NewSealer(k, bob).Seal(nil, wire.TypeData, nil, nil), "a short one": frame[:wire.Overhead-1], "nothing": nil,
	} {
		if o.OpenOwn(bytes.Clone(f)) {
			t.Errorf("%s opens", name)
		}
	}
}
