//go:build linux

package main

import (
	"fmt"
	"strings"
	"sync"
	"time"
)

// row is what one node shows of one key.
type row struct {
	serial   int
	whole    bool
	due      time.Time
	from, to time.Time
}

// snapshot is everything that one node shows.
type snapshot struct {
	from, to time.Time
	rows     map[string]row
}

// Why a session is over.
const (
	overByLogout = "logout"
	overByAge    = "age"
	neverMade    = "its creation was refused"
)

const (
	scanCount   = "2000"
	readBatch   = 256
	censusLimit = 10 * time.Second // of one answer
)

// photograph reads every key of a node.
func photograph(c client) (*snapshot, error) {
	snap := &snapshot{from: time.Now(), rows: map[string]row{}}
	cursor := "0"
	for {
		replies, err := c.do(censusLimit, command{"SCAN", cursor, "COUNT", scanCount})
		if err != nil {
			return nil, err
		}
		if replies[0].refused() || len(replies[0].list) != 2 {
			return nil, fmt.Errorf("%w: %s", errProtocol, replies[0].text)
		}
		keys := replies[0].list[1].list
		for len(keys) > 0 {
			n := min(readBatch, len(keys))
			if err := snap.read(c, keys[:n]); err != nil {
				return nil, err
			}
			keys = keys[n:]
		}
		if cursor = replies[0].list[0].text; cursor == "0" {
			break
		}
	}
	snap.to = time.Now()
	return snap, nil
}

func (p *snapshot) read(c client, keys []reply) error {
	var cmds []command
	for i := range keys {
		cmds = append(cmds, command{"GET", keys[i].text}, command{"PTTL", keys[i].text})
	}
	from := time.Now()
	replies, err := c.do(censusLimit, cmds...)
	if err != nil {
		return err
	}
	to := time.Now()
	for i := range keys {
		value, ttl := &replies[2*i], &replies[2*i+1]
		if value.kind != '$' {
			continue // expired in between
		}
		r := row{from: from, to: to, due: to.Add(time.Duration(max(ttl.n, 0)) * time.Millisecond)}
		r.serial, r.whole = serialOf(keys[i].text, value.text)
		p.rows[keys[i].text] = r
	}
	return nil
}

// agree tells how the snapshots differ; empty if they do not.
func agree(snaps []*snapshot) (differences []string) {
	keys := map[string]bool{}
	for _, p := range snaps {
		for k := range p.rows {
			keys[k] = true
		}
	}
	for k := range keys {
		if d := differ(k, snaps); d != "" {
			differences = append(differences, d)
		}
	}
	return differences
}

const (
	endingSoon  = 5 * time.Second  // a session that ends about now may be shown by some and not by others
	dueMayDefer = 40 * time.Second // local touches are known to one node only, within a sixteenth of the lifetime
)

func differ(key string, snaps []*snapshot) string {
	first, least, most := row{}, never, time.Time{}
	shown, end := 0, time.Time{}
	same := true
	for _, p := range snaps {
		if p.to.After(end) {
			end = p.to
		}
		r, found := p.rows[key]
		if !found {
			continue
		}
		if shown > 0 && (r.serial != first.serial || r.whole != first.whole) {
			same = false
		}
		first = r
		shown++
		if r.due.Before(least) {
			least = r.due
		}
		if r.due.After(most) {
			most = r.due
		}
	}
	if same && shown == len(snaps) && most.Sub(least) < dueMayDefer {
		return ""
	}
	if same && least.Before(end.Add(endingSoon)) {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s:", key)
	for i, p := range snaps {
		if r, found := p.rows[key]; found {
			fmt.Fprintf(&b, " %s #%d until %s", nodeName(i), r.serial, r.due.Format("15:04:05.0"))
		} else {
			fmt.Fprintf(&b, " %s –", nodeName(i))
		}
	}
	return b.String()
}

// photographs reads all nodes at once.
func photographs(clients []client) ([]*snapshot, error) {
	snaps := make([]*snapshot, len(clients))
	errs := make([]error, len(clients))
	var wg sync.WaitGroup
	for i, c := range clients {
		wg.Go(func() { snaps[i], errs[i] = photograph(c) })
	}
	wg.Wait()
	for i, err := range errs {
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", nodeName(i), err)
		}
	}
	return snaps, nil
}

// verify judges what all nodes, which agree, show of everything, and takes it as the beginning of what follows. The load
// stands still.
func verify(j *judge, l *ledger, snaps []*snapshot, at time.Time) {
	l.mu.Lock()
	list := make([]*session, 0, len(l.sessions))
	for _, s := range l.sessions {
		list = append(list, s)
	}
	l.mu.Unlock()
	for _, s := range list {
		for i, p := range snaps {
			r, found := p.rows[s.key]
			seen := &reading{node: i, from: p.from, to: p.to, shown: found, serial: r.serial, whole: r.whole, census: true}
			if found {
				seen.from, seen.to = r.from, r.to
			}
			j.read(s, seen)
		}
	}
	strangers(j, l, snaps)
	for _, s := range list {
		if j.h.forgotten(s) { // the hold of its logout went with all who knew it
			s.ended = time.Time{}
		}
	}
	j.h.everybodyHolds(at)
	for _, s := range list {
		rebase(l, s, snaps, at)
	}
}

// strangers looks for what nobody wrote, and for what was over.
func strangers(j *judge, l *ledger, snaps []*snapshot) {
	l.mu.Lock()
	defer l.mu.Unlock()
	told := map[string]bool{}
	for i, p := range snaps {
		for key, r := range p.rows {
			if l.sessions[key] != nil || told[key] {
				continue
			}
			c := l.shared(key)
			switch why := l.buried[key]; {
			case c != nil && r.whole && int64(r.serial) <= c.next.Load():
				continue
			case c != nil:
				j.find(findCorrupt, i, "%s shows #%d of %d, whole: %v", key, r.serial, c.next.Load(), r.whole)
			case why == "":
				j.find(findUnknown, i, "%s", key)
			case why == overByLogout:
				j.find(findRevived, i, "%s, which was over by logout", key)
			default:
				j.find(findLate, i, "%s, which was over: %s", key, why)
			}
			told[key] = true
		}
	}
}

// rebase forgets what was done to a session in favour of what all nodes show of it.
func rebase(l *ledger, s *session, snaps []*snapshot, at time.Time) {
	shown := 0
	var first row
	least, most := never, time.Time{}
	for _, p := range snaps {
		r, found := p.rows[s.key]
		if !found {
			continue
		}
		shown++
		first = r
		if r.due.Before(least) {
			least = r.due
		}
		if r.due.After(most) {
			most = r.due
		}
	}
	last := s.last()
	switch {
	case shown == len(snaps):
		base := op{kind: opWrite, node: -1, serial: first.serial, low: least, high: most.Add(pad(s.longest()) + slack), from: at, to: at,
			acks: len(snaps) - 1, ttl: s.longest()}
		base.low = base.low.Add(-first.to.Sub(first.from)) // when in this time the answer was made is not known
		s.ops = append(s.ops[:0], base)
		s.frozen, s.tainted, s.pinned = false, false, false
	case shown > 0:
		return // it ends about now
	case s.owned:
		s.ops = append(s.ops[:0], op{kind: opDestroy, node: -1, from: at, to: at, acks: len(snaps) - 1})
		s.frozen, s.tainted = false, false
	case last.destroyed:
		l.bury(s, overByLogout)
		return
	default:
		l.bury(s, overByAge)
		return
	}
	s.seen = nil
}

// longest is the longest lifetime it was given.
func (s *session) longest() (d time.Duration) {
	for i := range s.ops {
		d = max(d, s.ops[i].ttl)
	}
	return d
}
