package table

import (
	"fmt"
	"testing"
	"time"

	"github.com/sessioncast/sessioncast/internal/record"
)

// 3.5: "An expired key is hidden but stays mergeable, whole, until its highest deadline ever + a grace, then goes at a
// fixed 10 s epoch, from table and fingerprint together."
func TestExpiredSessionIsHiddenThenGoesAtItsEpoch(t *testing.T) {
	n := newNode(t, 1)
	n.put("s", "x", n.dueIn(10*second))
	n.pass(10*second - 1)
	if n.Len(0) != 1 {
		t.Fatal("hidden early")
	}
	root := n.Root()
	n.pass(1)
	if s := n.Stats(); n.Len(0) != 0 || s.Hidden != 1 || s.Expired != 1 || n.Root() != root {
		t.Fatalf("%+v", s)
	}
	s := n.state("s")
	end := s.PurgeAt(n.cfg.Origins, &s.Births[0], 0, n.cfg.MaxSkew)
	if end < t0+20*second+second || end > t0+40*second {
		t.Fatalf("kept until %d ms after its deadline", end-t0-10*second)
	}
	n.now = end - 1
	n.sweep()
	if n.Stats().Hidden != 1 || n.Root() != root {
		t.Fatal("gone before its epoch")
	}
	n.pass(1)
	if got := n.Stats(); got.Hidden != 0 || got.Purged != 1 || n.Bytes() != 0 || n.Root() != 0 {
		t.Fatalf("%+v, root %x", got, n.Root())
	}
	n.audit()
}

func TestEpochIsSettledOnceEverythingDueIsGone(t *testing.T) {
	n := newNode(t, 1)
	const many = sweepBudget + 100
	for i := range many {
		n.put(fmt.Sprint(i), "", n.dueIn(second))
	}
	n.now += 60 * second
	rounds := 0
	for n.Sweep(n.now) {
		rounds++
		if _, settled := n.Epoch(); settled {
			t.Fatal("settled with work left")
		}
	}
	end, settled := n.Epoch()
	if !settled || end != n.now/record.EpochMillis*record.EpochMillis {
		t.Fatalf("epoch %d, settled %v", end, settled)
	}
	if rounds == 0 || n.Bytes() != 0 {
		t.Fatalf("%d rounds, %d bytes left", rounds, n.Bytes())
	}
}

func TestTouchedSessionsAreNotHiddenByOldWakes(t *testing.T) {
	n := newNode(t, 1)
	n.put("s", "x", n.dueIn(10*second))
	for range 100 {
		n.pass(5 * second)
		n.expire("s", n.now+10*second)
		n.want("s", "x")
	}
	if n.Len(0) != 1 || n.Stats().Expired != 0 {
		t.Fatalf("%+v", n.Stats())
	}
	n.expire("s", 0)
	n.pass(hour)
	n.want("s", "x")
	n.audit()
}

// A bucket whose sessions are written over and over is not swept more often than something in it is due.
func TestABucketIsSweptWhenSomethingIsDue(t *testing.T) {
	n := newNode(t, 1)
	for i := range int64(1000) {
		n.put("s", "x", n.dueIn(hour-i))
	}
	b := n.bucket(n.hash(key("s")))
	if next := b.next.Load(); next < t0+hour-999 {
		t.Fatalf("next %d ms too early", t0+hour-999-next)
	}
	n.put("s", "x", n.dueIn(2*hour))
	n.pass(hour)
	if next := b.next.Load(); next != t0+2*hour {
		t.Fatalf("next %d, want %d", next, t0+2*hour)
	}
	n.audit()
}

func TestIdleBucketsCostNoLock(t *testing.T) {
	n := newNode(t, 1)
	n.put("s", "x", n.dueIn(hour))
	for i := range n.buckets {
		n.buckets[i].mu.Lock()
	}
	n.Sweep(n.now + hour/2) // would block for ever
	for i := range n.buckets {
		n.buckets[i].mu.Unlock()
	}
}

// A node that finished epochs under a clock far ahead has lost sessions; it must not refuse them when peers send them.
func TestAnEpochFinishedTooEarlyIsTakenBack(t *testing.T) {
	n, peer := newNode(t, 1), newNode(t, 2)
	peer.put("s", "x", peer.dueIn(hour/2))
	peer.send(n, key("s"))
	n.now += hour
	n.sweep()
	n.now = t0 + second
	n.want("s", "-")
	n.sweep()
	peer.pass(second)
	if end, settled := n.Epoch(); !settled || end != peer.sweeper.done.Load() {
		t.Fatalf("epoch %d, settled %v; the peer's is %d", end, settled, peer.sweeper.done.Load())
	}
	peer.send(n, key("s"))
	n.want("s", "x")
	if n.Root() != peer.Root() {
		t.Fatal("not the same")
	}
	n.audit()
}

func TestAnEpochStaysWhereClocksDifferWithinTheirLimit(t *testing.T) {
	n := newNode(t, 1)
	n.now += 9 * second
	n.sweep()
	was, _ := n.Epoch()
	n.now -= 10 * second
	n.sweep()
	if end, _ := n.Epoch(); end != was {
		t.Fatalf("went from %d to %d", was, end)
	}
}

// Where the time is doubtful nothing goes, however often it is swept; and all of it once the doubt is over.
func TestNothingGoesWhileEpochsEndLate(t *testing.T) {
	n := newNode(t, 1)
	n.put("s", "x", n.dueIn(10*second))
	n.SetLate(time.Hour)
	n.pass(10 * 60 * second)
	if s := n.Stats(); s.Hidden != 1 || s.Purged != 0 {
		t.Fatalf("in doubt: %+v", s)
	}
	n.SetLate(0)
	n.sweep()
	if s := n.Stats(); s.Hidden != 0 || s.Purged != 1 {
		t.Fatalf("then: %+v", s)
	}
}

// A node started with a clock that is a day ahead, alone; the clock is set right, and before the next Sweep the others' records arrive.
func TestRecordsThatArriveAfterAClockIsSetBackAreKept(t *testing.T) {
	const day = 24 * hour
	a, b := newNode(t, 1), newNode(t, 2)
	a.put("s", "x", a.dueIn(hour))
	b.now += day
	b.sweep()
	b.now -= day
	state := a.state("s")
	b.Merge(b.now, key("s"), &state)
	if _, ok := b.Get(b.now, key("s")); !ok {
		t.Error("it is gone")
	}
}
