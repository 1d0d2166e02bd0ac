//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync/atomic"
	"time"
)

// tally counts what the load did.
type tally struct {
	Writes, Touches, Reads, ReadsElsewhere, Logouts, Raced, Recreated, Moves, Contested, Flooded atomic.Int64
	Acked, Unacked, Refused, Held, Unanswered                                                    atomic.Int64
}

// place is what workers know of the cluster.
type place interface {
	connect(node int) client
	// shun reports whether a node is known not to answer, so that time is not wasted on it.
	shun(node int) bool
}

const (
	answerLimit = 1500 * time.Millisecond
	ackLimit    = 150 * time.Millisecond
	heldOpen    = 40 // sessions of a worker
	remembered  = 60 // sessions over, looked at again now and then
)

// worker is one user of many sessions: it alone writes them.
type worker struct {
	number int
	dice   *rand.Rand
	nodes  int
	home   int
	at     place
	judge  *judge
	ledger *ledger
	tally  *tally

	clients, racers      []client
	active, idle, closed []*session
}

func newWorker(number, nodes int, seed uint64, at place, j *judge, l *ledger, t *tally) *worker {
	w := &worker{number: number, dice: rand.New(rand.NewPCG(seed, uint64(number))), nodes: nodes, home: number % nodes,
		at: at, judge: j, ledger: l, tally: t}
	for i := range nodes {
		w.clients = append(w.clients, at.connect(i))
		w.racers = append(w.racers, at.connect(i))
	}
	return w
}

func (w *worker) close() {
	for i := range w.nodes {
		w.clients[i].close()
		w.racers[i].close()
	}
}

// run works until the context ends, pausing while gate is shut.
func (w *worker) run(ctx context.Context, gate *gate, every time.Duration) {
	timer := time.NewTimer(time.Duration(w.dice.Int64N(int64(every))))
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		timer.Reset(every/2 + time.Duration(w.dice.Int64N(int64(every))))
		if !gate.enter(ctx) {
			return
		}
		w.step()
		gate.leave()
	}
}

// step does one thing.
func (w *worker) step() {
	w.sortOut()
	if w.at.shun(w.home) || w.dice.IntN(2000) == 0 {
		w.home = w.dice.IntN(w.nodes)
	}
	if len(w.active) == 0 || len(w.active) < heldOpen && w.dice.IntN(4) == 0 {
		w.create()
		return
	}
	s := w.active[w.dice.IntN(len(w.active))]
	switch n := w.dice.IntN(1000); {
	case n < 330:
		w.look(s, w.homeOf(s), true)
	case n < 500:
		w.look(s, w.dice.IntN(w.nodes), true)
	case n < 680:
		w.write(s, w.homeOf(s))
	case n < 870:
		w.touch(s, w.homeOf(s))
	case n < 890:
		w.move(s)
	case n < 915:
		w.logout(s)
	case n < 930:
		w.idle = append(w.idle, s) // its user has gone home
	case n < 950:
		w.contest()
	case n < 960:
		w.fleeting()
	default:
		w.lookBack()
	}
}

// sortOut puts sessions where they belong.
func (w *worker) sortOut() {
	w.active = slices.DeleteFunc(w.active, func(s *session) bool {
		last := s.last()
		switch {
		case last.destroyed:
			w.closed = append(w.closed, s)
		case s.frozen || s.reported || s.tainted || s.pinned && w.judge.h.lost(s):
			s.owned = false // the census looks after it
		case !last.exists || time.Now().After(last.high):
			w.idle = append(w.idle, s)
		default:
			return slices.Contains(w.idle, s)
		}
		return true
	})
	if len(w.closed) > remembered {
		for _, s := range w.closed[:remembered/2] {
			s.owned = false
		}
		w.closed = append([]*session(nil), w.closed[remembered/2:]...)
	}
	if len(w.idle) > remembered {
		for _, s := range w.idle[:remembered/2] {
			s.owned = false
		}
		w.idle = append([]*session(nil), w.idle[remembered/2:]...)
	}
}

// homeOf is where a session is used: where it was last, or where the worker is now if that does not answer.
func (w *worker) homeOf(s *session) int {
	if len(s.ops) > 0 {
		if n := s.ops[len(s.ops)-1].node; n >= 0 && (s.pinned || !w.at.shun(n)) {
			return n
		}
	}
	return w.home
}

// lifetime is 2 s to 10 min, most of them short.
func (w *worker) lifetime() time.Duration {
	if w.dice.IntN(4) == 0 {
		return 10 * time.Minute
	}
	return time.Duration(math.Exp(w.dice.Float64()*math.Log(30)) * 2000 * float64(time.Millisecond))
}

// size is that of a session; now and then one takes many datagrams.
func (w *worker) size() int {
	switch n := w.dice.IntN(2000); {
	case n == 0:
		return 1 << 20
	case n < 20:
		return 2000 + w.dice.IntN(100_000)
	}
	return 60 + w.dice.IntN(1500)
}

func (w *worker) create() {
	s := w.ledger.open(fmt.Sprintf("s%d", w.number))
	s.owned = true
	w.write(s, w.home)
	if len(s.ops) > 0 {
		w.active = append(w.active, s)
		return
	}
	w.ledger.bury(s, neverMade)
}

func millis(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

// ask sends one command of a session's life and what WAIT says of it.
func (w *worker) ask(s *session, o op, peers int, limit time.Duration, cmd command) (r reply, done bool) {
	c := w.clients[o.node]
	o.from = time.Now()
	replies, err := c.do(answerLimit+limit, cmd, command{"WAIT", strconv.Itoa(peers), millis(limit)})
	o.to, o.conn = time.Now(), c.id()
	switch {
	case len(replies) == 0 && errors.Is(err, errNotSent):
		w.tally.Refused.Add(1)
		return r, false
	case len(replies) == 0:
		w.tally.Unanswered.Add(1)
		o.unknown = true
		s.add(o, w.judge.h)
		return r, false
	case replies[0].refused():
		w.tally.Refused.Add(1)
		return replies[0], false
	}
	if len(replies) > 1 && replies[1].kind == ':' {
		o.acks = int(replies[1].n)
	}
	if o.acks > 0 {
		w.tally.Acked.Add(1)
	} else {
		w.tally.Unacked.Add(1)
	}
	r = replies[0]
	if happened(o.kind, &r) {
		s.add(o, w.judge.h)
		if w.judge.mayBeHeld(s, &o) {
			s.tainted, s.ended = true, time.Time{}
		}
	}
	return r, true
}

// happened tells whether an answer says that the operation took place.
func happened(kind opKind, r *reply) bool {
	switch kind {
	case opWrite:
		return r.kind == '+'
	case opTouch:
		return r.kind == ':' && r.n == 1 || r.kind == '$'
	}
	return true
}

func (w *worker) write(s *session, node int) {
	o := op{kind: opWrite, node: node, serial: s.next, ttl: w.lifetime()}
	if o.ttl < 5*time.Second && len(w.active) > heldOpen/2 {
		o.ttl += 5 * time.Second
	}
	s.next++
	cmd := command{"SET", s.key, content(s.key, o.serial, w.size()), "PX", millis(o.ttl)}
	from := time.Now()
	if last := s.last(); last.exists && w.dice.IntN(3) == 0 {
		cmd = append(cmd, "XX")
	}
	o.from = from
	r, answered := w.ask(s, o, 1, ackLimit, cmd)
	if !answered {
		return
	}
	w.tally.Writes.Add(1)
	if r.kind == '_' { // XX: not there
		w.judge.read(s, &reading{node: node, from: from, to: time.Now()})
	}
}

func (w *worker) touch(s *session, node int) {
	o := op{kind: opTouch, node: node, ttl: w.lifetime()}
	cmd := command{"PEXPIRE", s.key, millis(o.ttl)}
	if w.dice.IntN(2) == 0 {
		cmd = command{"GETEX", s.key, "PX", millis(o.ttl)}
	}
	before := len(s.ops)
	from := time.Now()
	r, answered := w.ask(s, o, 1, ackLimit, cmd)
	if !answered {
		return
	}
	w.tally.Touches.Add(1)
	seen := reading{node: node, from: from, to: time.Now(), shown: len(s.ops) > before}
	if r.kind != '$' && seen.shown {
		return // that it was there is in the ledger
	}
	if r.kind == '$' {
		seen.serial, seen.whole = serialOf(s.key, r.text)
	}
	touched := s.ops
	s.ops = s.ops[:min(before, len(s.ops))] // the read came before the touch
	w.judge.read(s, &seen)
	s.ops = touched
}

// look reads a session and judges what is shown.
func (w *worker) look(s *session, node int, avoid bool) {
	if avoid && w.at.shun(node) {
		return
	}
	r := reading{node: node, from: time.Now()}
	replies, err := w.clients[node].do(answerLimit, command{"GET", s.key})
	r.to = time.Now()
	if err != nil || replies[0].refused() {
		w.tally.Refused.Add(1)
		return
	}
	if r.shown = replies[0].kind == '$'; r.shown {
		r.serial, r.whole = serialOf(s.key, replies[0].text)
	}
	w.tally.Reads.Add(1)
	if len(s.ops) > 0 && s.ops[len(s.ops)-1].node != node {
		w.tally.ReadsElsewhere.Add(1)
	}
	w.judge.read(s, &r)
}

// move writes a session until every node says that it has it, and reads it on another, which becomes its home.
func (w *worker) move(s *session) {
	if s.pinned {
		return
	}
	o := op{kind: opWrite, node: w.homeOf(s), serial: s.next, ttl: 10 * time.Minute}
	s.next++
	w.tally.Moves.Add(1)
	if _, answered := w.ask(s, o, w.nodes-1, 2*ackLimit, command{"SET", s.key, content(s.key, o.serial, w.size()), "PX", millis(o.ttl)}); !answered {
		return
	}
	if s.ops[len(s.ops)-1].acks < w.nodes-1 {
		return
	}
	next := (o.node + 1 + w.dice.IntN(w.nodes-1)) % w.nodes
	w.look(s, next, true)
	if !w.at.shun(next) {
		w.touch(s, next)
	}
}

// lookBack reads a session that is over: at its end by age, or by logout.
func (w *worker) lookBack() {
	if len(w.closed) > 0 && w.dice.IntN(2) == 0 {
		s := w.closed[w.dice.IntN(len(w.closed))]
		if w.dice.IntN(3) == 0 {
			w.lateRace(s)
		}
		w.look(s, w.dice.IntN(w.nodes), true)
		return
	}
	for i, s := range w.idle {
		if last := s.last(); time.Now().After(last.high) && last.exists && !s.frozen {
			w.look(s, w.homeOf(s), true)
			w.look(s, w.dice.IntN(w.nodes), true)
			s.owned = false
			w.idle = slices.Delete(w.idle, i, i+1)
			return
		}
	}
}

// contest writes a key that others write at the same time.
func (w *worker) contest() {
	c := w.ledger.contested[w.dice.IntN(contestedKeys)]
	w.tally.Contested.Add(1)
	serial := int(c.next.Add(1))
	_, _ = w.clients[w.home].do(answerLimit, command{"SET", c.key, content(c.key, serial, w.size()), "PX", millis(4 * time.Hour)})
}
