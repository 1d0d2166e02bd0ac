//go:build linux

package main

import (
	"slices"
	"sync"
	"time"
)

// history is which faults were between whom and who was killed: what the judge must know of the world. It is written
// before a fault begins and after it has ended, so that the judge errs on the side of the accused. Safe for concurrent use.
type history struct {
	nodes int
	lag   time.Duration // a change crosses between two nodes without trouble within this time
	heal  time.Duration // and everything does this long after the last trouble anywhere

	mu      sync.Mutex
	kills   [][]time.Time // of each node
	trouble [][]strain    // between two nodes, and with itself: of the node
	helds   []time.Time   // what was answered before, and was not lost until then, was held by all
}

// strain is the faults between two nodes.
type strain struct {
	active int
	ended  time.Time
}

const (
	usualLag  = 8 * time.Second
	usualHeal = 25 * time.Second
)

func newHistory(nodes int) *history {
	h := &history{nodes: nodes, lag: usualLag, heal: usualHeal, kills: make([][]time.Time, nodes)}
	for range nodes {
		h.trouble = append(h.trouble, make([]strain, nodes))
	}
	return h
}

// begin notes that something is about to stand between these nodes; the function returned notes that it has ended.
func (h *history) begin(a, b []int) (end func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.each(a, b, func(s *strain) { s.active++ })
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		now := time.Now()
		h.each(a, b, func(s *strain) { s.active--; s.ended = now })
	}
}

func (h *history) each(a, b []int, f func(*strain)) {
	for _, i := range a {
		for _, k := range b {
			f(&h.trouble[i][k])
			if i != k {
				f(&h.trouble[k][i])
			}
		}
	}
}

// strained is how many faults are between two nodes.
func (h *history) strained(a, b int) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.trouble[a][b].active
}

// all is every node.
func (h *history) all() []int {
	list := make([]int, h.nodes)
	for i := range list {
		list[i] = i
	}
	return list
}

// killing notes that a node is about to lose its memory.
func (h *history) killing(node int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.kills[node] = append(h.kills[node], time.Now())
}

// keptHelds bounds the moments; of what is older more is taken to be lost.
const keptHelds = 64

// everybodyHolds notes that what was answered before t, and was not lost until then, is held by every node.
func (h *history) everybodyHolds(t time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if n := len(h.helds); n > 0 && !t.After(h.helds[n-1]) {
		return
	}
	if h.helds = append(h.helds, t); len(h.helds) > keptHelds {
		h.helds = h.helds[1:]
	}
}

// killed reports whether the node lost its memory at t or later.
func (h *history) killed(node int, t time.Time) bool { return h.killedIn(node, t, never) }

// killedIn reports whether the node lost its memory between two moments.
func (h *history) killedIn(node int, from, to time.Time) bool {
	for _, at := range slices.Backward(h.kills[node]) {
		if !at.After(to) {
			return !at.Before(from)
		}
	}
	return false
}

// quietSince is since when nothing has stood between two nodes; false while something does.
func (h *history) quietSince(a, b int) (time.Time, bool) {
	s := &h.trouble[a][b]
	return s.ended, s.active == 0
}

// apart are the nodes that some fault keeps from another.
func (h *history) apart(from int) (nodes []int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for x := range h.nodes {
		if x != from && h.trouble[from][x].active > 0 {
			nodes = append(nodes, x)
		}
	}
	return nodes
}

// allQuietSince is the same for the whole cluster.
func (h *history) allQuietSince() (since time.Time, quiet bool) {
	for i := range h.trouble {
		for k := range h.trouble[i] {
			s := &h.trouble[i][k]
			if s.active > 0 {
				return since, false
			}
			if s.ended.After(since) {
				since = s.ended
			}
		}
	}
	return since, true
}

// holders are those of whom some must live so that what they hold since a moment is not lost.
type holders struct {
	node  int // one that holds it, or -1
	count int
	since time.Time
}

// outlive reports whether one of them must have lived until a moment.
func (h *history) outlive(o holders, until time.Time) bool {
	if o.node >= 0 && !h.killedIn(o.node, o.since, until) {
		return true
	}
	dead := 0
	for i := range h.kills {
		if h.killedIn(i, o.since, until) {
			dead++
		}
	}
	return dead < o.count
}

// holders are who must hold what o did: who said so, or all since the last moment at which all held everything. What was lost
// before that is held by none; then false.
func (h *history) holders(o *op) (who holders, ok bool) {
	who = holders{node: o.node, count: o.acks + 1, since: o.from}
	for _, at := range h.helds {
		if at.Before(o.to) {
			continue
		}
		if !h.outlive(who, at) {
			return who, false
		}
		who = holders{node: -1, count: h.nodes, since: at}
	}
	return who, true
}

// survives reports whether some node must hold what o did, whoever was killed.
func (h *history) survives(o *op) bool {
	who, ok := h.holders(o)
	return !o.unknown && ok && h.outlive(who, never)
}

// knows reports whether node x must know what o did when asked at a time.
func (h *history) knows(x int, o *op, at time.Time) bool {
	switch {
	case o.unknown:
		return false
	case o.node == x && !h.killed(x, o.from): // read your writes
		return true
	case o.acks >= h.nodes-1 && !h.killed(x, o.from): // it said so itself
		return true
	}
	if who, ok := h.holders(o); ok && who.count == h.nodes && !h.killed(x, who.since) {
		return true
	}
	if o.node >= 0 {
		if since, quiet := h.quietSince(o.node, x); quiet && !since.After(o.from) {
			return at.Sub(o.to) >= h.lag
		}
	}
	since, quiet := h.allQuietSince()
	return quiet && at.Sub(since) >= h.heal && at.Sub(o.to) >= h.lag && h.survives(o)
}

// lost reports whether the node that did the last operation was killed since.
func (h *history) lost(s *session) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	last := &s.ops[len(s.ops)-1]
	return last.node >= 0 && h.killed(last.node, last.from)
}

// forgotten reports whether all who knew the last operation may have been killed.
func (h *history) forgotten(s *session) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(s.ops) > 0 && !h.survives(&s.ops[len(s.ops)-1])
}
