package replay

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

// A step hands one number to Accept, or to StartAt, and says what must come of it.
type step struct {
	counter uint64
	want    bool
	start   bool
}

func accept(c uint64) step { return step{counter: c, want: true} }
func refuse(c uint64) step { return step{counter: c} }
func start(c uint64) step  { return step{counter: c, start: true} }

func TestWindow(t *testing.T) {
	const far = 1 << 40
	tests := []struct {
		name  string
		steps []step
	}{
		{"packet 0 is never accepted", []step{refuse(0), accept(1), refuse(0)}},
		{"a number is accepted once", []step{accept(1), refuse(1), accept(2), refuse(2), refuse(1)}},
		{"reordering inside the window", []step{accept(9), accept(7), accept(8), refuse(7), refuse(8), refuse(9)}},
		{"the oldest number of the window is accepted", []step{accept(Size), accept(1), refuse(1)}},
		{"the number before the oldest is not", []step{accept(Size + 1), refuse(1), accept(2)}},
		{"the edge when top ends a block", []step{accept(far + 63), refuse(far + 63 - Size), accept(far + 64 - Size)}},
		{"the edge when top starts a block", []step{accept(far), refuse(far - Size), accept(far + 1 - Size)}},
		{"the oldest number and the newest do not share a block", []step{
			accept(far), accept(far + 1 - Size), accept(far + 2), accept(far + 1),
		}},
		{"the next block is clear after the ring has gone round", []step{
			accept(5), accept(5 + blocks*blockBits), refuse(5), accept(4 + blocks*blockBits),
		}},
		{"a jump of a whole ring clears everything", []step{
			accept(1), accept(2), accept(3), accept(far + 1), accept(far - 1), accept(far - 63), accept(far + 1 - 64*100),
		}},
		{"what was marked survives a small step", []step{accept(100), accept(164), refuse(100), accept(101), accept(228), refuse(101)}},
		{"the highest number of all", []step{
			accept(math.MaxUint64), refuse(math.MaxUint64), accept(math.MaxUint64 - Size + 1), refuse(math.MaxUint64 - Size),
		}},
		{"a start refuses itself and below", []step{start(50), refuse(50), refuse(49), refuse(1), accept(51)}},
		{"a start on a used window", []step{accept(10), start(20), refuse(15), refuse(20), accept(21), refuse(10)}},
		{"a start below the top keeps the marks above it", []step{accept(10), accept(30), start(20), refuse(11), refuse(30), accept(21)}},
		{"a lower start lets nothing in again", []step{start(50), accept(60), start(10), refuse(50), refuse(11), refuse(60), accept(61)}},
		{"a start far above the top", []step{accept(3), start(far), refuse(far), accept(far + 2), accept(far + 1), refuse(far + 1)}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var w Window
			for i, s := range tt.steps {
				if s.start {
					w.StartAt(s.counter)
					continue
				}
				if got := w.Check(s.counter); got != s.want {
					t.Fatalf("step %d: Check(%d) = %v", i, s.counter, got)
				}
				if got := w.Accept(s.counter); got != s.want {
					t.Fatalf("step %d: Accept(%d) = %v", i, s.counter, got)
				}
			}
		})
	}
}

func TestCheckDoesNotMark(t *testing.T) {
	var w Window
	w.Accept(5)
	before := w
	w.Check(4)
	w.Check(1 << 20)
	if w != before {
		t.Error("Check changed the window")
	}
}

func TestRefusedNumberChangesNothing(t *testing.T) {
	var w Window
	w.StartAt(3)
	w.Accept(5 + Size)
	before := w
	for _, c := range []uint64{0, 3, 5, 5 + Size} {
		if w.Accept(c) || w != before {
			t.Errorf("refusing %d changed the window", c)
		}
	}
}

func TestEveryNumberInOrderOnceOnly(t *testing.T) {
	var w Window
	for c := uint64(1); c <= 3*Size; c++ {
		if !w.Accept(c) || w.Accept(c) {
			t.Fatalf("packet %d not accepted exactly once", c)
		}
	}
}

func TestAJumpForgetsAllThatItLeavesBehind(t *testing.T) {
	for _, jump := range []uint64{Size, Size + 1, Size + 63, Size + 64, Size + 65, 1 << 30, 1<<30 + 63} {
		var w Window
		for c := uint64(1); c <= 2*Size; c++ {
			w.Accept(c)
		}
		top := 2*Size + jump
		w.Accept(top)
		for c := top + 1 - Size; c < top; c++ {
			if !w.Accept(c) {
				t.Fatalf("after a jump by %d packet %d counts as seen", jump, c)
			}
		}
	}
}

// model is the window as the package comment has it, with a map that never forgets.
type model struct {
	seen       map[uint64]bool
	floor, top uint64
}

func (m *model) accept(c uint64) bool {
	if c <= m.floor || m.seen[c] || (c <= m.top && m.top-c >= Size) {
		return false
	}
	m.seen[c] = true
	m.top = max(m.top, c)
	return true
}

func TestWindowIsTheNaiveMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var w Window
		m := model{seen: map[uint64]bool{}}
		base := rapid.SampledFrom([]uint64{0, 1 << 22, math.MaxUint64 - 4*Size}).Draw(t, "base")
		near := rapid.Custom(func(t *rapid.T) uint64 {
			switch rapid.IntRange(0, 5).Draw(t, "kind") {
			case 0:
				return m.top - Size + rapid.Uint64Range(0, 3).Draw(t, "edge") // wraps below Size: a huge jump
			case 1:
				return base + rapid.Uint64Range(0, 3*Size).Draw(t, "far")
			case 2:
				return m.top - Size + rapid.Uint64Range(0, Size).Draw(t, "inside")
			case 3:
				return m.top + blockBits*rapid.Uint64Range(0, blocks+1).Draw(t, "blocks")
			default:
				return m.top + rapid.Uint64Range(0, 70).Draw(t, "up") - 4
			}
		})
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			c := near.Draw(t, "counter")
			if c > base+(3*Size) && c-base > 1<<30 {
				c = base + c%Size // stay where the window has something to remember
			}
			if rapid.IntRange(0, 30).Draw(t, "start") == 0 {
				w.StartAt(c)
				m.floor = max(m.floor, c)
				continue
			}
			want := m.accept(c)
			if got := w.Check(c); got != want {
				t.Fatalf("Check(%d) = %v, top %d, floor %d", c, got, m.top, m.floor)
			}
			if got := w.Accept(c); got != want {
				t.Fatalf("Accept(%d) = %v, top %d, floor %d", c, got, m.top, m.floor)
			}
		}
	})
}

func BenchmarkAccept(b *testing.B) {
	var w Window
	for c := uint64(1); b.Loop(); c++ {
		w.Accept(c)
	}
}
