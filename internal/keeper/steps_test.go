package keeper

import (
	"errors"
	"testing"
	"time"

	"github.com/sessioncast/sessioncast/internal/engine"
	"github.com/sessioncast/sessioncast/internal/hlc"
	"github.com/sessioncast/sessioncast/internal/record"
	"github.com/sessioncast/sessioncast/internal/table"
	"github.com/sessioncast/sessioncast/internal/wire"
)

const (
	startMS = int64(1_700_000_000_000)
	maxSkew = 5 * time.Second
)

// stepping is a stepWatch whose clocks a test moves.
type stepping struct {
	stepWatch
	by   time.Duration // the wall clock's error
	mono time.Duration
}

func newStepping() *stepping { return &stepping{stepWatch: newStepWatch(maxSkew, startMS)} }

// run lets time pass with the keeper's looks and what the peers say, which is each a second old.
func (s *stepping) run(d time.Duration, peers ...time.Duration) {
	for end := s.mono + d; s.mono < end; {
		s.mono += Interval
		s.look(startMS+(s.mono+s.by).Milliseconds(), s.mono)
		s.hear(peers, judge(peers, 0, maxSkew).wall, s.steady())
	}
}

// wrong is by how much the believed time differs from the true one.
func (s *stepping) wrong() time.Duration {
	return time.Duration(s.wall-startMS)*time.Millisecond - s.off - s.mono
}

func TestAClockThatGoesEvenlyIsBelieved(t *testing.T) {
	s := newStepping()
	for range 1000 {
		s.by += 100 * time.Millisecond // slewed fast
		if s.run(Interval); s.wrong() != s.by {
			t.Fatalf("believed time off by %v at %v", s.wrong(), s.by)
		}
	}
}

func TestAStepIsDoubtedUntilItIsConfirmed(t *testing.T) {
	for name, c := range map[string]struct {
		step  time.Duration
		peers []time.Duration
		after time.Duration // when it is believed; 0: never
	}{
		"alone":                           {time.Hour, nil, confirmedAlone},
		"peers agree":                     {time.Hour, []time.Duration{0, time.Second}, confirmPeers},
		"peers disagree":                  {time.Hour, []time.Duration{-time.Hour}, 0},
		"most disagree":                   {time.Hour, []time.Duration{-time.Hour, -time.Hour, 0}, 0},
		"back, alone":                     {-time.Hour, nil, confirmedAlone},
		"back, and peers agree":           {-time.Hour, []time.Duration{0, time.Second}, confirmPeers},
		"back, and most disagree":         {-time.Hour, []time.Duration{time.Hour, time.Hour, 0}, 0},
		"a pair's other is further ahead": {time.Hour, []time.Duration{time.Hour}, confirmPeers},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStepping()
			s.run(time.Minute, 0)
			s.by = c.step
			if c.after == 0 {
				s.run(time.Hour, c.peers...)
			} else {
				s.run(c.after-time.Second, c.peers...)
			}
			if s.wrong() != 0 {
				t.Fatalf("believed time off by %v", s.wrong())
			}
			if c.after == 0 {
				return
			}
			if s.run(2*time.Second, c.peers...); s.wrong() != c.step {
				t.Fatalf("then believed time off by %v", s.wrong())
			}
		})
	}
}

func TestAClockThatComesBackIsBelievedAtOnce(t *testing.T) {
	s := newStepping()
	s.by = time.Hour
	s.run(time.Second)
	s.by = 0
	if s.run(Interval); s.off != 0 || s.wrong() != 0 {
		t.Fatalf("believed time off by %v", s.wrong())
	}
}

// What peers said before a standstill grows no older by it, so it may be from before a step that came just before.
func TestAStandstillConfirmsNoStep(t *testing.T) {
	s := newStepping()
	s.run(time.Minute, 0)
	s.by = 24 * time.Hour
	s.run(time.Second, 0)
	s.mono += confirmPeers - Interval
	if s.run(time.Second, 0); s.wrong() != 0 {
		t.Fatalf("believed time off by %v, by what peers said before the step", s.wrong())
	}
	if s.run(confirmPeers, -24*time.Hour); s.wrong() != 0 {
		t.Fatalf("then believed time off by %v", s.wrong())
	}
}

func TestAClockThatKeepsSteppingIsNotBelieved(t *testing.T) {
	s := newStepping()
	for range 10 {
		s.by += time.Hour
		s.run(confirmedAlone - time.Second)
	}
	if s.wrong() != 0 {
		t.Fatalf("believed time off by %v", s.wrong())
	}
}

// A node that started with a wrong clock goes by its peers'; when the clock is set right it must not, for as long as it
// has only old offsets, be wrong by as much the other way.
func TestAClockThatIsSetRightIsNotCorrectedTwice(t *testing.T) {
	for _, by := range []time.Duration{24 * time.Hour, -24 * time.Hour} {
		s := newStepping()
		s.by = by
		s.wall = startMS + by.Milliseconds()
		s.run(time.Second, -by, -by)
		if s.wrong() != 0 {
			t.Fatalf("%v off: believed time off by %v", by, s.wrong())
		}
		s.by = 0
		for range 4 {
			if s.run(Interval, -by, -by); s.wrong() != 0 {
				t.Fatalf("set right from %v off: believed time off by %v", by, s.wrong())
			}
		}
		if s.run(2*confirmPeers, 0, 0); s.wrong() != 0 || s.off != 0 {
			t.Fatalf("in the end: believed time off by %v", s.wrong())
		}
	}
}

func TestStampsAreJudgedAsWellAsTheWallClock(t *testing.T) {
	const hour = time.Hour
	for name, c := range map[string]struct {
		peers        []time.Duration
		lead         time.Duration
		wall, stamps time.Duration
	}{
		"all agree":                                {[]time.Duration{0, 0}, 0, 0, 0},
		"it is ahead":                              {[]time.Duration{-hour, -hour}, 0, hour, hour},
		"of a pair it is not accused":              {[]time.Duration{-hour}, 0, 0, 0},
		"a fast peer moved its stamps":             {[]time.Duration{-3 * time.Second, -3 * time.Second, 0}, maxSkew, 0, 0},
		"it was ahead and came back":               {[]time.Duration{0, 0}, hour, 0, hour},
		"it was ahead and came back, in a pair":    {[]time.Duration{0}, hour, 0, hour},
		"it was right and was set back":            {[]time.Duration{hour, hour}, hour, -hour, 0},
		"it was right and was set back, in a pair": {[]time.Duration{hour}, hour, -hour, 0},
	} {
		if v := judge(c.peers, c.lead, maxSkew); v.wall != c.wall || v.stamps != c.stamps {
			t.Errorf("%s: wall clock %v ahead, stamps %v; want %v, %v", name, v.wall, v.stamps, c.wall, c.stamps)
		}
	}
}

func TestWritesAreRefusedWhileAStepIsDoubtedOrStampsAreAhead(t *testing.T) {
	peer := func(offset time.Duration) engine.Member { return engine.Member{State: wire.Synced, Offset: offset} }
	stamped := func(ahead time.Duration) engine.Member { return engine.Member{State: wire.Synced, Stamps: ahead} }
	for name, c := range map[string]struct {
		step, lead time.Duration
		members    []engine.Member
		want       error
	}{
		"nothing is wrong":             {0, 0, []engine.Member{peer(0), peer(0)}, nil},
		"it stepped":                   {time.Hour, 0, []engine.Member{peer(0)}, table.ErrClockStepped},
		"it stepped, alone":            {time.Hour, 0, nil, nil},
		"stamps are ahead":             {0, time.Hour, []engine.Member{peer(0)}, table.ErrClockStamps},
		"stamps of two are ahead":      {0, time.Hour, []engine.Member{stamped(time.Hour), peer(0)}, nil},
		"a third's stamps are ahead":   {0, 0, []engine.Member{stamped(time.Hour), peer(0)}, nil},
		"all stamps are ahead":         {0, time.Hour, []engine.Member{stamped(time.Hour - time.Second), stamped(time.Hour)}, nil},
		"stamps are ahead of a pair's": {0, time.Hour, []engine.Member{stamped(time.Minute)}, table.ErrClockStamps},
		"stamps are ahead, alone":      {0, time.Hour, nil, nil},
		"the clock is ahead":           {0, 0, []engine.Member{peer(-time.Minute), peer(-time.Minute)}, table.ErrClockAhead},
		"a peer's clock is ahead":      {0, 0, []engine.Member{peer(time.Minute), peer(0)}, nil},
		"stamps follow peers, slow us": {0, time.Hour, []engine.Member{peer(time.Hour)}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			clock := new(hlc.Clock)
			sessions := table.New(table.Config{Origins: new(record.Origins), Clock: clock})
			clock.Now(startMS + c.lead.Milliseconds())
			k := New(sessions, maxSkew, startMS)
			k.Look(clock.Read(0), startMS+c.step.Milliseconds(), 0, c.members)
			if _, err := sessions.Put(startMS, record.Key{Name: "s"}, &table.Write{}); !errors.Is(err, c.want) || err != nil && !errors.Is(err, table.ErrClock) {
				t.Errorf("a write is answered with %v, want %v", err, c.want)
			}
		})
	}
}

func TestANewcomerGoesByTheOnlyOther(t *testing.T) {
	const day = 24 * time.Hour
	for off, want := range map[time.Duration]time.Duration{day: day, -day: 0} { // never forward
		clock := new(hlc.Clock)
		sessions := table.New(table.Config{Origins: new(record.Origins), Clock: clock})
		k := New(sessions, maxSkew, startMS)
		look := func(mono, peer time.Duration, state wire.MemberState) {
			k.Look(clock.Read(0), startMS+mono.Milliseconds(), mono, []engine.Member{{Self: true, State: state}, {State: wire.Synced, Offset: peer}})
		}
		look(time.Second, -off, wire.Synced)
		for mono := time.Minute; mono < time.Hour; mono += time.Minute { // it remains so when it has been there for long
			if look(mono, -off, wire.Synced); k.steps.off != want {
				t.Fatalf("%v off: at %v the believed time is %v off", off, mono, off-k.steps.off)
			}
		}
		look(time.Hour, 0, wire.Synced) // the other's clock is set
		if look(time.Hour+time.Second, 0, wire.Synced); k.steps.off != 0 {
			t.Errorf("then the believed time is %v off", -k.steps.off)
		}
	}
}

func TestAFarClockIsNotBelievedBecauseItsPeersWereSilentForAMoment(t *testing.T) {
	s := newStepping()
	s.by, s.wall = time.Hour, startMS+time.Hour.Milliseconds()
	s.run(10*time.Minute, -time.Hour, -time.Hour)
	if s.run(confirmedAlone - time.Second); s.wrong() != 0 {
		t.Fatalf("believed time off by %v", s.wrong())
	}
	if s.run(2 * time.Second); s.wrong() != time.Hour {
		t.Fatalf("when it is alone for long, by %v", s.wrong())
	}
}

func TestMedianOfAPairAccusesNobody(t *testing.T) {
	for _, c := range []struct {
		offsets []time.Duration
		want    time.Duration
	}{
		{[]time.Duration{0}, 0},
		{[]time.Duration{0, -10}, 0},
		{[]time.Duration{10, 0}, 0},
		{[]time.Duration{-10, 0, -9}, -9},
		{[]time.Duration{-10, 0, -9, 5}, 0},
	} {
		if got := nearest(c.offsets); got != c.want {
			t.Errorf("of %v: %v, want %v", c.offsets, got, c.want)
		}
	}
}
