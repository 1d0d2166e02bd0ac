package record

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/sessioncast/sessioncast/internal/hlc"
)

func TestKeysThatCanBe(t *testing.T) {
	for name, c := range map[string]struct {
		key  Key
		want bool
	}{
		"the empty name":       {Key{}, true},
		"the longest name":     {Key{15, strings.Repeat("x", MaxName)}, true},
		"a name too long":      {Key{0, strings.Repeat("x", MaxName+1)}, false},
		"a floor":              {FloorKey(15), true},
		"a floor with a name":  {Key{16, "x"}, false},
		"beyond the databases": {Key{DB: 32}, false},
	} {
		if got := c.key.Valid(); got != c.want {
			t.Errorf("%s: valid %v, want %v", name, got, c.want)
		}
	}
	if db, ok := FloorKey(7).IsFloor(); !ok || db != 7 {
		t.Errorf("floor of %d, %v", db, ok)
	}
	if _, ok := (Key{DB: 15}).IsFloor(); ok {
		t.Error("database 15 is a floor")
	}
}

func TestEpochEnd(t *testing.T) {
	for ms, want := range map[int64]int64{
		1: EpochMillis, EpochMillis: EpochMillis, EpochMillis + 1: 2 * EpochMillis, math.MaxInt64: math.MaxInt64,
	} {
		if got := EpochEnd(ms); got != want {
			t.Errorf("EpochEnd(%d) = %d, want %d", ms, got, want)
		}
	}
}

const t0 = int64(1_000_000)

func at(ms int64, by Ref) Version { return Version{hlc.At(ms), by} }

func birthAt(ms int64, by Ref, due int64) Birth {
	v := at(ms, by)
	b := Birth{ID: v, Value: testValue(v)}
	b.SetDeadline(Deadline{Version: v, Due: due, Promise: due}, ms, testLife)
	return b
}

// "a session shortened and purged at its origin lived on elsewhere for its old hour"
func TestShortenedBirthIsKeptAsLongAsTheOldPromise(t *testing.T) {
	b := birthAt(t0, 1, t0+600_000)
	b.SetDeadline(Deadline{Version: at(t0+1000, 1), Due: t0 + 5000, Promise: t0 + 5000}, t0+1000, testLife)
	s := State{Births: []Birth{b}}
	if got := s.PurgeAt(threeOrigins(), &s.Births[0], testLife, testSkew); got < t0+600_000 {
		t.Fatalf("purged at %d, the old promise runs until %d", got, t0+600_000)
	}
	if b.Latest != t0+1000+600_000 {
		t.Fatalf("Latest = %d: an extension made elsewhere at the same moment may run longer", b.Latest)
	}
	b.SetDeadline(Deadline{Version: at(t0+2000, 1), Due: t0 + 5000, Promise: t0 + 5000}, t0+2000, testLife)
	if b.Latest != t0+2000+600_000 {
		t.Fatalf("Latest = %d: the longest time to live was forgotten after one shortening", b.Latest)
	}
}

// "a register without a deadline counts as the lifetime", and what was learnt from others counts as what was given here.
func TestSpanIsTheLongestLifetimeEverGiven(t *testing.T) {
	o := threeOrigins()
	b := birthAt(t0, 1, t0+5000)
	s := State{Births: []Birth{b}}
	elsewhere := b
	elsewhere.SetDeadline(Deadline{Version: at(t0+100, 2), Due: t0 + 600_100, Promise: t0 + 640_000}, t0+100, testLife)
	if m := o.Merge(&s, &State{Births: []Birth{elsewhere}}, 0); !m.Changed || s.Births[0].Span != 600_000 {
		t.Fatalf("%+v, span %d", m, s.Births[0].Span)
	}
	mine := &s.Births[0]
	mine.SetDeadline(Deadline{Version: at(t0+900_000, 1), Due: t0 + 901_000, Promise: t0 + 901_000}, t0+900_000, testLife)
	if mine.Span != 600_000 || mine.Latest != t0+1_500_000 {
		t.Errorf("after a shortening: span %d, Latest %d", mine.Span, mine.Latest)
	}
	mine.SetDeadline(Deadline{Version: at(t0+901_000, 1)}, t0+901_000, testLife)
	if want := testLife.Milliseconds(); mine.Span != want {
		t.Errorf("without an end: span %d, want %d", mine.Span, want)
	}
}

// A session created again right after its logout has a stamp ahead of the clock. What it was given is what its user got.
func TestSpanOfARaisedStampCountsFromTheClock(t *testing.T) {
	b := Birth{ID: at(t0+5000, 1)}
	b.SetDeadline(Deadline{Version: b.ID, Due: t0 + 60_000, Promise: t0 + 60_000}, t0, testLife)
	if b.Span != 60_000 || b.Latest != t0+65_000 {
		t.Fatalf("span %d, Latest %d", b.Span, b.Latest)
	}
}

// An extension that a shortening did not know of was padded by its own lifetime, not by the shortened one.
func TestGraceHasThePadOfTheLongestLifetime(t *testing.T) {
	b := birthAt(t0, 1, t0+1_600_000)
	b.SetDeadline(Deadline{Version: at(t0+1000, 1), Due: t0 + 2000, Promise: t0 + 2000}, t0+1000, testLife)
	s := State{Births: []Birth{b}}
	if got, want := s.PurgeAt(threeOrigins(), &b, testLife, testSkew), EpochEnd(b.Latest+100_000+10_000); got != want {
		t.Fatalf("purged at %d, want %d", got, want)
	}
}

func TestShorteningIsNotRememberedBeyondTheAbsoluteLifetime(t *testing.T) {
	b := Birth{ID: at(t0, 1), Absolute: t0 + testLife.Milliseconds()}
	b.SetDeadline(Deadline{Version: b.ID, Due: b.Absolute - 5000, Promise: b.Absolute - 5000}, t0, testLife)
	b.SetDeadline(Deadline{Version: at(t0+9000, 1), Due: t0 + 10_000, Promise: t0 + 10_000}, t0+9000, testLife)
	if b.Latest != b.Absolute {
		t.Fatalf("Latest = %d, want %d", b.Latest, b.Absolute)
	}
}

func TestRegisterWithoutAnEndIsRememberedForALifetime(t *testing.T) {
	b := birthAt(t0, 1, 0)
	if want := t0 + testLife.Milliseconds(); b.Latest != want {
		t.Fatalf("Latest = %d, want %d", b.Latest, want)
	}
	s := State{Births: []Birth{b}}
	if got := s.PurgeAt(threeOrigins(), &b, testLife, testSkew); got != math.MaxInt64 {
		t.Fatalf("purged at %d", got)
	}
	s.Births[0].SetDeadline(Deadline{Version: at(t0+50_000, 1), Due: t0 + 60_000, Promise: t0 + 60_000}, t0+50_000, testLife)
	if want := t0 + 50_000 + testLife.Milliseconds(); s.Births[0].Latest != want {
		t.Fatalf("ended: Latest = %d, want %d", s.Births[0].Latest, want)
	}
}

func TestBirthOutlivesWhatItOverrides(t *testing.T) {
	o := threeOrigins()
	low, high := birthAt(t0, 1, t0+900_000), birthAt(t0+1000, 2, t0+5000)
	s := State{Births: []Birth{high, low}}
	if got := s.PurgeAt(o, &s.Births[0], testLife, testSkew); got < t0+900_000 {
		t.Errorf("the later birth goes at %d, before the one it overrides", got)
	}
	low, high = birthAt(t0, 1, t0+5000), birthAt(t0+1000, 2, t0+900_000)
	s = State{Births: []Birth{high, low}}
	if got := s.PurgeAt(o, &s.Births[1], testLife, testSkew); got > t0+30_000 {
		t.Errorf("the earlier birth waits until %d for the one that overrides it", got)
	}
	if !s.Purge(o, EpochEnd(t0+30_000), testLife, testSkew) || len(s.Births) != 1 || s.Births[0].ID != high.ID {
		t.Errorf("left after the purge: %+v", s.Births)
	}
}

func TestTombstoneGoesAfterItsUntilOnly(t *testing.T) {
	o := threeOrigins()
	tomb := Tombstone{At: hlc.At(t0), Until: TombUntil(hlc.At(t0), 0, testLife, testSkew)}
	s := State{Tomb: tomb}
	end := EpochEnd(tomb.Until)
	if s.Purge(o, end-EpochMillis, testLife, testSkew) || s.Tomb != tomb {
		t.Fatal("gone an epoch early")
	}
	if !s.Purge(o, end, testLife, testSkew) || !s.IsEmpty() {
		t.Fatal("kept")
	}
}

func TestUntilCoversLifetimeSkewPadAndHold(t *testing.T) {
	at := hlc.At(t0)
	base := t0 + testLife.Milliseconds() + 10_000 + testLife.Milliseconds()/16
	for name, c := range map[string]struct {
		hold hlc.Stamp
		life time.Duration
		want int64
	}{
		"no hold":     {0, testLife, base},
		"a hold":      {hlc.At(t0 + 60_000), testLife, base + 60_000},
		"no lifetime": {0, 0, t0 + 24*3_600_000 + 10_000 + 24*3_600_000/16},
	} {
		if got := TombUntil(at, c.hold, c.life, testSkew); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}

func TestCurrentBirth(t *testing.T) {
	weak, explicit, past := birthAt(t0+2000, 1, 0), birthAt(t0+1000, 2, t0+60_000), birthAt(t0+3000, 3, t0+4000)
	weak.Weak = true
	s := State{Births: []Birth{past, weak, explicit}}
	for name, c := range map[string]struct {
		floor hlc.Stamp
		at    int64
		want  *Birth
	}{
		"the highest explicit one":             {0, t0 + 3500, &s.Births[0]},
		"one that is past is skipped":          {0, t0 + 5000, &s.Births[2]},
		"skew delays the end":                  {0, t0 + 4500, &s.Births[0]},
		"a weak one where no explicit is left": {0, t0 + 62_000, &s.Births[1]},
		"none under a floor":                   {hlc.Max, t0, nil},
	} {
		if got := s.Current(c.floor, c.at, 1000); got != c.want {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestPadIsASixteenthOrASecond(t *testing.T) {
	if Pad(1000) != 1000 || Pad(1_600_000) != 100_000 || Pad(-5) != 1000 {
		t.Fatal(Pad(1000), Pad(1_600_000), Pad(-5))
	}
}

func TestHighestSeesEveryStamp(t *testing.T) {
	v := func(n uint64) Version { return Version{hlc.Stamp(n), 1} }
	for i, s := range []State{
		{Tomb: Tombstone{At: 9, Hold: 99}},
		{Births: []Birth{{ID: v(9), Value: Value{Version: v(2)}}}},
		{Births: []Birth{{ID: v(1), Value: Value{Version: v(9)}}}},
		{Births: []Birth{{ID: v(1), Deadline: Deadline{Version: v(9)}}}},
	} {
		if got := s.Highest(); got != 9 {
			t.Errorf("state %d: %v", i, got)
		}
	}
}
