//go:build linux

package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// logout destroys a session, most times while other requests of its user run elsewhere, and creates it anew now and then.
func (w *worker) logout(s *session) {
	node := w.homeOf(s)
	if w.at.shun(node) {
		return
	}
	if w.dice.IntN(3) > 0 && !s.pinned {
		w.racedLogout(s, node)
	} else {
		w.destroy(s, node)
		if w.dice.IntN(3) == 0 && s.last().destroyed && !s.frozen {
			w.again(s, node)
		}
	}
	w.tally.Logouts.Add(1)
}

// destroy reports whether the session was there.
func (w *worker) destroy(s *session, node int) (there bool) {
	before, from := s.ops, time.Now()
	r, answered := w.ask(s, op{kind: opDestroy, node: node}, 1, ackLimit, command{"DEL", s.key})
	if !answered || r.n == 1 {
		if answered {
			s.ended = from
		}
		return answered
	}
	after := s.ops
	s.ops = before // it was read as missing, before it was destroyed
	w.judge.read(s, &reading{node: node, from: from, to: time.Now()})
	s.ops = after
	return false
}

// again creates a session anew on the node that destroyed it, by a connection that has seen it gone.
func (w *worker) again(s *session, node int) {
	s.anew = time.Now()
	w.look(s, node, false)
	s.pinned = true // its stamps lie above its tombstone: who has not seen that one cannot write after it
	w.tally.Recreated.Add(1)
	w.write(s, node)
}

const raceOps = 4

// racedLogout destroys a session while other connections write and touch it. None of them has seen it gone, so nothing of
// theirs may bring it back.
func (w *worker) racedLogout(s *session, node int) {
	s.raced = true
	w.tally.Raced.Add(1)
	var unanswered atomic.Bool
	var wg sync.WaitGroup
	for range 1 + w.dice.IntN(2) {
		where := w.dice.IntN(w.nodes)
		if w.at.shun(where) || where >= len(w.racers) {
			continue
		}
		dice := rand.New(rand.NewPCG(w.dice.Uint64(), 7))
		c := w.at.connect(where)
		wg.Go(func() {
			defer c.close()
			if !race(s.key, c, dice, &w.tally.Held) {
				unanswered.Store(true)
			}
		})
	}
	there := w.destroy(s, node)
	wg.Wait()
	if unanswered.Load() || !there || s.frozen || !s.last().destroyed {
		s.tainted = true // who knows what was done, or will be
		return
	}
	if late := w.dice.IntN(w.nodes); !w.at.shun(late) && w.dice.IntN(2) == 0 { // and one more request, after the logout
		if !race(s.key, w.racers[late], w.dice, &w.tally.Held) {
			s.tainted = true
		}
	}
	w.look(s, node, true)
}

// holdSure is how long after a logout the hold (60 s) lasts for sure.
const holdSure = 45 * time.Second

// holdMost is how long after a logout the hold lasts at most: it counts from a tombstone's stamp, which is ahead by the limit of skew.
const holdMost = 70 * time.Second

// mayBeHeld reports whether what was written on a node may end with the hold of the logout before the session was created anew: a node that
// was killed since may know nothing of the logout. A census does not change that, if those who know it are away when the node starts again.
func (j *judge) mayBeHeld(s *session, o *op) bool {
	if o.kind != opWrite || s.anew.IsZero() || o.from.Sub(s.anew) > holdMost {
		return false
	}
	j.h.mu.Lock()
	defer j.h.mu.Unlock()
	return j.h.killed(o.node, s.anew)
}

// lateRace is a request that comes long after its session was destroyed, perhaps on a node that does not know of it yet.
func (w *worker) lateRace(s *session) {
	w.raceLate(s, w.dice.IntN(w.nodes))
}

func (w *worker) raceLate(s *session, where int) {
	if s.tainted || s.frozen || s.reported || w.at.shun(where) || s.ended.IsZero() || time.Since(s.ended) > holdSure {
		return
	}
	s.raced = true
	w.tally.Raced.Add(1)
	if !race(s.key, w.racers[where], w.dice, &w.tally.Held) {
		s.tainted = true
	}
}

// fleeting is a session that lives for a moment, and a request that comes after its end where, if anything is cut, neither its
// birth nor its end can be known: what is born there is born within the hold.
func (w *worker) fleeting() {
	s, node := w.ledger.open(fmt.Sprintf("f%d", w.number)), w.home
	if w.write(s, node); len(s.ops) == 0 {
		w.ledger.bury(s, neverMade)
		return
	}
	if s.frozen || !w.destroy(s, node) || s.frozen || !s.last().destroyed {
		return // the census looks after it
	}
	s.owned = true
	w.closed = append(w.closed, s)
	w.tally.Logouts.Add(1)
	where := w.dice.IntN(w.nodes)
	if far := w.judge.h.apart(node); len(far) > 0 && w.dice.IntN(4) > 0 {
		where = far[w.dice.IntN(len(far))]
	}
	w.raceLate(s, where)
}

// race writes and touches a session from elsewhere; false if an answer is missing.
func race(key string, c client, dice *rand.Rand, held *atomic.Int64) bool {
	for range 1 + dice.IntN(raceOps) {
		cmd := command{"PEXPIRE", key, "60000"}
		if dice.IntN(3) > 0 {
			cmd = command{"SET", key, content(key, 1_000_000+dice.IntN(1000), 100), "PX", "60000"}
		}
		replies, err := c.do(answerLimit, cmd)
		if errors.Is(err, errNotSent) {
			return true
		}
		if err != nil {
			return false
		}
		if replies[0].refused() {
			held.Add(1)
		}
		pause := time.NewTimer(time.Duration(dice.IntN(5000)) * time.Microsecond)
		<-pause.C
	}
	return true
}
