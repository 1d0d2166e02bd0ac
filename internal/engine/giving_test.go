package engine

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/sessioncast/sessioncast/internal/dots"
	"github.com/sessioncast/sessioncast/internal/wire"
)

// joinerOf starts a node whose transfers never end, and tells node 1 that it gives one.
func (b *bench) joinerOf(donor int) (joiner int) {
	b.put(donor, "s", "1")
	b.settle()
	b.stuckStreams = true
	b.add("cluster")
	joiner = len(b.nodes) - 1
	b.run(500 * time.Millisecond)
	b.nodes[donor].m.Step(b.now, GiveStarted{ID: 1, Taker: b.nodes[joiner].origin})
	return joiner
}

// A leaving node "waits until … nobody needs its sessions any more".
func TestTheOnlyDonorWaitsForWhoFetchesFromIt(t *testing.T) {
	b := newBench(t, 1)
	b.run(2 * time.Second)
	joiner := b.joinerOf(0)
	b.nodes[0].m.Step(b.now, Leave{})
	b.run(time.Second)
	if b.told(0, EventLeft) != 0 {
		t.Fatal("the only donor left in the middle of a transfer")
	}
	b.nodes[0].m.Step(b.now, GiveEnded{ID: 1})
	b.run(300 * time.Millisecond)
	if b.told(0, EventLeft) != 0 {
		t.Fatal("the only donor left although the joiner is not synced and could come again")
	}
	b.stuckStreams = false
	b.nodes[joiner].m.Step(b.now, FetchDone{ID: b.nodes[joiner].m.join.fetch.id, Err: errors.New("broken")})
	b.run(600 * time.Millisecond) // it asks again
	if b.told(0, EventLeft) != 1 || b.told(0, EventHurried) != 0 || b.get(joiner, "s") != "1" {
		t.Errorf("left %d times, hurried %d times; the joiner has %q", b.told(0, EventLeft), b.told(0, EventHurried), b.get(joiner, "s"))
	}
	if b.nodes[joiner].m.State() != wire.Synced || b.told(joiner, EventIncomplete) != 0 {
		t.Errorf("the joiner is %v, and told %d times that it lacks something", b.nodes[joiner].m.State(), b.told(joiner, EventIncomplete))
	}
}

// ... for eight seconds, and says so.
func TestTheOnlyDonorLeavesAfterEightSecondsAndSaysForWhomThatIsTooEarly(t *testing.T) {
	b := newBench(t, 1)
	b.run(2 * time.Second)
	b.joinerOf(0)
	b.nodes[0].m.Step(b.now, Leave{})
	b.run(giveWait - 100*time.Millisecond)
	if b.told(0, EventHurried) != 0 || b.told(0, EventLeft) != 0 {
		t.Error("it went before it had to")
	}
	b.run(200 * time.Millisecond)
	if b.told(0, EventLeft) != 1 {
		t.Error("it is there still")
	}
	var told []Event
	for _, e := range b.nodes[0].events {
		if e.Kind == EventHurried {
			told = append(told, e)
		}
	}
	if len(told) != 1 || told[0].Takers != 1 || told[0].Behind != 0 {
		t.Errorf("it says once that one needed it still: %+v", told)
	}
}

// Where another synced node could give the rest nobody waits.
func TestADonorBesideOthersLeavesAtOnce(t *testing.T) {
	b := newBench(t, 2)
	b.run(2 * time.Second)
	b.joinerOf(0)
	b.run(100 * time.Millisecond)
	b.nodes[0].m.Step(b.now, Leave{})
	b.run(100 * time.Millisecond)
	if b.told(0, EventLeft) != 1 {
		t.Error("it waits although another node has all")
	}
}

// An empty node has nothing to give.
func TestAnEmptyNodeLeavesAtOnce(t *testing.T) {
	b := newBench(t, 1)
	b.run(2 * time.Second)
	b.stuckStreams = true
	b.add("cluster")
	b.run(500 * time.Millisecond)
	b.nodes[0].m.Step(b.now, Leave{})
	b.run(100 * time.Millisecond)
	if b.told(0, EventLeft) != 1 {
		t.Error("it waits, and has nothing")
	}
}

// Of two synced nodes that fetch from the one that leaves neither could give the other what it lacks itself (sim seed 700017).
func TestADonorWaitsForSyncedNodesThatBothFetchFromIt(t *testing.T) {
	b := newBench(t, 3)
	b.run(2 * time.Second)
	b.put(0, "s", "1")
	b.run(time.Second)
	for i := 1; i <= 2; i++ {
		b.nodes[0].m.Step(b.now, GiveStarted{ID: uint64(i), Taker: b.nodes[i].origin})
	}
	b.nodes[0].m.Step(b.now, Leave{})
	b.run(300 * time.Millisecond)
	if b.told(0, EventLeft) != 0 {
		t.Fatal("it left, as if each of the two could give the other what both fetch")
	}
	b.nodes[0].m.Step(b.now, GiveEnded{ID: 1})
	b.run(100 * time.Millisecond)
	if b.told(0, EventLeft) != 1 {
		t.Error("it waits although one has all now, and could give it to the other")
	}
}

// A transfer that was asked for before the goodbye, and begins after it, is waited for as well (sim seed 621336).
func TestADonorThatSaidGoodbyeWaitsForATransferThatBeginsThen(t *testing.T) {
	for _, ends := range []bool{true, false} {
		b := newBench(t, 2)
		b.run(2 * time.Second)
		b.put(0, "s", "1")
		b.run(time.Second)
		m := b.nodes[0].m
		m.Step(b.now, Leave{})
		for m.leave.said == 0 {
			b.run(time.Millisecond)
		}
		m.Step(b.now, GiveStarted{ID: 1, Taker: b.nodes[1].origin})
		b.run(giveWait / 2)
		if b.told(0, EventLeft) != 0 {
			t.Fatal("it left in the middle of a transfer that nobody else could give")
		}
		if ends {
			m.Step(b.now, GiveEnded{ID: 1})
		}
		b.run(100 * time.Millisecond)
		if got := b.told(0, EventLeft) == 1; got != ends {
			t.Errorf("it has left: %v; the transfer has ended: %v", got, ends)
		}
		b.run(giveWait / 2)
		if b.told(0, EventLeft) != 1 || (b.told(0, EventHurried) == 1) == ends {
			t.Errorf("left %d times, hurried %d times; the transfer has ended: %v", b.told(0, EventLeft), b.told(0, EventHurried), ends)
		}
	}
}

// Who leaves before it has the others' state is nobody's donor.
func TestAJoinerThatLeavesIsNoDonor(t *testing.T) {
	b := newBench(t, 1)
	b.run(2 * time.Second)
	joiner := b.joinerOf(0)
	m := b.nodes[joiner].m
	m.Step(b.now, Leave{})
	if got := m.State(); got != wire.Joining {
		t.Errorf("it says that it is %v", got)
	}
	b.run(100 * time.Millisecond)
	if b.told(joiner, EventLeft) != 1 {
		t.Error("it is there still")
	}
}

func TestTransfersGivenAreLimited(t *testing.T) {
	b := newBench(t, 1)
	m := b.nodes[0].m
	for id := range uint64(maxGiving + 3) {
		m.Step(b.now, GiveStarted{ID: id + 1})
	}
	if len(m.giving) != maxGiving || m.Counters().GivesUncounted != 3 {
		t.Errorf("%d kept, %d counted", len(m.giving), m.Counters().GivesUncounted)
	}
	for id := range uint64(maxGiving) {
		m.Step(b.now, GiveEnded{ID: id + 1})
	}
	if len(m.giving) != 0 {
		t.Errorf("%d are kept after their end", len(m.giving))
	}
}

// offer has a joiner's donor offer so many dots of its own, and its transfer stop midway, by the cursor.
func (b *bench) offer(joiner, donor int, upTo uint64) {
	m := b.nodes[joiner].m
	var set dots.Set
	set.AddRange(1, upTo)
	f := m.join.fetch
	m.Step(b.now, FetchStarted{ID: f.id, Offer: []wire.Vector{{Origin: m.origins.Intern(b.nodes[donor].origin), Set: set}}})
	m.Step(b.now, FetchProgress{ID: f.id, Cursor: 3 << 62})
}

// breakOff ends a joiner's transfer as a connection that breaks does.
func (b *bench) breakOff(joiner int) {
	b.nodes[joiner].m.Step(b.now, FetchDone{ID: b.nodes[joiner].m.join.fetch.id, Err: errors.New("broken")})
}

// stranded is a joiner whose only donor, of 100 sessions, goes away after it has given three quarters.
func stranded(t *testing.T, goes func(b *bench)) (b *bench, joiner int) {
	b = newBench(t, 1)
	b.run(2 * time.Second)
	for i := range 100 {
		b.put(0, fmt.Sprint("s", i), "1")
	}
	b.run(2 * time.Second)
	joiner = b.joinerOf(0)
	b.offer(joiner, 0, 101)
	goes(b)
	b.breakOff(joiner)
	return b, joiner
}

func TestAJoinerWhoseOnlyDonorIsGoneSaysWhatIsMissing(t *testing.T) {
	b, joiner := stranded(t, func(b *bench) {
		b.nodes[0].m.Step(b.now, Leave{})
		b.run(giveWait + 100*time.Millisecond)
		b.drop = func(from, to int, _ wire.Type, _ Frame) bool { return from == 0 || to == 0 }
	})
	b.run(time.Second)
	m := b.nodes[joiner].m
	if m.State() != wire.Synced {
		t.Fatal("it waits for who is gone")
	}
	for _, e := range b.nodes[joiner].events {
		if e.Kind == EventIncomplete && (e.Missing != 101 || e.Sessions < 20 || e.Sessions > 30 || e.Member.Origin != b.nodes[0].origin) {
			t.Errorf("told %+v", e)
		}
	}
	if b.told(joiner, EventIncomplete) != 1 || m.Counters().JoinsIncomplete != 1 {
		t.Errorf("told %d times", b.told(joiner, EventIncomplete))
	}
	if lost := m.Incomplete(b.now); lost.Changes != 101 || lost.Sessions < 20 || lost.Since.IsZero() {
		t.Errorf("it knows of %+v", lost)
	}
	b.now = b.now.Add(25 * time.Hour) // all that had no end given is over then
	b.run(2 * time.Second)
	if lost := m.Incomplete(b.now); !lost.Since.IsZero() || b.told(joiner, EventRegained) != 0 {
		t.Errorf("a day later it says still %+v, or that it has it", lost)
	}
}

// A donor that goes before it has offered anything was heard of: its greeting told of sessions.
func TestAJoinerWhoseOnlyDonorWasGoneBeforeItsOfferSaysSo(t *testing.T) {
	b := newBench(t, 1)
	b.run(2 * time.Second)
	for i := range 100 {
		b.put(0, fmt.Sprint("s", i), "1")
	}
	b.run(2 * time.Second)
	joiner := b.joinerOf(0)
	b.silence(func(from, to int) bool { return from == 0 || to == 0 })
	b.noStreams = true
	b.breakOff(joiner)
	b.run(10 * time.Second)
	lost := b.nodes[joiner].m.Incomplete(b.now)
	if b.nodes[joiner].m.State() != wire.Synced || b.told(joiner, EventIncomplete) != 1 || lost.Sessions < 100 || lost.Changes < 100 {
		t.Errorf("it is %v, told %d times, of %+v", b.nodes[joiner].m.State(), b.told(joiner, EventIncomplete), lost)
	}
}

// A donor that is silent, and may come back, is waited for until it is taken for dead.
func TestAJoinerWaitsForADonorThatIsMerelySilent(t *testing.T) {
	b, joiner := stranded(t, func(b *bench) {
		b.silence(func(from, to int) bool { return from == 0 || to == 0 })
		b.noStreams = true
		b.run(3200 * time.Millisecond)
	})
	m := b.nodes[joiner].m
	b.run(700 * time.Millisecond)
	if m.State() == wire.Synced {
		t.Fatal("it gives up a donor that is merely silent")
	}
	b.drop, b.noStreams, b.stuckStreams = nil, false, false
	b.run(2 * time.Second)
	if m.State() != wire.Synced || b.told(joiner, EventIncomplete) != 0 || b.get(joiner, "s7") != "1" {
		t.Errorf("it is %v, told %d times that it lacks something, and has %q", m.State(), b.told(joiner, EventIncomplete), b.get(joiner, "s7"))
	}
}

// What was missing comes when who has it is heard again.
func TestWhatWasMissingIsFetchedFromADonorThatComesBack(t *testing.T) {
	b, joiner := stranded(t, func(b *bench) {
		b.silence(func(from, to int) bool { return from == 0 || to == 0 })
		b.noStreams = true
		b.run(6 * time.Second)
	})
	b.run(time.Second)
	m := b.nodes[joiner].m
	if m.State() != wire.Synced || m.Incomplete(b.now).Since.IsZero() {
		t.Fatalf("it is %v, and knows of %+v", m.State(), m.Incomplete(b.now))
	}
	b.drop, b.noStreams, b.stuckStreams = nil, false, false
	b.run(10 * time.Second)
	b.want("s7", "1")
	if b.told(joiner, EventRegained) != 1 || !m.Incomplete(b.now).Since.IsZero() {
		t.Errorf("it has all, and says %d times so; it knows of %+v", b.told(joiner, EventRegained), m.Incomplete(b.now))
	}
	if b.member(0, joiner).Incomplete {
		t.Error("the donor takes it for incomplete still")
	}
}

// Who has its sessions from one that lacks some lacks the same, says so to its own operator, and goes on saying it when that one dies; else nobody would know. It does not hand it on: nobody
// would be complete any more, whoever is started again.
func TestWhoIsGivenAPartKnowsThatItIsOne(t *testing.T) {
	for _, dies := range []bool{true, false} {
		b, joiner := stranded(t, func(b *bench) {
			b.silence(func(from, to int) bool { return from == 0 || to == 0 })
			b.noStreams = true
			b.run(6 * time.Second)
		})
		b.noStreams, b.stuckStreams = false, false
		b.run(time.Second)
		b.add("cluster")
		third := len(b.nodes) - 1
		b.silence(func(from, to int) bool { return from == 0 || to == 0 })
		b.run(2 * time.Second)
		m := b.nodes[third].m
		if lost := m.Incomplete(b.now); m.State() != wire.Synced || lost.Since.IsZero() || lost.Changes != 0 || lost.Donor.Origin != b.nodes[joiner].origin {
			t.Fatalf("it is %v, and knows of %+v", m.State(), lost)
		}
		if b.told(third, EventIncomplete) != 1 || b.member(joiner, third).Incomplete {
			t.Errorf("told %d times; it hands on what it was told: %v", b.told(third, EventIncomplete), b.member(joiner, third).Incomplete)
		}
		if dies {
			b.silence(func(from, to int) bool { return from != to && (from != third || to != third) })
			b.run(20 * time.Second)
			if m.Incomplete(b.now).Since.IsZero() || b.told(third, EventRegained) != 0 {
				t.Error("it takes itself for complete since its donor died")
			}
			continue
		}
		b.drop = nil
		b.run(20 * time.Second)
		if !m.Incomplete(b.now).Since.IsZero() || b.told(third, EventRegained) != 1 {
			t.Errorf("all has come back, and it knows of %+v, told %d times", m.Incomplete(b.now), b.told(third, EventRegained))
		}
	}
}

// What one donor took with it and the next, whose transfer came whole, does not have is told after a while, in which it could be asked for.
func TestWhatOnlyTheFirstDonorHadIsTold(t *testing.T) {
	b := newBench(t, 2)
	b.run(2 * time.Second)
	joiner := b.joinerOf(0)
	first := 0
	if b.nodes[joiner].m.join.fetch.donor.origin != b.nodes[0].origin {
		first = 1
	}
	b.offer(joiner, first, 500) // more than it ever told the other
	b.silence(func(from, to int) bool { return from == first || to == first })
	b.stuckStreams = false
	b.breakOff(joiner)
	b.run(time.Second)
	m := b.nodes[joiner].m
	if m.State() != wire.Synced || b.told(joiner, EventIncomplete) != 0 {
		t.Fatalf("it is %v, told %d times", m.State(), b.told(joiner, EventIncomplete))
	}
	b.run(20 * time.Second)
	if b.told(joiner, EventIncomplete) != 1 || m.Incomplete(b.now).Changes < 400 {
		t.Errorf("told %d times, %+v", b.told(joiner, EventIncomplete), m.Incomplete(b.now))
	}
	if !b.member(1-first, joiner).Incomplete || b.member(joiner, 1-first).Incomplete || !m.Members(b.now)[0].Incomplete {
		t.Error("its peer does not know, or knows it of the wrong one")
	}
}

func TestAnOldOfferIsForgottenByANodeThatLacksNothing(t *testing.T) {
	b := newBench(t, 2)
	b.run(5 * time.Second)
	for i := range b.nodes {
		if owed := b.nodes[i].m.owed; owed.offered != nil {
			t.Errorf("node %d keeps %d origins of what it was offered", i+1, len(owed.offered))
		}
	}
}

// Who waits for a joiner to be ready reads who gives it what, and how much that is; also when another goes on.
func TestAJoinerSaysWhoGivesItTheSessions(t *testing.T) {
	b := newBench(t, 2)
	b.run(2 * time.Second)
	for i := range 20 {
		b.put(0, fmt.Sprint("s", i), "1")
	}
	b.run(2 * time.Second)
	joiner := b.joinerOf(0)
	j := b.nodes[joiner]
	first := slices.IndexFunc(b.nodes, func(n *benchNode) bool { return n.origin == j.m.join.fetch.donor.origin })
	second := 1 - first
	giving := func() (list []int) {
		for i := range b.nodes[:joiner] {
			if b.member(joiner, i).Giving {
				list = append(list, i)
			}
		}
		return list
	}
	if got := giving(); len(got) != 0 {
		t.Errorf("%v give before they answered", got)
	}
	b.offer(joiner, first, 21)
	if got := giving(); !slices.Equal(got, []int{first}) {
		t.Errorf("%v give, not %d", got, first)
	}
	b.breakOff(joiner)
	b.offer(joiner, second, 21)
	if got := giving(); !slices.Equal(got, []int{second}) {
		t.Errorf("%v give, not %d", got, second)
	}
	b.run(0)
	var told []string
	for _, e := range j.events {
		if e.Kind == EventFetching {
			told = append(told, fmt.Sprint(e.Addr, " ", e.Member.Sessions))
		}
	}
	if want := []string{fmt.Sprint(b.nodes[first].addr, " 21"), fmt.Sprint(b.nodes[second].addr, " 21")}; !slices.Equal(told, want) {
		t.Errorf("told %q, want %q", told, want)
	}
	j.m.Step(b.now, FetchDone{ID: j.m.join.fetch.id})
	b.run(time.Millisecond)
	if got := giving(); len(got) != 0 || j.m.State() != wire.Synced {
		t.Errorf("%v give to a node that is %v", got, j.m.State())
	}
}
