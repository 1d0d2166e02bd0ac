package keeper

import (
	"testing"
	"time"

	"github.com/sessioncast/sessioncast/internal/engine"
	"github.com/sessioncast/sessioncast/internal/hlc"
	"github.com/sessioncast/sessioncast/internal/record"
	"github.com/sessioncast/sessioncast/internal/table"
	"github.com/sessioncast/sessioncast/internal/wire"
)

// doubting is a keeper with a table that holds a tombstone, until an hour and some from the start.
type doubting struct {
	*Keeper
	t    *table.Table
	tomb record.State
}

func newDoubting(t *testing.T) doubting {
	clock := new(hlc.Clock)
	sessions := table.New(table.Config{Origins: new(record.Origins), Clock: clock, Keep: time.Hour, MaxSkew: maxSkew})
	d := doubting{New(sessions, maxSkew, startMS), sessions, record.State{}}
	if _, err := sessions.Destroy(startMS, record.Key{Name: "s"}, false); err != nil {
		t.Fatal(err)
	}
	if !sessions.Load(record.Key{Name: "s"}, &d.tomb) || d.tomb.Tomb.At == 0 {
		t.Fatal("no tombstone was made")
	}
	return d
}

func (d doubting) look(after time.Duration, members ...engine.Member) {
	d.Look(0, startMS+dayMS+after.Milliseconds(), after, members)
	for d.MaySweep() && d.t.Sweep(d.steps.wall) {
	}
}

const dayMS = int64(24 * time.Hour / time.Millisecond)

func (d doubting) keeps() bool { return d.t.Stats().Tombstones == 1 }

// Who has not told its wall clock yet may be the one who is right, whatever its stamps say.
func TestNothingIsCollectedBeforeThosePresentHaveToldTheirClocks(t *testing.T) {
	d := newDoubting(t)
	guess := engine.Member{State: wire.Synced}
	d.steps = newStepWatch(maxSkew, startMS+dayMS) // it starts with a clock a day ahead
	d.look(time.Second, guess, guess)
	if !d.keeps() {
		t.Fatal("a tombstone is collected by a clock that nobody has confirmed")
	}
	told := engine.Member{State: wire.Synced, ClockTold: true}
	d.look(2*time.Second, told, told, guess)
	if d.keeps() {
		t.Fatal("a tombstone is kept though most have told that it is past its time")
	}
}

// A node that was told that its clock is ahead goes on to forget late for a while after it is left alone.
func TestADoubtOutlivesThePeersThatRaisedIt(t *testing.T) {
	d := newDoubting(t)
	d.steps = newStepWatch(maxSkew, startMS+dayMS)
	d.look(time.Second, engine.Member{State: wire.Synced, ClockTold: true, Offset: -24 * time.Hour})
	d.look(2 * time.Second)
	d.look(time.Second + confirmedAlone - Interval)
	if !d.keeps() {
		t.Fatal("a tombstone is collected by a clock that was said to be wrong")
	}
	d.look(time.Second + confirmedAlone)
	if d.keeps() {
		t.Fatal("a node that is alone doubts its clock for ever")
	}
}

// Until the keeper looks next, what a newcomer with an earlier clock sends is not dropped as long past.
func TestWhatANewcomerSendsIsKeptUntilItsClockIsJudged(t *testing.T) {
	d := newDoubting(t)
	d.steps = newStepWatch(maxSkew, startMS+dayMS)
	d.look(time.Second) // alone
	if d.t.Merge(startMS+dayMS+1200, record.Key{Name: "s"}, &d.tomb); d.keeps() {
		t.Fatal("a tombstone is kept past its time")
	}
	d.t.HoldBack()
	if end, settled := d.t.Epoch(); settled || end < startMS+dayMS-int64(record.EpochMillis) {
		t.Fatalf("tables would be compared at %d while a clock is judged (settled %v)", end, settled)
	}
	if d.t.Merge(startMS+dayMS+1500, record.Key{Name: "s"}, &d.tomb); !d.keeps() {
		t.Fatal("a tombstone that is in time for a newcomer is dropped")
	}
}

// Who has just proven that it has the key, and said nothing else yet, may send what it holds before it tells its clock.
func TestNothingIsCollectedBeforeSomebodyMetHasSaidAnything(t *testing.T) {
	d := newDoubting(t)
	d.steps = newStepWatch(maxSkew, startMS+dayMS)
	d.look(time.Second, engine.Member{Self: true, State: wire.Synced}, engine.Member{State: wire.Joining})
	if !d.keeps() {
		t.Fatal("a tombstone is collected by a clock that nobody has confirmed")
	}
}

// A joiner may hold what others sent it. Where it is the only one to tell the time, nothing goes before its clock came to it.
func TestWhoIsSyncedAloneCollectsByTheClocksOfThoseWhoJoin(t *testing.T) {
	d := newDoubting(t)
	d.steps = newStepWatch(maxSkew, startMS+dayMS)
	self := engine.Member{Self: true, State: wire.Synced}
	d.look(time.Second, self, engine.Member{State: wire.Joining, ClockTold: true, Offset: -24 * time.Hour})
	if !d.keeps() {
		t.Fatal("a tombstone is collected that a joiner's clock has not come to")
	}
	right := engine.Member{State: wire.Synced, ClockTold: true}
	d.look(2*time.Second, self, right, right, engine.Member{State: wire.Joining, ClockTold: true, Offset: -24 * time.Hour})
	if d.keeps() {
		t.Fatal("a joiner is believed though all others say another time")
	}
}

// The sessions are also those of a node that is about to leave: who comes, a day ahead, while it is the last goes by its clock.
func TestTheClockOfALeavingNodeCounts(t *testing.T) {
	d := newDoubting(t)
	d.steps = newStepWatch(maxSkew, startMS+dayMS)
	d.look(time.Second, engine.Member{Self: true, State: wire.Joining},
		engine.Member{State: wire.Leaving, ClockTold: true, Offset: -24 * time.Hour})
	if !d.keeps() {
		t.Fatal("a newcomer that is a day ahead forgets what the leaving node still keeps")
	}
}

// Who is gone before it has told the time has left what it sent, and nobody says how late that may go.
func TestNothingIsCollectedForAWhileAfterThoseWhoDidNotTellTheTimeAreGone(t *testing.T) {
	d := newDoubting(t)
	d.steps = newStepWatch(maxSkew, startMS+dayMS)
	self, untold := engine.Member{Self: true, State: wire.Synced}, engine.Member{State: wire.Joining}
	d.look(time.Second, self, untold)
	d.look(2*time.Second, self)
	d.look(time.Second+confirmedAlone-Interval, self)
	if !d.keeps() {
		t.Fatal("a tombstone is collected by a clock that nobody has confirmed")
	}
	d.look(time.Second+confirmedAlone, self)
	if d.keeps() {
		t.Fatal("a node that is alone doubts its clock for ever")
	}
}

// Most members have not told their clocks yet, and followed one that is an hour ahead: that says nothing of what their clocks show.
func TestAGuessMakesNobodyLate(t *testing.T) {
	k := newDoubting(t).Keeper
	self, told := engine.Member{Self: true, State: wire.Synced}, engine.Member{State: wire.Synced, ClockTold: true}
	ahead := engine.Member{State: wire.Synced, Offset: time.Hour}
	for i := range 100 {
		mono := time.Duration(i) * Interval
		k.Look(hlc.At(startMS), startMS+mono.Milliseconds(), mono, []engine.Member{self, told, ahead, ahead, ahead})
	}
	if k.steps.off != 0 {
		t.Fatalf("it goes by a time %v off its clock", k.steps.off)
	}
}

// What it was told before its clock stepped does not count, and a newcomer whose clock is a day ahead was told nothing else: it keeps what
// others send until it knows whose clock is right, also when they die meanwhile, and writes nothing (sim seed 905483).
func TestANewcomerWhoseClockSteppedCollectsNothingUntilItsClockIsJudged(t *testing.T) {
	for _, dies := range []bool{true, false} {
		d := newDoubting(t)
		d.steps = newStepWatch(maxSkew, startMS+dayMS)
		self := engine.Member{Self: true, State: wire.Joining}
		d.look(Interval, self)
		d.steps.wall += 4000 // it is set back by four seconds
		self.State = wire.Synced
		donor := engine.Member{State: wire.Synced, ClockTold: true, Offset: -24 * time.Hour}
		after := 2 * Interval
		d.look(after, self, donor)
		if _, err := d.t.Put(d.steps.wall, record.Key{Name: "new"}, &table.Write{Due: d.steps.wall + 1000}); err == nil {
			t.Error("it writes with a clock that the only other one contradicts")
		}
		for ; after < confirmPeers+2*Interval; after += Interval {
			if dies {
				donor.State = wire.Dead
			}
			d.look(after, self, donor)
			if !d.keeps() {
				t.Fatalf("after %v a tombstone is collected by a clock that nobody has confirmed; its donor dies: %v", after, dies)
			}
		}
		if d.look(after, self, donor); !dies && d.t.Time(d.steps.wall) > startMS+time.Hour.Milliseconds() {
			t.Error("who comes does not go by the clock of who was there")
		}
	}
}

// A donor may say goodbye as soon as it has given, before the newcomer looks at its clock (sim seed 901993).
func TestWhatADonorGaveThatLeftAtOnceIsKeptForAWhile(t *testing.T) {
	d := newDoubting(t)
	d.steps = newStepWatch(maxSkew, startMS+dayMS)
	self := engine.Member{Self: true, State: wire.Joining}
	d.look(Interval, self)
	self.State = wire.Synced
	donor := engine.Member{State: wire.Dead, Left: true, ClockTold: true, Offset: -24 * time.Hour}
	for after := 2 * Interval; after < confirmedAlone; after += Interval {
		donor.Silence = after - Interval
		if d.look(after, self, donor); !d.keeps() {
			t.Fatalf("after %v a tombstone is collected by a clock that nobody has confirmed", after)
		}
	}
	donor.Silence = confirmedAlone
	if d.look(confirmedAlone+Interval, self, donor); d.keeps() {
		t.Error("a node that is alone doubts its clock for ever")
	}
}

// A step within the limit says nothing against a newcomer's writes: others' clocks agree with its own (sim seed 242).
func TestANewcomerWhoseClockIsNearTheOthersWritesAtOnce(t *testing.T) {
	d := newDoubting(t)
	d.steps = newStepWatch(maxSkew, startMS+dayMS)
	self := engine.Member{Self: true, State: wire.Joining}
	d.look(Interval, self)
	d.steps.wall += 2000
	self.State = wire.Synced
	d.look(2*Interval, self, engine.Member{State: wire.Synced, ClockTold: true, Offset: -2 * time.Second})
	if _, err := d.t.Put(d.steps.wall, record.Key{Name: "new"}, &table.Write{Due: d.steps.wall + 1000}); err != nil {
		t.Error(err)
	}
}

// Of two peers one is heard again after this node stood still, and the other's clock was far when it was heard last (sim seed 64003729).
func TestWhatWasToldBeforeAStandstillJudgesNoClock(t *testing.T) {
	const still = 9 * time.Second
	peer := func(offset, age, stood time.Duration) engine.Member {
		return engine.Member{State: wire.Synced, ClockTold: true, Offset: offset, OffsetAge: age, Stood: stood}
	}
	k := New(table.New(table.Config{Origins: new(record.Origins), Clock: new(hlc.Clock)}), maxSkew, startMS)
	look := func(mono time.Duration, members ...engine.Member) time.Duration {
		k.Look(0, startMS+mono.Milliseconds(), mono, members)
		return k.steps.off
	}
	look(time.Second, peer(0, 0, 0), peer(0, 0, 0))
	k.steps.awake = confirmPeers
	if off := look(11*time.Second, peer(24*time.Hour, time.Second, still), peer(24*time.Hour, 0, 0)); off != 0 {
		t.Fatalf("it goes by a time that is %v off", off)
	}
	if off := look(12*time.Second, peer(0, 0, 0), peer(24*time.Hour, time.Second, 0)); off != 0 {
		t.Fatalf("when both are heard: %v off", off)
	}
	if off := look(13*time.Second, peer(24*time.Hour, 0, 0), peer(24*time.Hour, time.Second, 3*time.Second)); off != -24*time.Hour {
		t.Fatalf("both say so, one a moment ago by any time: %v off", off)
	}
	if off := look(17*time.Second, peer(24*time.Hour, hearsay, 1), peer(0, 0, 0)); off != -24*time.Hour {
		t.Fatalf("one is silent for less than what counts: %v off", off)
	}
	if off := look(18*time.Second, peer(24*time.Hour, hearsay+1, still), peer(0, 0, 0)); off != 0 {
		t.Fatalf("one stays silent, and the other says that the clock is right: %v off", off)
	}
}

// Meanwhile it collects by the earliest clock, as before.
func TestADoubtOutlivesAStandstill(t *testing.T) {
	d := newDoubting(t)
	d.steps, d.settled = newStepWatch(maxSkew, startMS+dayMS), true
	behind := engine.Member{State: wire.Synced, ClockTold: true, Offset: -24 * time.Hour}
	d.look(time.Second, behind)
	behind.Stood = time.Hour
	d.look(time.Hour, behind)
	if !d.keeps() {
		t.Fatal("a tombstone is collected by a clock that was said to be wrong")
	}
	d.look(time.Hour+time.Second, engine.Member{State: wire.Synced, ClockTold: true})
	if d.keeps() {
		t.Fatal("it is kept though the other says that the clock is right")
	}
}

// What a doubted step back adds to it is remembered as well, for when nobody is there and the clock steps again (sim seed 81002660).
func TestALatenessOfADoubtedStepIsRemembered(t *testing.T) {
	d := newDoubting(t)
	d.stayLate(time.Hour, true, false)
	if late := d.stayLate(0, false, false); late != time.Hour {
		t.Fatalf("alone, it is late by %v", late)
	}
	d.stayLate(0, true, false)
	if late := d.stayLate(0, false, false); late != time.Hour {
		t.Fatalf("while the clock is doubted it is late by %v", late)
	}
	if late := d.stayLate(0, true, true); late != 0 {
		t.Fatalf("when it is confirmed, by %v", late)
	}
}

// A clock that has just been set a little, within the limit, may be far ahead all the same: who comes and says so is heard at once, as to what is
// collected (sim seed 83006845).
func TestWhoseClockWasJustSetALittleCollectsByTheEarliest(t *testing.T) {
	for name, behind := range map[string]engine.Member{
		"a member": {State: wire.Synced, ClockTold: true, Offset: -24 * time.Hour}, "a joiner": {State: wire.Joining, ClockTold: true, Offset: -24 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDoubting(t)
			d.steps, d.settled = newStepWatch(maxSkew, startMS+dayMS-2000), true
			d.judged = true
			if d.look(time.Second, behind); d.steps.steady() || !d.keeps() {
				t.Fatalf("a tombstone is kept: %v; the clock counts as steady: %v", d.keeps(), d.steps.steady())
			}
		})
	}
}
