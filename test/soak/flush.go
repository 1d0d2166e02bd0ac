//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"
)

// A database of its own is emptied now and then, on any node, while the others create and touch sessions in it. Each session is
// written once, so that it is certain which flush it was born before.
const (
	flushedDB    = "9"
	flushedKeys  = 1500 // remembered
	flushedTTL   = 15 * time.Minute
	flushedEvery = 60 * time.Millisecond
	flushMargin  = 50 * time.Millisecond // clocks are the same, and count milliseconds
	// flushAhead is how long after a flush what is born on a node that does not know it may end with it: its stamp lies ahead by the
	// limit of skew, so that a slow clock does not save what was born before.
	flushAhead = 6 * time.Second
)

// flusher is the one user of that database.
type flusher struct {
	dice    *rand.Rand
	at      place
	judge   *judge
	clients []client
	serial  int
	keys    []*flushed
	flushes []op

	Created, Touched, Flushes, Looked atomic.Int64
}

// flushed is a session of that database.
type flushed struct {
	key      string
	born     op
	reported bool
}

func newFlusher(nodes int, seed uint64, at place, j *judge) *flusher {
	f := &flusher{dice: rand.New(rand.NewPCG(seed, 1<<32)), at: at, judge: j}
	for i := range nodes {
		f.clients = append(f.clients, at.connect(i))
	}
	return f
}

func (f *flusher) close() {
	for _, c := range f.clients {
		c.close()
	}
}

// run works until the context ends, pausing while gate is shut.
func (f *flusher) run(ctx context.Context, gate *gate) {
	for ctx.Err() == nil {
		wait(ctx, flushedEvery)
		if !gate.enter(ctx) {
			return
		}
		f.step()
		gate.leave()
	}
}

func (f *flusher) step() {
	node := f.dice.IntN(len(f.clients))
	if f.at.shun(node) {
		return
	}
	var key *flushed
	if len(f.keys) > 0 {
		key = f.keys[f.dice.IntN(len(f.keys))]
	}
	switch n := f.dice.IntN(1000); {
	case n < 400 || key == nil:
		f.create(node)
	case n < 600:
		f.touch(node, key)
	case n < 997:
		f.look(node, key)
	default:
		f.flush(node)
	}
}

// do sends one command to the database and what WAIT says of it; o is what is known of it, unless nothing happened.
func (f *flusher) do(node int, cmd command) (r reply, o op, happened bool) {
	o = op{node: node, ttl: flushedTTL, from: time.Now()}
	c := f.clients[node]
	replies, err := c.do(answerLimit+ackLimit, command{"SELECT", flushedDB}, cmd, command{"WAIT", "1", millis(ackLimit)})
	o.to, o.conn = time.Now(), c.id()
	switch {
	case len(replies) < 2 && errors.Is(err, errNotSent):
		return r, o, false
	case len(replies) < 2:
		o.unknown = true
		return r, o, true
	case replies[1].refused():
		return replies[1], o, false
	case len(replies) > 2:
		o.acks = int(replies[2].n)
	}
	return replies[1], o, true
}

func (f *flusher) create(node int) {
	key := fmt.Sprintf("flushed-%d", f.serial)
	f.serial++
	_, o, happened := f.do(node, command{"SET", key, content(key, 0, 100), "PX", millis(flushedTTL)})
	if !happened {
		return
	}
	f.Created.Add(1)
	if f.keys = append(f.keys, &flushed{key: key, born: o}); len(f.keys) > flushedKeys {
		f.keys = f.keys[len(f.keys)-flushedKeys:]
	}
}

func (f *flusher) touch(node int, k *flushed) {
	if k.born.unknown {
		return
	}
	f.Touched.Add(1)
	from := time.Now()
	r, o, happened := f.do(node, command{"PEXPIRE", k.key, millis(flushedTTL)})
	if happened && !o.unknown {
		f.read(k, &reading{node: node, from: from, to: o.to, shown: r.n == 1, whole: true})
	}
}

func (f *flusher) look(node int, k *flushed) {
	f.Looked.Add(1)
	r := reading{node: node, from: time.Now()}
	replies, err := f.clients[node].do(answerLimit, command{"SELECT", flushedDB}, command{"GET", k.key})
	r.to = time.Now()
	if err != nil || replies[1].refused() {
		return
	}
	if r.shown = replies[1].kind == '$'; r.shown {
		_, r.whole = serialOf(k.key, replies[1].text)
	}
	f.read(k, &r)
}

func (f *flusher) flush(node int) {
	_, o, happened := f.do(node, command{"FLUSHDB"})
	if happened {
		if f.Flushes.Add(1); o.unknown {
			o.to = never // it may happen until the census
		}
		f.flushes = append(f.flushes, o)
	}
}

// read judges what a node shows of a session: nothing that was born before a flush that it must know, and what was born
// after the last that it can know.
func (f *flusher) read(k *flushed, r *reading) {
	j := f.judge
	must := func(o *op) bool {
		if r.census {
			return j.h.survives(o)
		}
		return j.h.knows(r.node, o, r.from)
	}
	j.h.mu.Lock()
	dead, mayBeDead := f.killed(k, must)
	lives := must(&k.born)
	j.h.mu.Unlock()
	j.count(1, r.census)
	switch {
	case k.reported:
		return
	case r.shown && !r.whole:
		f.accuse(findCorrupt, k, r, nil)
	case r.shown && dead != nil:
		f.accuse(findRevived, k, r, dead)
	case !r.shown && lives && !mayBeDead && r.to.Before(k.born.from.Add(flushedTTL-time.Second)):
		f.accuse(findLost, k, r, nil)
	}
}

// killed is the flush that ended a session and that must be known, and whether any may have.
func (f *flusher) killed(k *flushed, must func(*op) bool) (by *op, maybe bool) {
	for i := range f.flushes {
		o := &f.flushes[i]
		if o.to.Add(flushAhead).After(k.born.from) {
			maybe = true
		}
		if !k.born.unknown && o.from.After(k.born.to.Add(flushMargin)) && must(o) {
			by = o
		}
	}
	return by, maybe
}

func (f *flusher) accuse(kind string, k *flushed, r *reading, by *op) {
	k.reported = true
	text := fmt.Sprintf("%s of database %s, shown: %v at %s, census: %v; born: %s on %s, unanswered %v, %d peers", k.key, flushedDB,
		r.shown, r.from.Format("15:04:05.000"), r.census, k.born.from.Format("15:04:05.000"), nodeName(k.born.node), k.born.unknown, k.born.acks)
	if by != nil {
		text += fmt.Sprintf("; flushed at %s on %s, %d peers", by.from.Format("15:04:05.000"), nodeName(by.node), by.acks)
	}
	f.judge.find(kind, r.node, "%s", text)
}

// photograph is what a node shows of every remembered session.
func (f *flusher) photograph(node int) ([]reading, error) {
	cmds := []command{{"SELECT", flushedDB}}
	for _, k := range f.keys {
		cmds = append(cmds, command{"GET", k.key})
	}
	from := time.Now()
	replies, err := f.clients[node].do(censusLimit, cmds...)
	if err != nil {
		return nil, fmt.Errorf("reading database %s of %s: %w", flushedDB, nodeName(node), err)
	}
	list := make([]reading, len(f.keys))
	for i, k := range f.keys {
		r := &replies[i+1]
		list[i] = reading{node: node, from: from, to: time.Now(), shown: r.kind == '$', census: true}
		if list[i].shown {
			_, list[i].whole = serialOf(k.key, r.text)
		}
	}
	return list, nil
}

// census waits, to a limit, until all nodes show the same, and judges it. The load stands still and all is healed.
func (f *flusher) census(until time.Time) {
	for {
		shown, differs := f.compare()
		if differs == "" {
			for _, list := range shown {
				for i := range list {
					f.read(f.keys[i], &list[i])
				}
			}
			f.forget()
			return
		}
		if time.Now().After(until) {
			f.judge.find(findDivergence, -1, "%s", differs)
			return
		}
		pause(50 * time.Millisecond)
	}
}

func (f *flusher) compare() (shown [][]reading, differs string) {
	for node := range f.clients {
		list, err := f.photograph(node)
		if err != nil {
			return nil, err.Error()
		}
		for i := range list {
			if node > 0 && list[i].shown != shown[0][i].shown {
				return nil, fmt.Sprintf("%s of database %s: %s shows it: %v, %s: %v", f.keys[i].key, flushedDB, nodeName(0),
					shown[0][i].shown, nodeName(node), list[i].shown)
			}
		}
		shown = append(shown, list)
	}
	return shown, ""
}

// forget drops flushes that no remembered session was born before.
func (f *flusher) forget() {
	kept := f.flushes[:0]
	for _, o := range f.flushes {
		if o.to.Equal(never) {
			o.to = time.Now()
		}
		if len(f.keys) > 0 && o.to.Add(flushAhead).After(f.keys[0].born.from) {
			kept = append(kept, o)
		}
	}
	f.flushes = kept
}
