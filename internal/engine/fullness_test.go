package engine

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sessioncast/sessioncast/internal/table"
	"github.com/sessioncast/sessioncast/internal/wire"
)

// limit makes node i anew with so much memory.
func (b *bench) limit(i int, bytes int64) {
	b.nodes[i].maxBytes = bytes
	b.restart(b.nodes[i])
}

// fill makes n sessions of some size at node i, with time for each to spread, and returns how many were refused for want of room.
func (b *bench) fill(i, n, size int) (refused int) {
	for s := range n {
		_, err := b.nodes[i].table.Put(b.now.UnixMilli(), key(fmt.Sprintf("%d of %d", s, i)), &table.Write{
			Value: []byte(strings.Repeat("x", size)), Due: b.now.Add(time.Hour).UnixMilli(),
		})
		switch {
		case errors.Is(err, table.ErrFull):
			refused++
		case err != nil:
			b.t.Fatal(err)
		}
		b.run(time.Millisecond)
	}
	return refused
}

// "members advertise fullness; a local create is refused with an error while this node or most members are above 95 %"
func TestNewSessionsAreRefusedWhereMostMembersAreNearlyFull(t *testing.T) {
	b := newBench(t, 3)
	for i := range b.nodes {
		b.limit(i, 1_000_000)
	}
	b.limit(0, 0)
	b.run(2 * time.Second)
	b.put(0, "there before", "1")
	b.fill(1, 400, 4000) // which stops at 95 % there
	b.run(1200 * time.Millisecond)
	if full := b.nodes[2].table.StatsFull(); full < 90 || full > 100 {
		t.Fatalf("node 3 is %d %% full", full)
	}
	for b.nodes[1].table.StatsFull() < crowdedPercent { // the rest grows to the limit
		b.put(1, "0 of 1", strings.Repeat("x", len(b.get(1, "0 of 1"))+1000))
		b.settle()
	}
	b.run(1200 * time.Millisecond)
	_, err := b.nodes[0].table.Put(b.now.UnixMilli(), key("new"), &table.Write{})
	if !errors.Is(err, table.ErrFull) || !errors.Is(err, table.ErrCrowded) {
		t.Errorf("a new session on a node with room while two of three are nearly full: %v", err)
	}
	if h := b.nodes[0].m.FullHealth(b.now); !h.Crowded || h.Nearly != 2 {
		t.Errorf("health %+v", h)
	}
	b.put(0, "there before", strings.Repeat("larger", 100)) // who is there goes on
	if _, err := b.nodes[0].table.Destroy(b.now.UnixMilli(), key("there before"), true); err != nil {
		t.Errorf("a logout: %v", err)
	}
	for s := range 100 {
		if _, err := b.nodes[1].table.Destroy(b.now.UnixMilli(), key(fmt.Sprintf("%d of 1", s)), true); err != nil {
			t.Fatal(err)
		}
	}
	b.run(2500 * time.Millisecond)
	b.put(0, "new", "1")
	b.settle()
	b.want("new", "1")
}

// A donor without room for all may lack some: whoever joins asks it last.
func TestAFullPeerIsAskedForItsStateLast(t *testing.T) {
	b := newBench(t, 3)
	b.run(2 * time.Second)
	m := b.nodes[0].m
	first := m.donor(nil)
	if first == nil {
		t.Fatal("no donor")
	}
	first.fullPct = 109
	other := m.donor(nil)
	if other == nil || other == first {
		t.Fatalf("the full peer is the donor while another is there: %v", other)
	}
	if last := m.donor([]*peer{other}); last != first {
		t.Errorf("with no other the full one gives: %v", last)
	}
}

// "remote records are accepted to 110 %, beyond that the node is unready, leaves the fingerprint comparison, and pulls later"
func TestAFullNodeLeavesTheComparisonAndPullsWhenThereIsRoom(t *testing.T) {
	for n, limit := range map[int]int64{250: 400_000, ringDots + 500: 5_000_000} { // asked for one by one, and pulled over a stream
		b := newBench(t, 2)
		const size = 4000
		b.limit(1, limit)
		b.run(2 * time.Second)
		full := b.nodes[1]
		for i := 0; i < n; i += 50 {
			for j := range 50 {
				b.put(0, fmt.Sprint("s", i+j), strings.Repeat("x", size))
			}
			b.settle()
		}
		b.run(10 * time.Second)
		if h := full.m.FullHealth(b.now); h.Lacks.IsZero() || full.table.StatsFull() > 110 {
			t.Fatalf("%d sessions: %d %% full, health %+v", n, full.table.StatsFull(), h)
		}
		for range 10 {
			b.sweep()
			b.run(time.Second)
		}
		if d := full.m.Counters().Divergences + b.nodes[0].m.Counters().Divergences; d > 0 {
			t.Errorf("%d sessions: %d divergences of a node that has no room", n, d)
		}
		for i := range n * 9 / 10 {
			if _, err := b.nodes[0].table.Destroy(b.now.UnixMilli(), key(fmt.Sprint("s", i)), false); err != nil {
				t.Fatal(err)
			}
			if i%50 == 0 {
				b.settle()
			}
		}
		b.run(3 * time.Second)
		if full.table.Root() != b.nodes[0].table.Root() {
			t.Errorf("%d sessions: three seconds after there was room, at %d %%, it lacks some still: %d of %d", n,
				full.table.StatsFull(), full.table.Len(0), b.nodes[0].table.Len(0))
		}
		b.run(2 * time.Second)
		if h := full.m.FullHealth(b.now); !h.Lacks.IsZero() {
			t.Errorf("%d sessions: it says that it lacks some: %+v", n, h)
		}
	}
}

// crammed is two nodes with so many sessions that the second has no room for all.
func crammed(t *testing.T) *bench {
	b := newBench(t, 2)
	b.limit(1, 100_000)
	b.run(2 * time.Second)
	b.fill(0, 100, 4000)
	b.run(3 * time.Second)
	if h := b.nodes[1].m.FullHealth(b.now); h.Lacks.IsZero() {
		t.Fatalf("the small one lacks nothing: %+v", h)
	}
	return b
}

// "GREET: ... fullness"; who lacks something is no donor while another may greet.
func TestWhoLacksRecordsSaysSoAndIsAskedLast(t *testing.T) {
	b := crammed(t)
	if m := b.member(0, 1); !m.Lacking || b.member(1, 0).Lacking {
		t.Errorf("the big one knows of the small one %+v", m)
	}
	b.drop = func(from, _ int, typ wire.Type, _ Frame) bool {
		return from == 0 && (typ == wire.TypeGreet || typ == wire.TypeHeartbeat || typ == wire.TypeHello)
	}
	b.add("cluster")
	joiner := b.nodes[2].m
	b.run(500 * time.Millisecond)
	if m := b.member(2, 1); m.State != wire.Synced || !m.Lacking || joiner.join.fetch != nil || joiner.State() == wire.Synced {
		t.Fatalf("the joiner knows of the small one %v, lacking %v, and is %v", m.State, m.Lacking, joiner.State())
	}
	b.drop = nil
	b.run(time.Second)
	if joiner.State() != wire.Synced || b.get(2, "99 of 0") == "" {
		t.Error("the joiner did not get what only the big one has")
	}
}

func TestWhoLacksRecordsIsADonorWhereThereIsNoOther(t *testing.T) {
	b := crammed(t)
	b.silence(func(from, to int) bool { return from == 0 || to == 0 })
	b.add("cluster")
	b.run(1500 * time.Millisecond)
	for _, e := range b.nodes[2].events {
		if e.Kind == EventSynced && e.Member.Lacking {
			return
		}
	}
	t.Errorf("it is %v, and not by the small one that lacks some", b.nodes[2].m.State())
}

// "WARN when becoming unready for want of memory, INFO when recovered": once each, whatever comes and goes within seconds.
func TestAShortageIsToldWhenItBeginsAndWhenItHasEnded(t *testing.T) {
	b := crammed(t)
	b.run(10 * time.Second)
	if b.told(1, EventLacks) != 1 || b.told(1, EventLacksNoMore) != 0 || b.told(0, EventLacks) != 0 {
		t.Errorf("told %d times, %d times of its end, %d times by who has room", b.told(1, EventLacks), b.told(1, EventLacksNoMore), b.told(0, EventLacks))
	}
	for i := range 95 {
		if _, err := b.nodes[0].table.Destroy(b.now.UnixMilli(), key(fmt.Sprintf("%d of 0", i)), false); err != nil {
			t.Fatal(err)
		}
	}
	b.run(5 * time.Second)
	if b.nodes[1].m.Lacks() || b.told(1, EventLacksNoMore) != 0 {
		t.Errorf("lacks still: %v; its end told %d times, at once", b.nodes[1].m.Lacks(), b.told(1, EventLacksNoMore))
	}
	b.run(12 * time.Second)
	if b.told(1, EventLacksNoMore) != 1 || b.told(1, EventLacks) != 1 {
		t.Errorf("its end told %d times", b.told(1, EventLacksNoMore))
	}
}

// A node that starts where others hold more than its limit joins for as long as that is so, and says why.
func TestARestartWithoutRoomStaysJoiningAndPartial(t *testing.T) {
	b := crammed(t)
	b.restart(b.nodes[1])
	b.run(5 * time.Second)
	small := b.nodes[1]
	if small.m.State() != wire.Joining || !small.m.Lacks() || !small.table.Partial() {
		t.Errorf("it is %v, lacks %v, partial %v", small.m.State(), small.m.Lacks(), small.table.Partial())
	}
	if m := b.member(0, 1); m.State != wire.Joining || !m.Lacking {
		t.Errorf("the other knows %v, lacking %v", m.State, m.Lacking)
	}
	// Nobody waits for it: what it lacks it would not take.
	b.nodes[0].m.Step(b.now, Leave{})
	b.run(200 * time.Millisecond)
	if b.told(0, EventLeft) != 1 {
		t.Error("who leaves waits for a node that has no room")
	}
}

func TestNobodyWaitsForAFullPeerToConfirmAsItLeaves(t *testing.T) {
	b := crammed(t)
	b.nodes[0].m.Step(b.now, Leave{})
	b.run(200 * time.Millisecond)
	if b.told(0, EventLeft) != 1 || b.told(0, EventHurried) != 0 {
		t.Error("who leaves waits for what a full peer cannot confirm")
	}
}
