package engine

import (
	"fmt"
	"testing"
	"time"

	"github.com/sessioncast/sessioncast/internal/wire"
)

func TestALoneWriteReachesAllAtOnce(t *testing.T) {
	b := newBench(t, 3)
	b.run(2 * time.Second)
	b.put(0, "a", "1")
	b.settle()
	b.want("a", "1")
}

func TestALostFrameIsRepairedWithinMilliseconds(t *testing.T) {
	b := newBench(t, 3)
	b.run(2 * time.Second)
	lost := 0
	b.drop = func(from, to int, typ wire.Type, _ Frame) bool {
		if typ == wire.TypeData && to == 2 {
			lost++
			return true
		}
		return false
	}
	b.put(0, "a", "1")
	b.run(10 * time.Millisecond)
	b.want("a", "1")
	if lost == 0 || b.nodes[2].m.Counters().NacksOut == 0 {
		t.Fatal("nothing was lost or nothing asked for")
	}
}

// "Heartbeats (not full) follow data after 2, 4, 8 ms": the first one, a NACK within a millisecond and an answer at once.
func TestALostLastFrameIsRepairedInFourMilliseconds(t *testing.T) {
	b := newBench(t, 3)
	b.run(2 * time.Second)
	b.drop = func(_, to int, typ wire.Type, _ Frame) bool { return typ == wire.TypeData && to == 2 }
	b.put(0, "a", "1")
	b.run(4 * time.Millisecond)
	b.want("a", "1")
}

// "The first request is answered at once, those within 1 ms after a repair are gathered."
func TestWhatAllLackIsRepairedTwice(t *testing.T) {
	b := newBench(t, 8)
	b.run(2 * time.Second)
	before := b.nodes[0].m.Counters().RepairsOut
	b.drop = func(_, _ int, typ wire.Type, _ Frame) bool { return typ == wire.TypeData }
	b.put(0, "a", "1")
	b.run(10 * time.Millisecond)
	b.want("a", "1")
	if sent := b.nodes[0].m.Counters().RepairsOut - before; sent > 3 {
		t.Errorf("%d repairs of one change that seven lacked", sent)
	}
}

func TestALargeValueIsRepairedFragmentByFragment(t *testing.T) {
	b := newBench(t, 3)
	b.run(2 * time.Second)
	n := 0
	b.drop = func(_, to int, typ wire.Type, _ Frame) bool {
		if typ != wire.TypeFrag {
			return false
		}
		n++
		return to == 1 && n%7 == 0
	}
	large := string(make([]byte, 1<<20))
	b.put(0, "large", large)
	b.run(time.Second)
	b.want("large", large)
	if sent := b.nodes[0].m.Counters().FragmentsOut; sent > 1300 {
		t.Errorf("%d fragments sent for 1 MiB under 14 %% loss at one receiver: more than what was lost came again", sent)
	}
}

func TestAJoinerHoldsWhatWasThere(t *testing.T) {
	b := newBench(t, 2)
	b.run(2 * time.Second)
	for i := range 10_000 {
		b.put(i%2, fmt.Sprint("s", i), "x")
		if i%100 == 0 {
			b.settle()
		}
	}
	b.run(time.Second)
	b.add("cluster")
	b.run(2 * time.Second)
	for i := range 10_000 {
		b.want(fmt.Sprint("s", i), "x")
	}
	if got := b.nodes[2].m.Counters().NacksOut; got > 0 {
		t.Errorf("%d NACKs although all came by the transfer", got)
	}
}

func TestAnAwaitIsAnsweredByThePeers(t *testing.T) {
	b := newBench(t, 3)
	b.run(2 * time.Second)
	seq := b.put(0, "a", "1")
	b.nodes[0].m.Step(b.now, Await{ID: 7, Seq: seq, Writes: 1, K: -1, Timeout: 50 * time.Millisecond})
	b.nodes[0].m.Step(b.now, Await{ID: 8, Seq: seq, Writes: 1, K: 5, Timeout: 50 * time.Millisecond})
	b.settle()
	if a := b.nodes[0].acked; len(a) != 2 || a[0].ID != 7 || !a[0].Met || a[0].Peers < 1 || a[1].Peers != 2 || a[1].Met {
		t.Fatalf("acked %+v", a)
	}
}

func TestForeignClustersDoNotMeet(t *testing.T) {
	b := newBench(t, 1)
	b.add("other")
	b.run(2 * time.Second)
	b.put(0, "a", "1")
	b.run(2 * time.Second)
	if b.get(1, "a") != "" || len(b.nodes[1].m.Members(b.now)) != 1 {
		t.Fatal("two clusters with different names exchanged something")
	}
	told := 0
	for _, e := range b.nodes[1].events {
		if e.Kind == EventOtherKey {
			told++
		}
	}
	if told != 1 {
		t.Fatalf("told %d times of the other key, want once", told)
	}
}

func TestANodeAloneSendsItsWritesToNobodyAndGivesThemToWhoComes(t *testing.T) {
	b := newBench(t, 1)
	b.run(2 * time.Second)
	for i := range 100 {
		b.put(0, fmt.Sprint("s", i), "x")
		b.run(time.Millisecond)
	}
	if got := b.nodes[0].m.Counters().DataOut; got != 0 {
		t.Errorf("%d frames of changes sent to nobody", got)
	}
	b.add("cluster")
	b.run(2 * time.Second)
	for i := range 100 {
		b.want(fmt.Sprint("s", i), "x")
	}
}

func TestWhatHasNotLeftIsNotAnnouncedAndNotAskedFor(t *testing.T) {
	b := newBench(t, 2)
	b.run(2 * time.Second)
	m := b.nodes[0].m
	m.pace.rate, m.pace.tokens = 1000, -1 // nothing leaves for a while
	for i := range 500 {
		b.put(0, fmt.Sprint("s", i), "x")
	}
	b.run(3 * time.Second)
	if got := b.nodes[1].m.Counters().NacksOut; got > 0 {
		t.Errorf("%d NACKs for what is about to leave", got)
	}
	m.pace.rate = 1e9
	b.run(2 * time.Second)
	for i := range 500 {
		b.want(fmt.Sprint("s", i), "x")
	}
}

// "A mismatch heals by bucket over the stream connection and counts as divergence."
func TestTablesThatDifferUnderEqualVectorsAreHealed(t *testing.T) {
	b := newBench(t, 2)
	b.run(2 * time.Second)
	b.put(0, "a", "1")
	b.run(2 * time.Second)
	differ(b, 0)
	for range 6 {
		b.sweep()
		b.run(time.Second)
	}
	if b.nodes[0].table.Root() != b.nodes[1].table.Root() {
		t.Error("the tables differ still")
	}
	if b.told(0, EventDivergence)+b.told(1, EventDivergence) == 0 {
		t.Error("nobody told of it")
	}
}

// Failed transfers are tried again after longer and longer; that a donor is there again ends the wait.
func TestADonorThatComesBackIsAskedAtOnce(t *testing.T) {
	b := newBench(t, 2)
	b.run(2 * time.Second)
	cut := func(_, _ int, _ wire.Type, _ Frame) bool { return true }
	b.drop = cut
	for i := range ringDots + 1000 {
		b.put(0, fmt.Sprint("s", i), "x")
	}
	b.settle()
	b.noStreams, b.drop = true, nil
	b.run(time.Minute)
	if b.nodes[1].m.join.wait < 20*time.Second {
		t.Fatalf("the wait is %v after a minute of failures", b.nodes[1].m.join.wait)
	}
	b.drop = cut
	b.run(10 * time.Second) // each is dead to the other
	b.noStreams, b.drop = false, nil
	b.run(2 * time.Second)
	for i := range ringDots + 1000 {
		b.want(fmt.Sprint("s", i), "x")
	}
}
