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
	off  time.Duration // the wall clock's error
	mono time.Duration
}

func newStepping() *stepping { return &stepping{stepWatch: newStepWatch(maxSkew, startMS)} }

// run lets time pass with the housekeeper's looks and what the peers say.
func (s *stepping) run(d time.Duration, peers ...time.Duration) {
	for end := s.mono + d; s.mono < end; {
		s.mono += Interval
		s.look(startMS+(s.mono+s.off).Milliseconds(), s.mono)
		if s.mono%judgeInterval == 0 {
			s.confirm(peers)
		}
	}
}

// wrong is by how much the believed time differs from the true one.
func (s *stepping) wrong() time.Duration {
	return time.Duration(s.believed()-startMS)*time.Millisecond - s.mono
}

func TestAClockThatGoesEvenlyIsBelieved(t *testing.T) {
	s := newStepping()
	for range 1000 {
		s.off += 100 * time.Millisecond // slewed fast
		if s.run(Interval); s.doubted() || s.wrong() != s.off {
			t.Fatalf("doubted %v, believed time off by %v at %v", s.doubted(), s.wrong(), s.off)
		}
	}
}

func TestAStepForwardIsDoubtedUntilItIsConfirmed(t *testing.T) {
	for name, c := range map[string]struct {
		peers []time.Duration
		after time.Duration // when it is believed; 0: never
	}{
		"alone":                   {nil, confirmedAlone},
		"peers agree":             {[]time.Duration{0, time.Second}, confirmPeers},
		"peers disagree":          {[]time.Duration{-time.Hour}, 0},
		"most disagree":           {[]time.Duration{-time.Hour, -time.Hour, 0}, 0},
		"peers are further ahead": {[]time.Duration{time.Hour}, confirmPeers},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStepping()
			s.run(time.Minute, 0)
			s.off = time.Hour
			if c.after == 0 {
				s.run(time.Hour, c.peers...)
			} else {
				s.run(c.after-time.Second, c.peers...)
			}
			if !s.doubted() || s.wrong() != 0 {
				t.Fatalf("doubted %v, believed time off by %v", s.doubted(), s.wrong())
			}
			if c.after == 0 {
				return
			}
			if s.run(2*time.Second, c.peers...); s.doubted() || s.wrong() != time.Hour {
				t.Fatalf("then doubted %v, believed time off by %v", s.doubted(), s.wrong())
			}
		})
	}
}

func TestAClockThatComesBackIsBelievedAtOnce(t *testing.T) {
	s := newStepping()
	s.off = time.Hour
	s.run(time.Second)
	s.off = 0
	if s.run(Interval); s.doubted() || s.wrong() != 0 {
		t.Fatalf("doubted %v, believed time off by %v", s.doubted(), s.wrong())
	}
}

func TestAClockThatKeepsSteppingIsNotBelieved(t *testing.T) {
	s := newStepping()
	for range 10 {
		s.off += time.Hour
		s.run(confirmedAlone - time.Second)
	}
	if !s.doubted() || s.wrong() != 0 {
		t.Fatalf("doubted %v, believed time off by %v", s.doubted(), s.wrong())
	}
}

func TestAStepBackIsBelievedAndTheWayForwardDoubted(t *testing.T) {
	s := newStepping()
	s.off = -time.Hour
	if s.run(Interval); s.doubted() || s.wrong() != -time.Hour {
		t.Fatalf("doubted %v, believed time off by %v", s.doubted(), s.wrong())
	}
	s.off = 0
	if s.run(Interval); !s.doubted() {
		t.Fatal("the step forward is not doubted")
	}
	if s.run(2*confirmPeers, 0); s.doubted() || s.wrong() != 0 {
		t.Fatalf("in the end doubted %v, believed time off by %v", s.doubted(), s.wrong())
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
		if wall, stamps := judge(c.peers, c.lead, maxSkew); wall != c.wall || stamps != c.stamps {
			t.Errorf("%s: wall clock %v ahead, stamps %v; want %v, %v", name, wall, stamps, c.wall, c.stamps)
		}
	}
}

func TestWritesAreRefusedWhileAStepIsDoubtedOrStampsAreAhead(t *testing.T) {
	peer := func(offset time.Duration) engine.Member { return engine.Member{State: wire.Synced, Offset: offset} }
	for name, c := range map[string]struct {
		step, lead time.Duration
		members    []engine.Member
		want       error
	}{
		"nothing is wrong":             {0, 0, []engine.Member{peer(0), peer(0)}, nil},
		"it stepped":                   {time.Hour, 0, []engine.Member{peer(0)}, table.ErrClock},
		"it stepped, alone":            {time.Hour, 0, nil, nil},
		"stamps are ahead":             {0, time.Hour, []engine.Member{peer(0)}, table.ErrClock},
		"stamps are ahead, alone":      {0, time.Hour, nil, nil},
		"the clock is ahead":           {0, 0, []engine.Member{peer(-time.Minute), peer(-time.Minute)}, table.ErrClock},
		"a peer's clock is ahead":      {0, 0, []engine.Member{peer(time.Minute), peer(0)}, nil},
		"stamps follow peers, slow us": {0, time.Hour, []engine.Member{peer(time.Hour)}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			clock := new(hlc.Clock)
			sessions := table.New(table.Config{Origins: new(record.Origins), Clock: clock})
			clock.Now(startMS + c.lead.Milliseconds())
			k := New(sessions, clock, maxSkew, startMS)
			k.Look(startMS+c.step.Milliseconds(), 0, func() []engine.Member { return c.members })
			k.judge(c.members)
			if _, err := sessions.Put(startMS, record.Key{Name: "s"}, &table.Write{}); !errors.Is(err, c.want) {
				t.Errorf("a write is answered with %v, want %v", err, c.want)
			}
		})
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
		if got := median(c.offsets); got != c.want {
			t.Errorf("of %v: %v, want %v", c.offsets, got, c.want)
		}
	}
}
