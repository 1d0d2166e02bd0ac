//go:build linux

package main

import (
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
	kills   []time.Time // the latest of each node
	trouble [][]strain  // between two nodes, and with itself: of the node
	held    time.Time   // what was answered before is held by all who were there
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
	h := &history{nodes: nodes, lag: usualLag, heal: usualHeal, kills: make([]time.Time, nodes)}
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
	h.kills[node] = time.Now()
}

// everybodyHolds notes that what was answered before t is held by every node.
func (h *history) everybodyHolds(t time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if t.After(h.held) {
		h.held = t
	}
}

// killed reports whether the node lost its memory at t or later.
func (h *history) killed(node int, t time.Time) bool {
	return !h.kills[node].IsZero() && !h.kills[node].Before(t)
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

// survives reports whether some node must hold what o did, whoever was killed.
func (h *history) survives(o *op) bool {
	if o.unknown {
		return false
	}
	holders, since := o.acks+1, o.from
	if !o.to.After(h.held) {
		holders, since = h.nodes, h.held
	} else if o.node >= 0 && !h.killed(o.node, o.from) {
		return true
	}
	dead := 0
	for i := range h.kills {
		if h.killed(i, since) {
			dead++
		}
	}
	return dead < holders
}

// knows reports whether node x must know what o did when asked at a time.
func (h *history) knows(x int, o *op, at time.Time) bool {
	switch {
	case o.unknown:
		return false
	case o.node == x && !h.killed(x, o.from): // read your writes
		return true
	case !o.to.After(h.held) && !h.killed(x, h.held):
		return true
	case o.acks >= h.nodes-1 && !h.killed(x, o.from): // it said so itself
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
