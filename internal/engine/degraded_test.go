package engine

import (
	"fmt"
	"testing"
	"time"

	"github.com/sessioncast/sessioncast/internal/wire"
)

// oneByOne writes at node i for d as a client does that waits for each write, and returns how long each waited.
func (b *bench) oneByOne(i, k int, d time.Duration) (waits []time.Duration) {
	n := b.nodes[i]
	for end := b.now.Add(d); b.now.Before(end); {
		n.acked = nil
		began, seq := b.now, b.put(i, "a", "x")
		n.m.Step(b.now, Await{ID: seq, Seq: seq, Writes: 1, K: k, Timeout: 50 * time.Millisecond})
		b.settle()
		for len(n.acked) == 0 {
			b.run(time.Millisecond)
		}
		waits = append(waits, b.now.Sub(began))
		b.run(5 * time.Millisecond)
	}
	return waits
}

// A call that asks for more than the configuration does says nothing of the other writes.
func TestACallThatAsksForMoreThanIsConfirmedDoesNotDegradeTheNode(t *testing.T) {
	b := newBench(t, 3)
	b.nodes[0].m.cfg.Ack = 1
	b.run(3 * time.Second)
	b.silence(func(from, to int) bool { return from == 2 || to == 2 })
	b.oneByOne(0, AckAll, time.Second)
	c, h := b.nodes[0].m.Counters(), b.nodes[0].m.AckHealth(b.now)
	if c.AckMoreUnmet == 0 || c.AckTimeouts != 0 || !h.Since.IsZero() || h.Recent.Unconfirmed != 0 {
		t.Errorf("%d calls unmet, %d writes unconfirmed; health %+v", c.AckMoreUnmet, c.AckTimeouts, h)
	}
}

func sum(waits []time.Duration) (all time.Duration) {
	for _, w := range waits {
		all += w
	}
	return all
}

// Before it is dead or even suspect, a peer that does not answer must not cost each write ack-timeout.
func TestAPeerThatDoesNotAnswerCostsFewWritesTheirTimeout(t *testing.T) {
	mute := map[string]func(from, to int) bool{
		"stopped":                          func(from, to int) bool { return from == 1 || to == 1 },
		"alive and deaf to this node":      func(from, to int) bool { return to == 1 },
		"all of three peers are cut off":   func(from, to int) bool { return from == 0 || to == 0 },
		"all of three hear nothing of us ": func(from, to int) bool { return from == 0 },
	}
	for name, drop := range mute {
		for _, ack := range []int{1, AckAll} {
			b := newBench(t, 4)
			if name == "stopped" || name == "alive and deaf to this node" {
				b = newBench(t, 2)
			}
			b.nodes[0].m.cfg.Ack = ack
			b.run(3 * time.Second)
			b.silence(drop)
			waits := b.oneByOne(0, -1, 2500*time.Millisecond)
			c := b.nodes[0].m.Counters()
			if all := sum(waits); all > 350*time.Millisecond || c.AckGivenUp == 0 {
				t.Errorf("%s, ack %d: %d writes waited %v together, %d were answered at once", name, ack, len(waits), all, c.AckGivenUp)
			}
			if h := b.nodes[0].m.AckHealth(b.now); h.Since.IsZero() || !h.Deaf() || h.Recent.Unconfirmed != uint64(len(waits)) {
				t.Errorf("%s, ack %d: health %+v after %d writes", name, ack, h, len(waits))
			}
			b.drop = nil
			b.run(1200 * time.Millisecond) // it is asked again within a second
			before := b.nodes[0].m.Counters().AckTimeouts
			b.oneByOne(0, -1, 100*time.Millisecond)
			if late := b.nodes[0].m.Counters().AckTimeouts - before; late > 0 {
				t.Errorf("%s, ack %d: %d writes unconfirmed although all answer again", name, ack, late)
			}
		}
	}
}

// A pipeline is one wait and many writes. Of those that a peer holds none counts as unconfirmed.
func TestEachWriteOfAPipelineCounts(t *testing.T) {
	b := newBench(t, 2)
	b.nodes[0].m.cfg.Ack = 1
	b.run(3 * time.Second)
	pipeline := func(id uint64, confirmed, lost int) {
		var seq uint64
		for i := range confirmed + lost {
			if i == confirmed {
				b.run(100 * time.Millisecond)
				b.silence(func(from, _ int) bool { return from == 0 })
			}
			seq = b.put(0, fmt.Sprint("p", i), "x")
		}
		b.nodes[0].m.Step(b.now, Await{ID: id, Seq: seq, Writes: confirmed + lost, K: 1, Timeout: 50 * time.Millisecond})
		b.run(100 * time.Millisecond)
		b.drop = nil
		b.run(time.Second)
	}
	pipeline(1, 4, 3)
	if c, h := b.nodes[0].m.Counters(), b.nodes[0].m.AckHealth(b.now); c.AckTimeouts != 3 || h.Recent != (AckShare{Waited: 7, Unconfirmed: 3}) {
		t.Errorf("3 of 7 writes were lost: %d unconfirmed, health %+v", c.AckTimeouts, h)
	}
	pipeline(2, 0, 5)
	if c := b.nodes[0].m.Counters(); c.AckTimeouts != 8 {
		t.Errorf("5 more were lost: %d unconfirmed", c.AckTimeouts)
	}
	high := b.put(0, "q", "x")
	b.silence(func(from, _ int) bool { return from == 0 })
	high = max(high, b.put(0, "r", "x"))
	b.nodes[0].m.Step(b.now, Await{ID: 3, Seq: high, K: 1, Timeout: 50 * time.Millisecond}) // a WAIT after the answers
	b.run(100 * time.Millisecond)
	if c := b.nodes[0].m.Counters(); c.AckTimeouts != 8 {
		t.Errorf("whose answer was given before counts again: %d unconfirmed", c.AckTimeouts)
	}
}

// "warn once, not per write"
func TestDegradedIsToldWhenItBeginsAndWhenItEnds(t *testing.T) {
	b := newBench(t, 2)
	b.run(3 * time.Second)
	b.silence(func(_, to int) bool { return to == 1 })
	b.oneByOne(0, 1, 2*time.Second)
	b.run(time.Second)
	if began, ended := b.told(0, EventDegraded), b.told(0, EventConfirmed); began != 1 || ended != 0 {
		t.Fatalf("told %d times that it began and %d that it ended", began, ended)
	}
	b.drop = nil
	b.run(7 * time.Second)
	if b.told(0, EventConfirmed) != 0 {
		t.Error("it ended less than nine seconds after the last unconfirmed write")
	}
	b.run(5 * time.Second)
	if began, ended := b.told(0, EventDegraded), b.told(0, EventConfirmed); began != 1 || ended != 1 {
		t.Errorf("told %d times that it began and %d that it ended", began, ended)
	}
	if h := b.nodes[0].m.AckHealth(b.now); !h.Since.IsZero() || h.Recent.Unconfirmed != 0 || h.Minute.Unconfirmed == 0 {
		t.Errorf("health %+v", h)
	}
	b.run(time.Minute)
	if h := b.nodes[0].m.AckHealth(b.now); h.Minute.Unconfirmed != 0 {
		t.Errorf("a minute later %+v", h)
	}
}

func TestAWaiterWithATimeoutOfItsOwnWaitsForPeersThatDoNotAnswer(t *testing.T) {
	b := newBench(t, 2)
	b.run(3 * time.Second)
	b.silence(func(_, to int) bool { return to == 1 })
	b.oneByOne(0, 1, time.Second)
	b.nodes[0].acked = nil
	seq := b.put(0, "b", "1")
	b.nodes[0].m.Step(b.now, Await{ID: 1, Seq: seq, K: 1, Timeout: 5 * time.Second, Patient: true})
	b.run(time.Second)
	if len(b.nodes[0].acked) != 0 {
		t.Fatalf("WAIT ended before its time: %+v", b.nodes[0].acked)
	}
	b.drop = nil
	b.run(100 * time.Millisecond)
	if a := b.nodes[0].acked; len(a) != 1 || !a[0].Met {
		t.Errorf("acked %+v after the peer came back", a)
	}
}

func TestFewerPeersThanAskedForAreShort(t *testing.T) {
	b := newBench(t, 2)
	b.nodes[0].m.cfg.Ack = 2
	b.run(3 * time.Second)
	h := b.nodes[0].m.AckHealth(b.now)
	if !h.Short() || h.Deaf() || h.Live != 1 {
		t.Errorf("two asked of one peer: %+v", h)
	}
	if waits := b.oneByOne(0, -1, 100*time.Millisecond); sum(waits) > 0 {
		t.Errorf("writes waited %v for a peer that is not there", sum(waits))
	}
	alone := newBench(t, 1)
	alone.run(3 * time.Second)
	for _, ack := range []int{1, AckAll} {
		alone.nodes[0].m.cfg.Ack = ack
		if h := alone.nodes[0].m.AckHealth(alone.now); !h.Short() {
			t.Errorf("alone with ack %d: %+v", ack, h)
		}
	}
}

// A suspect is not waited for by those who ask all.
func TestAWaitForAllEndsWhenTheLastOneMissingIsSuspected(t *testing.T) {
	b := newBench(t, 3)
	b.run(3 * time.Second)
	b.silence(func(from, to int) bool { return from == 1 || to == 1 })
	b.run(2950 * time.Millisecond)
	seq := b.put(0, "a", "1")
	b.nodes[0].m.Step(b.now, Await{ID: 1, Seq: seq, K: AckAll, Timeout: 10 * time.Second, Patient: true})
	b.run(1200 * time.Millisecond)
	if a := b.nodes[0].acked; len(a) != 1 || a[0].Peers != 1 {
		t.Errorf("acked %+v when one of two is suspect", a)
	}
}

func TestAJoiningPeerIsNotWaitedFor(t *testing.T) {
	b := newBench(t, 2)
	b.run(3 * time.Second)
	b.noStreams = true // it stays joining
	b.add("cluster")
	joiner := b.nodes[2].m
	b.run(500 * time.Millisecond)
	if joiner.State() != wire.Joining {
		t.Fatal("it joined")
	}
	if waits := b.oneByOne(0, AckAll, 100*time.Millisecond); sum(waits) > 0 {
		t.Errorf("writes waited %v for who is joining", sum(waits))
	}
}
