//go:build linux

package main

import (
	"testing"
	"testing/synctest"
	"time"
)

// bed is workers on a fake cluster, under a virtual clock.
type bed struct {
	t       *testing.T
	f       *fake
	h       *history
	judge   *judge
	ledger  *ledger
	tally   tally
	workers []*worker
}

const bedNodes = 3

func newBed(t *testing.T, bug string) *bed {
	b := &bed{t: t, f: newFake(bedNodes, bug), h: newHistory(bedNodes), ledger: newLedger()}
	b.judge = newJudge(b.h, func(string, ...any) {})
	for i := range 2 * bedNodes {
		b.workers = append(b.workers, newWorker(i, bedNodes, 1, b.f, b.judge, b.ledger, &b.tally))
	}
	return b
}

// work lets every worker do so many things.
func (b *bed) work(steps int) {
	for range steps {
		for _, w := range b.workers {
			w.step()
			time.Sleep(5 * time.Millisecond)
		}
	}
}

// census photographs, and returns how they differ.
func (b *bed) census() []string {
	b.t.Helper()
	time.Sleep(time.Second)
	var clients []client
	for i := range bedNodes {
		clients = append(clients, b.f.connect(i))
	}
	at := time.Now()
	snaps, err := photographs(clients)
	if err != nil {
		b.t.Fatal(err)
	}
	if d := agree(snaps); len(d) > 0 {
		return d
	}
	verify(b.judge, b.ledger, snaps, at)
	return nil
}

func (b *bed) wantOnly(kinds ...string) {
	b.t.Helper()
	total := 0
	for _, kind := range kinds {
		total += b.judge.counts[kind]
	}
	if len(kinds) > 0 && total == 0 {
		b.t.Errorf("none of %q was found, but %v", kinds, b.judge.counts)
	}
	if total != b.judge.total() {
		b.t.Errorf("want only %q, found %v; first: %+v", kinds, b.judge.counts, b.judge.found[0])
	}
}

func TestAnHonestClusterIsNotAccused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, "")
		for range 4 {
			b.work(1000)
			if d := b.census(); d != nil {
				t.Fatal(d)
			}
		}
		b.wantOnly()
		if b.judge.strict < b.judge.judged/2 || b.tally.Logouts.Load() == 0 || b.tally.Moves.Load() == 0 {
			t.Errorf("%d reads judged, %d with one answer; %d logouts", b.judge.judged, b.judge.strict, b.tally.Logouts.Load())
		}
	})
}

func TestEachBrokenPromiseIsFound(t *testing.T) {
	for bug, kinds := range map[string][]string{
		"expires early":                 {findEarly, findLost},
		"expires early on the last":     {findEarly, findLost},
		"never expires":                 {findLate},
		"logs out here only":            {findRevived},
		"lets a logout be written over": {findRevived},
		"shows the value before":        {findOwnStale, findStale},
		"shows a part":                  {findCorrupt},
		"loses every fiftieth write":    {findStale, findEarly, findLost},
	} {
		t.Run(bug, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBed(t, bug)
				b.work(2000)
				b.wantOnly(kinds...)
			})
		})
	}
}

// whole makes one session that all nodes hold.
func (b *bed) whole() *session {
	s := b.ledger.open("s")
	b.write(s)
	return s
}

// write writes it for an hour.
func (b *bed) write(s *session) {
	o := op{kind: opWrite, serial: s.next, ttl: time.Hour}
	s.next++
	b.workers[0].ask(s, o, 1, ackLimit, command{"SET", s.key, content(s.key, o.serial, 100), "PX", millis(o.ttl)})
}

func TestAnAcknowledgedWriteIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, "")
		s := b.whole()
		for _, n := range b.f.nodes {
			delete(n, s.key)
		}
		if d := b.census(); d != nil {
			t.Fatal(d)
		}
		b.wantOnly(findLost)
	})
}

func TestAnAcknowledgedUpdateIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, "")
		s := b.whole()
		b.write(s)
		for _, n := range b.f.nodes {
			n[s.key].value = content(s.key, 0, 100)
		}
		if d := b.census(); d != nil {
			t.Fatal(d)
		}
		b.wantOnly(findLost)
	})
}

func TestALogoutComesBackWithARejoiningNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, "")
		s := b.whole()
		kept := *b.f.nodes[0][s.key]
		b.workers[0].destroy(s, 0)
		for _, n := range b.f.nodes {
			n[s.key] = &kept
		}
		if d := b.census(); d != nil {
			t.Fatal(d)
		}
		b.wantOnly(findRevived)
	})
}

func TestALogoutComesBackLongAfterItWasBuried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, "")
		s := b.whole()
		kept := *b.f.nodes[0][s.key]
		b.workers[0].destroy(s, 0)
		b.census()
		for _, n := range b.f.nodes {
			n[s.key] = &kept
		}
		b.census()
		b.wantOnly(findRevived)
	})
}

func TestNodesThatDifferAreNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, "")
		s := b.whole()
		delete(b.f.nodes[1], s.key)
		if d := b.census(); len(d) != 1 {
			t.Errorf("want one difference, got %q", d)
		}
	})
}

// What one peer confirmed outlives one death, and two deaths excuse it.
func TestOnlySoManyDeathsExcuseALoss(t *testing.T) {
	for dead, want := range map[int][]string{1: {findLost}, 2: nil} {
		synctest.Test(t, func(t *testing.T) {
			b := newBed(t, "")
			s := b.whole()
			s.ops[0].acks = 1
			time.Sleep(time.Second)
			for i := range dead {
				b.h.killing(i)
			}
			for _, n := range b.f.nodes {
				delete(n, s.key)
			}
			b.census()
			b.wantOnly(want...)
		})
	}
}

// A session was created anew after its logout, and all know it. A node that lost its memory since may not know the logout, and its write ends with
// the hold where it meets who does: no other write may.
func TestAHoldExcusesTheLossOfWhatWasWrittenWhereTheLogoutIsForgotten(t *testing.T) {
	for name, c := range map[string]struct {
		killed bool
		later  time.Duration
		want   []string
	}{
		"within the hold, by who was killed":     {true, 30 * time.Second, nil},
		"within the hold, by who was not killed": {false, 30 * time.Second, []string{findLost}},
		"after the hold, by who was killed":      {true, holdMost, []string{findLost}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBed(t, "")
				s := b.whole()
				b.workers[0].destroy(s, 0)
				for _, n := range b.f.nodes {
					delete(n, s.key)
				}
				b.workers[0].again(s, 0)
				b.write(s)
				if d := b.census(); d != nil {
					t.Fatal(d)
				}
				was := *b.f.nodes[0][s.key]
				time.Sleep(c.later)
				if c.killed {
					b.h.killing(0)
				}
				time.Sleep(time.Second)
				b.write(s)
				for _, n := range b.f.nodes {
					*n[s.key] = was
				}
				if d := b.census(); d != nil {
					t.Fatal(d)
				}
				b.wantOnly(c.want...)
			})
		})
	}
}

// A cut excuses who is cut off, for as long as it lasts and a while longer.
func TestACutExcusesStaleReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, "")
		s := b.whole()
		time.Sleep(time.Minute)
		s.ops[0].acks = 1
		end := b.h.begin([]int{0}, []int{1, 2})
		b.write(s)
		s.ops[1].acks = 0
		b.f.nodes[1][s.key].value = content(s.key, 0, 100)
		look := func() { b.workers[0].look(s, 1, true) }
		time.Sleep(time.Minute)
		look()
		end()
		time.Sleep(usualHeal - time.Second)
		look()
		b.wantOnly()
		time.Sleep(2 * time.Second)
		look()
		b.wantOnly(findStale)
	})
}

func TestWhatWasLostBeforeAllHeldEverythingStaysLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHistory(bedNodes)
		early := op{node: 0, from: time.Now(), to: time.Now()}
		time.Sleep(time.Second)
		h.killing(0)
		time.Sleep(time.Second)
		late := op{node: 0, from: time.Now(), to: time.Now()}
		time.Sleep(time.Second)
		h.everybodyHolds(time.Now())
		time.Sleep(time.Second)
		h.killing(0)
		if h.survives(&early) || h.knows(1, &early, time.Now()) {
			t.Error("what died with its only holder is demanded")
		}
		if !h.survives(&late) || !h.knows(1, &late, time.Now()) || h.knows(0, &late, time.Now()) {
			t.Error("what all held is not demanded of who lives, or of who died")
		}
		for i := range bedNodes {
			h.killing(i)
		}
		if h.survives(&late) {
			t.Error("what died with all is demanded")
		}
	})
}
