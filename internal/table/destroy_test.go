package table

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/sessioncast/sessioncast/internal/record"
)

// 3.4: "until HLC > T + H an upsert of it is refused"
func TestLogoutHoldRefusesUpserts(t *testing.T) {
	n := newNode(t, 1)
	n.put("s", "one", n.dueIn(hour))
	n.destroy("s")
	if _, err := n.tryPut("s", "racing"); !errors.Is(err, ErrDestroyed) {
		t.Fatalf("upsert: %v", err)
	}
	if n.Stats().Held != 1 || n.OwnHigh() != 2 {
		t.Fatalf("%d held, dots up to %d", n.Stats().Held, n.OwnHigh())
	}
	tomb := n.state("s").Tomb
	hold := tomb.Hold
	if want := record.TombUntil(tomb.At, hold, 0, n.cfg.MaxSkew); tomb.Until != want {
		t.Fatalf("kept until %d, want %d: past the last birth that the hold may kill", tomb.Until, want)
	}
	if got := hold.Millis(); got != t0+5*second+60*second {
		t.Fatalf("the hold ends at T + H = %d", got)
	}
	n.now = hold.Millis()
	if _, err := n.tryPut("s", "racing"); !errors.Is(err, ErrDestroyed) {
		t.Fatalf("upsert at the end of the hold: %v", err)
	}
	n.now++
	n.put("s", "later")
	n.want("s", "later")
}

// A destroy is stamped ahead, so one in a hold's last seconds has its tombstone above the hold's end.
func TestADestroyNearTheEndOfAHoldDoesNotEndIt(t *testing.T) {
	n := newNode(t, 1)
	n.put("s", "one", n.dueIn(hour))
	n.destroy("s")
	hold := n.state("s").Tomb.Hold
	n.now = hold.Millis() - second
	if _, err := n.Destroy(n.now, key("s"), false); err != nil {
		t.Fatal(err)
	}
	n.now = hold.Millis()
	if _, err := n.tryPut("s", "racing"); !errors.Is(err, ErrDestroyed) {
		t.Fatalf("upsert at the end of the hold: %v", err)
	}
	n.now += 5 * second
	n.put("s", "later")
	n.want("s", "later")
}

// What is left of a hold may be lost where somebody destroys, in its last seconds, what it knows neither alive nor held.
func TestADestroyThatKnowsOfNoHoldEndsItAtMostInItsLastSeconds(t *testing.T) {
	for before, held := range map[int64]bool{6 * second: true, 4 * second: false} {
		n, other := newNode(t, 1), newNode(t, 2)
		n.put("s", "one", n.dueIn(hour))
		n.destroy("s")
		n.now = n.state("s").Tomb.Hold.Millis() - before
		other.now = n.now
		other.destroy("s")
		theirs := other.state("s")
		n.Merge(n.now, key("s"), &theirs)
		if _, err := n.tryPut("s", "racing"); errors.Is(err, ErrDestroyed) != held {
			t.Errorf("%d ms before the hold's end: an upsert gets %v", before, err)
		}
	}
}

func TestExplicitCreationPassesAHold(t *testing.T) {
	for name, how := range map[string]func(*Write){"NX": ifAbsent, "seen missing": explicit} {
		n := newNode(t, 1)
		n.put("s", "one", n.dueIn(hour))
		n.destroy("s")
		n.put("s", "again", how)
		n.want("s", "again")
		if n.state("s").Births[0].Weak {
			t.Errorf("%s: the birth is weak", name)
		}
		n.put("s", "updated") // what was created again can be written as any other
		n.want("s", "updated")
	}
}

func TestNoHoldWithout(t *testing.T) {
	for name, c := range map[string]struct {
		hold    time.Duration
		due     int64
		destroy func(n *node)
	}{
		"a lifetime":   {time.Minute, 0, func(n *node) { n.destroy("s") }},
		"being asked":  {time.Minute, t0 + hour, func(n *node) { _, _ = n.Destroy(n.now, key("s"), false) }},
		"being on":     {0, t0 + hour, func(n *node) { n.destroy("s") }},
		"a logout":     {time.Minute, t0 + hour, func(n *node) { _, _ = n.Flush(n.now, 0) }},
		"an own grave": {time.Minute, t0 + hour, func(n *node) { n.destroy("other"); n.expire("s", n.now-1) }},
	} {
		n := newNode(t, 1, func(cfg *Config) { cfg.Hold = c.hold })
		n.put("s", "one", func(w *Write) { w.Due = c.due })
		c.destroy(n)
		n.want("s", "-")
		if _, err := n.tryPut("s", "two"); err != nil {
			t.Errorf("without %s: %v", name, err)
		}
	}
}

func TestAnExpiredSessionStillGetsItsHold(t *testing.T) {
	n := newNode(t, 1)
	n.put("s", "one", n.dueIn(second))
	n.now += 2 * second
	if res := n.destroy("s"); res.Existed || !res.Done {
		t.Fatalf("%+v", res)
	}
	if _, err := n.tryPut("s", "racing"); !errors.Is(err, ErrDestroyed) {
		t.Fatalf("upsert: %v", err)
	}
}

// "a birth made by an upsert is marked weak, a tombstone carries its hold H, and kills weak births <= T + H"
func TestHoldKillsTheUpsertOfANodeThatKnewNoTombstone(t *testing.T) {
	a, b := newNode(t, 1), newNode(t, 2)
	a.put("s", "one", a.dueIn(hour))
	a.destroy("s")
	a.now, b.now = a.now+20*second, b.now+20*second
	b.put("s", "racing", b.dueIn(hour))
	b.put("t", "meant", ifAbsent, b.dueIn(hour))
	if !b.state("s").Births[0].Weak || b.state("t").Births[0].Weak {
		t.Fatal("the upsert is to be weak, the creation not")
	}
	a.send(b, key("s"))
	b.want("s", "-")
	b.send(a, key("s"))
	a.want("s", "-")
}

func TestSeenMissingIsWeakWhereNoTombstoneIsKnown(t *testing.T) {
	n := newNode(t, 1)
	n.put("s", "one", explicit)
	if !n.state("s").Births[0].Weak {
		t.Fatal("a connection that saw nothing on a node that knows nothing states nothing")
	}
}

// "Logout sticks": not by a late write or touch on any node.
func TestLateWritesAndTouchesDoNotRevive(t *testing.T) {
	a, b := newNode(t, 1), newNode(t, 2)
	a.put("s", "one", a.dueIn(hour))
	a.send(b, key("s"))
	a.destroy("s")
	b.now += 20 * second
	b.put("s", "late", b.dueIn(2*hour))
	b.expire("s", b.now+3*hour)
	b.send(a, key("s"))
	a.want("s", "-")
	a.send(b, key("s"))
	b.want("s", "-")
	if a.Root() != b.Root() {
		t.Fatal("roots differ")
	}
}

func TestDestroyOfAnUnknownKeyKillsTheCreateOnItsWay(t *testing.T) {
	a, b := newNode(t, 1), newNode(t, 2)
	a.put("s", "one")
	if res := b.destroy("s"); res.Existed || !res.Done || res.Seq != 1 {
		t.Fatalf("%+v", res)
	}
	a.send(b, key("s"))
	b.want("s", "-")
}

func TestTombstonesOfUnknownKeysAreLimited(t *testing.T) {
	n := newNode(t, 1)
	n.put("known", "x")
	done := 0
	for i := range UnknownTombsBurst + 100 {
		if n.destroy(fmt.Sprint(i)).Done {
			done++
		}
	}
	if done != UnknownTombsBurst || n.Stats().UnknownDropped != 100 {
		t.Fatalf("%d made, %d dropped", done, n.Stats().UnknownDropped)
	}
	for _, name := range []string{"known", "known", "0"} { // alive, dead by now, dead from the start
		if !n.destroy(name).Done {
			t.Fatalf("%s: the limits are for unknown keys only", name)
		}
	}
	n.now += second
	for i := range UnknownTombsPerSec + 100 {
		n.destroy(fmt.Sprint("later", i))
	}
	if got := n.Stats().UnknownDropped; got != 200 {
		t.Fatalf("%d dropped, want 200", got)
	}
	n.counts.unknown.Store(MaxUnknownTombs)
	n.now += hour
	if n.destroy("one more").Done {
		t.Fatal("beyond the cap")
	}
	n.audit()
}

func TestAClockThatIsSetBackDoesNotShutTheLimiter(t *testing.T) {
	for name, back := range map[string]int64{"a minute": 60 * second, "a year": 24 * 365 * hour, "to 1970": t0} {
		var l limiter
		for range 2 * UnknownTombsBurst {
			l.allow(t0)
		}
		now := t0 - back
		count := func(n int) (allowed int) {
			for range n {
				if l.allow(now) {
					allowed++
				}
			}
			return allowed
		}
		if got := count(100); got != 1 {
			t.Errorf("%s: %d at once, want 1: the bucket was empty before", name, got)
		}
		now += second
		if got := count(2 * UnknownTombsPerSec); got != UnknownTombsPerSec {
			t.Errorf("%s: %d in the second after, want %d", name, got, UnknownTombsPerSec)
		}
		now += hour
		if got := count(2 * UnknownTombsBurst); got != UnknownTombsBurst {
			t.Errorf("%s: a burst of %d an hour later, want %d", name, got, UnknownTombsBurst)
		}
	}
}

// Callers read the clock before they come here, and not in the order in which they come.
func TestCallersOutOfOrderGetNoMoreFromTheLimiter(t *testing.T) {
	var l limiter
	allowed := 0
	for range 10 * UnknownTombsBurst {
		for _, late := range []int64{0, 3, 900} {
			if l.allow(t0 - late) {
				allowed++
			}
		}
	}
	if allowed > UnknownTombsBurst {
		t.Fatalf("%d at one moment, want %d", allowed, UnknownTombsBurst)
	}
}

func TestUnknownTombstonesStopCountingWhenTheyGoOrLive(t *testing.T) {
	n := newNode(t, 1)
	n.destroy("a")
	n.destroy("b")
	if n.counts.unknown.Load() != 2 {
		t.Fatalf("%d", n.counts.unknown.Load())
	}
	n.put("a", "x", ifAbsent)
	if n.counts.unknown.Load() != 1 {
		t.Fatalf("%d after one came to life", n.counts.unknown.Load())
	}
	n.pass(48 * hour)
	if n.counts.unknown.Load() != 0 || n.Stats().Tombstones != 0 {
		t.Fatalf("%d, %d tombstones after their until", n.counts.unknown.Load(), n.Stats().Tombstones)
	}
}

func TestTombstonesGoAtTheEpochAfterTheirUntil(t *testing.T) {
	n := newNode(t, 1)
	n.put("s", "x")
	n.destroy("s")
	end := record.EpochEnd(n.state("s").Tomb.Until)
	n.now = end - 1
	n.sweep()
	if !n.Load(key("s"), new(record.State)) {
		t.Fatal("gone early")
	}
	n.pass(1)
	if n.Load(key("s"), new(record.State)) || n.Bytes() != 0 || n.Root() != 0 {
		t.Fatalf("left behind: %d bytes, root %x", n.Bytes(), n.Root())
	}
	n.audit()
}

// "FLUSHALL/FLUSHDB: one floor stamp per database, merged by maximum, never collected."
func TestFlush(t *testing.T) {
	a, b := newNode(t, 1), newNode(t, 2)
	other := record.Key{DB: 3, Name: "s"}
	for _, name := range names(100) {
		a.put(name, "x", a.dueIn(hour))
	}
	if _, err := a.Put(a.now, other, &Write{}); err != nil {
		t.Fatal(err)
	}
	a.sendAll(b)
	b.put("unseen", "x")
	seq, err := a.Flush(a.now, 0)
	if err != nil || seq != 102 || a.OwnHigh() != seq {
		t.Fatalf("dot %d, logged up to %d, %v", seq, a.OwnHigh(), err)
	}
	k, _, _ := a.LogKey(a.self(), seq)
	if k != record.FloorKey(0) {
		t.Fatalf("logged for %+v", k)
	}
	if a.send(b, k) != Applied {
		t.Fatal("not applied")
	}
	for _, n := range []*node{a, b} {
		if n.Len(0) != 0 || n.Len(3) != 1 {
			t.Fatalf("%d sessions left, %d in the other database", n.Len(0), n.Len(3))
		}
		n.want("unseen", "-")
		n.audit()
	}
	if a.Root() != b.Root() {
		t.Fatal("roots differ")
	}
	a.put("unseen", "new") // no hold
	a.want("unseen", "new")
	a.pass(1000 * hour)
	if a.floor(0) == 0 || !a.Load(record.FloorKey(0), new(record.State)) {
		t.Fatal("the floor was collected")
	}
}

func TestFlushKillsBirthsRaisedAboveTheClock(t *testing.T) {
	n, far := newNode(t, 1), newNode(t, 2)
	far.now += hour
	far.put("s", "x")
	far.destroy("s")
	far.put("s", "again", ifAbsent)
	far.send(n, key("s"))
	n.want("s", "again")
	if _, err := n.Flush(n.now, 0); err != nil {
		t.Fatal(err)
	}
	n.want("s", "-")
}

func TestALateBirthDiesUnderTheFloor(t *testing.T) {
	a, b := newNode(t, 1), newNode(t, 2)
	a.put("s", "x")
	if _, err := b.Flush(b.now, 0); err != nil {
		t.Fatal(err)
	}
	if a.send(b, key("s")) != Applied {
		t.Fatal("not applied")
	}
	b.want("s", "-")
	if b.Load(key("s"), new(record.State)) {
		t.Fatal("something was kept")
	}
}

// A birth is named by its stamp: one made after a hold has killed a weak one, hard above the same floor, needs another.
func TestABirthAfterOneThatAHoldKilledHasAStampOfItsOwn(t *testing.T) {
	a, b := newNode(t, 1), newNode(t, 2)
	b.put("s", "1", b.dueIn(60_000))
	b.destroy("s")
	if _, err := a.Flush(a.now, 0); err != nil {
		t.Fatal(err)
	}
	a.put("s", "weak", a.dueIn(60_000))
	first := a.state("s").Births[0].ID
	b.send(a, key("s"))
	if len(a.state("s").Births) != 0 {
		t.Fatal("the hold did not kill the weak birth")
	}
	a.put("s", "meant", a.dueIn(60_000), ifAbsent)
	if second := a.state("s").Births[0].ID; second == first {
		t.Errorf("two births are both named %v", first)
	}
	a.want("s", "meant")
}

// Nor is one that expired, above a tombstone of a clock a day ahead, the namesake of the next (sim seed 927121).
func TestABirthAfterOneThatExpiredAboveATombstoneAheadHasAStampOfItsOwn(t *testing.T) {
	hourly := func(c *Config) { c.Lifetime = time.Hour }
	a, ahead := newNode(t, 1, hourly), newNode(t, 2, hourly)
	ahead.now += 24 * hour
	ahead.put("s", "1", ahead.dueIn(60_000))
	ahead.destroy("s")
	ahead.send(a, key("s"))
	a.put("s", "short", a.dueIn(1000), explicit)
	first := a.state("s").Births[0].ID
	a.pass(2 * hour) // beyond its absolute lifetime
	if s := a.state("s"); len(s.Births) != 0 || s.Tomb.At == 0 {
		t.Fatalf("not forgotten, or the tombstone was: %+v", s)
	}
	a.put("s", "next", a.dueIn(60_000), explicit)
	if second := a.state("s").Births[0].ID; second == first {
		t.Errorf("two births are both named %v", first)
	}
	a.want("s", "next")
}

// A node that lacks sessions does not know which keys are some: a logout there holds back the requests under way as it would anywhere.
func TestADestroyOnAPartialTableHoldsWhatItDoesNotKnow(t *testing.T) {
	a, b := newNode(t, 1), newNode(t, 2)
	b.put("s", "1", b.dueIn(60_000))
	a.SetPartial(true)
	if a.Knows(a.now, key("s")) {
		t.Error("a partial table knows what it lacks")
	}
	a.destroy("s")
	if !a.Knows(a.now, key("s")) {
		t.Error("it does not know what was destroyed here")
	}
	a.send(b, key("s"))
	if _, err := b.tryPut("s", "late", b.dueIn(60_000)); !errors.Is(err, ErrDestroyed) {
		t.Errorf("a request under way: %v", err)
	}
	a.SetPartial(false)
	if !a.Knows(a.now, key("never heard of")) {
		t.Error("a whole table does not know that a session is missing")
	}
}
