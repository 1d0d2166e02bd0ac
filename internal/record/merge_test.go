package record

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/sessioncast/sessioncast/internal/hlc"
)

func same(a, b State) string { return cmp.Diff(a, b, cmpopts.EquateEmpty()) }

func join(o *Origins, a, b State, floor hlc.Stamp) State {
	c := a.Clone()
	o.Merge(&c, &b, floor)
	return c
}

func TestMergeIsASemilattice(t *testing.T) {
	o := threeOrigins()
	rapid.Check(t, func(t *rapid.T) {
		floor := hlc.Stamp(rapid.Uint64Range(0, 10).Draw(t, "floor"))
		a, b, c := drawState(t, o, floor), drawState(t, o, floor), drawState(t, o, floor)
		if d := same(join(o, a, b, floor), join(o, b, a, floor)); d != "" {
			t.Fatalf("not commutative: %s", d)
		}
		left := join(o, join(o, a, b, floor), c, floor)
		if d := same(left, join(o, a, join(o, b, c, floor), floor)); d != "" {
			t.Fatalf("not associative: %s", d)
		}
		again := left.Clone()
		for _, x := range []State{a, b, c, left} {
			if m := o.Merge(&again, &x, floor); m.Changed || m.Incomplete {
				t.Fatalf("merging what is in it already: %+v", m)
			}
		}
		if d := same(left, again); d != "" {
			t.Fatalf("not idempotent: %s", d)
		}
	})
}

func TestMergedStatesKeepTheirOrderAndLimits(t *testing.T) {
	o := threeOrigins()
	rapid.Check(t, func(t *rapid.T) {
		s := join(o, drawState(t, o, 0), drawState(t, o, 0), 0)
		var kinds [2]int
		for i, b := range s.Births {
			if Kills(s.Tomb, 0, &b) {
				t.Fatalf("birth %v lives under %+v", b.ID, s.Tomb)
			}
			if i > 0 && !o.Later(s.Births[i-1].ID, b.ID) {
				t.Fatalf("birth %d is not below its neighbour", i)
			}
			if b.Weak {
				kinds[1]++
			} else {
				kinds[0]++
			}
		}
		if slices.Max(kinds[:]) > MaxBirths {
			t.Fatalf("%v births of a kind", kinds)
		}
	})
}

func TestMergeCountsWhatIsCrowdedOut(t *testing.T) {
	o := threeOrigins()
	born := func(at, n uint64) (s State) {
		for ; n > 0; at, n = at+1, n-1 {
			v := Version{hlc.Stamp(at), 1}
			s.Births = append([]Birth{{ID: v, Value: testValue(v), Deadline: testDeadline(v)}}, s.Births...)
		}
		return s
	}
	s := born(1, MaxBirths)
	later := born(MaxBirths+1, 2)
	if m := o.Merge(&s, &later, 0); m.Crowded != 2 || len(s.Births) != MaxBirths {
		t.Fatalf("%d of %d births are counted as crowded out, %d kept", m.Crowded, MaxBirths+2, len(s.Births))
	}
	early := born(1, 1)
	if m := o.Merge(&s, &early, 0); m.Crowded != 1 || m.Changed {
		t.Fatalf("one that is not even taken: %+v", m)
	}
	last := born(2*MaxBirths, 1)
	last.Tomb = Tombstone{At: 4, Until: 100}
	if m := o.Merge(&s, &last, 0); m.Crowded != 0 || len(s.Births) != MaxBirths-1 {
		t.Fatalf("what a tombstone ends is counted as crowded out: %+v, %d kept", m, len(s.Births))
	}
}

func TestMergeReportsChangesExactly(t *testing.T) {
	o := threeOrigins()
	rapid.Check(t, func(t *rapid.T) {
		a, b := drawState(t, o, 0), drawState(t, o, 0)
		was := a.Clone()
		m := o.Merge(&a, &b, 0)
		if changed := same(was, a) != ""; changed != m.Changed {
			t.Fatalf("Changed = %v, want %v", m.Changed, changed)
		}
	})
}

// "a touch of a birth we do not hold does not cover its dot; a tombstone >= birth counts as applied"
func TestTouchAppliesOnlyToABirthThatIsHeld(t *testing.T) {
	o := threeOrigins()
	rapid.Check(t, func(t *rapid.T) {
		s, b := drawState(t, o, 0), drawBirth(t, o)
		whole := join(o, s, State{Births: []Birth{b}}, 0)
		touch := b
		touch.Value = Value{}
		was := s.Clone()
		m := o.Merge(&s, &State{Births: []Birth{touch}}, 0)
		switch held, taken := was.Find(b.ID) != nil, whole.Find(b.ID) != nil; {
		case held && m.Incomplete:
			t.Fatal("a touch of a birth that is held is incomplete")
		case !held && m.Changed:
			t.Fatal("a touch of an unknown birth changed something")
		case !held && m.Incomplete != taken:
			t.Fatalf("Incomplete = %v where the whole birth would be taken: %v", m.Incomplete, taken)
		}
		o.Merge(&s, &State{Births: []Birth{b}}, 0)
		if d := same(s, whole); d != "" {
			t.Fatalf("touch, then repair by value, is not the whole: %s", d)
		}
	})
}

func TestValueWithoutADeadlineIsNotInserted(t *testing.T) {
	o := threeOrigins()
	b := Birth{ID: Version{5, 1}, Value: testValue(Version{5, 1})}
	var s State
	if m := o.Merge(&s, &State{Births: []Birth{b}}, 0); !m.Incomplete || len(s.Births) != 0 {
		t.Fatalf("%+v, %d births", m, len(s.Births))
	}
}

// "the higher birth wins whole" lost writes and diverged after expiry.
func TestRegistersOfSeveralBirthsMergeByThemselves(t *testing.T) {
	o := threeOrigins()
	low := Birth{ID: Version{5, 1}, Value: testValue(Version{9, 1}), Deadline: testDeadline(Version{5, 1})}
	high := Birth{ID: Version{6, 2}, Value: testValue(Version{6, 2}), Deadline: testDeadline(Version{7, 2})}
	s := State{}
	o.Merge(&s, &State{Births: []Birth{high, low}}, 0)
	value, deadline := s.Winner(o, 0)
	if value.ID != low.ID || deadline.ID != high.ID {
		t.Fatalf("value of %v, deadline of %v", value.ID, deadline.ID)
	}
	if value, _ = s.Winner(o, 5); value.ID != high.ID {
		t.Fatalf("a floor at 5 leaves the value of %v", value.ID)
	}
}

func TestHoldKillsWeakBirthsOnly(t *testing.T) {
	tomb := Tombstone{At: 10, Hold: 20}
	for name, c := range map[string]struct {
		at    hlc.Stamp
		weak  bool
		floor hlc.Stamp
		want  bool
	}{
		"explicit at T":              {10, false, 0, true},
		"explicit above T":           {11, false, 0, false},
		"weak above T, in the hold":  {11, true, 0, true},
		"weak at the hold's end":     {20, true, 0, true},
		"weak after the hold":        {21, true, 0, false},
		"explicit at the floor":      {30, false, 30, true},
		"explicit right above floor": {31, false, 30, false},
	} {
		if got := Kills(tomb, c.floor, &Birth{ID: Version{c.at, 1}, Weak: c.weak}); got != c.want {
			t.Errorf("%s: killed %v, want %v", name, got, c.want)
		}
	}
}

func TestMergingAnEqualStateAllocatesNothing(t *testing.T) {
	o := threeOrigins()
	a := State{Births: []Birth{{ID: Version{5, 1}, Value: testValue(Version{5, 1}), Deadline: testDeadline(Version{5, 1})}}}
	b := a.Clone()
	if n := testing.AllocsPerRun(100, func() { o.Merge(&a, &b, 0) }); n != 0 {
		t.Fatalf("%v allocations", n)
	}
}

// Who never had an earlier tombstone, since that was past when it came, is like who had it.
func TestAHoldThatEndsBeforeALaterTombstoneLeavesNothing(t *testing.T) {
	o := new(Origins)
	early, late := State{Tomb: Tombstone{At: 10, Hold: 20, Until: 30}}, State{Tomb: Tombstone{At: 25, Until: 40}}
	var both, one State
	o.Merge(&both, &early, 0)
	o.Merge(&both, &late, 0)
	o.Merge(&one, &late, 0)
	if both.Tomb != one.Tomb {
		t.Errorf("%+v, and %+v", both.Tomb, one.Tomb)
	}
	o.Merge(&one, &State{Tomb: Tombstone{At: 12, Hold: 26}}, 0)
	if one.Tomb.Hold != 26 {
		t.Errorf("a hold that goes on: %+v", one.Tomb)
	}
}
