//go:build linux

package main

import (
	"fmt"
	"sync"
	"time"
)

// finding is a promise that was broken.
type finding struct {
	Kind string    `json:"kind"`
	At   time.Time `json:"at"`
	Node string    `json:"node"`
	Text string    `json:"text"`
}

// The promises that can be broken.
const (
	findLost       = "lost acknowledged write"
	findRevived    = "resurrected logout"
	findEarly      = "early expiry"
	findLate       = "late expiry"
	findOwnStale   = "stale read on the node itself"
	findStale      = "stale read elsewhere"
	findCorrupt    = "corrupt value"
	findUnknown    = "session nobody made"
	findDivergence = "nodes do not agree"
	findCrash      = "daemon ended by itself"
	findStuck      = "node does not become ready"
	findLeak       = "resources grow"
	findTest       = "the soak itself failed"
)

var findings = []string{findLost, findRevived, findEarly, findLate, findOwnStale, findStale, findCorrupt, findUnknown,
	findDivergence, findCrash, findStuck, findLeak, findTest}

// keptFindings bounds the list; the rest is counted.
const keptFindings = 100

// judge says what is wrong. It is safe for concurrent use, except that a session is judged by its owner only.
type judge struct {
	h   *history
	say func(format string, args ...any)

	mu     sync.Mutex
	found  []finding
	counts map[string]int
	judged int64 // reads under faults compared with what is allowed
	strict int64 // of these, where only one answer was
	census int64 // and reads in peace
}

func newJudge(h *history, say func(string, ...any)) *judge {
	return &judge{h: h, say: say, counts: map[string]int{}}
}

func (j *judge) find(kind string, node int, format string, args ...any) {
	j.mu.Lock()
	defer j.mu.Unlock()
	f := finding{Kind: kind, At: time.Now(), Node: nodeName(node), Text: fmt.Sprintf(format, args...)}
	j.counts[kind]++
	if len(j.found) < keptFindings {
		j.found = append(j.found, f)
		j.say("FOUND %s, node %s: %s", kind, f.Node, f.Text)
	}
}

// total is how many promises were broken.
func (j *judge) total() (n int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, c := range j.counts {
		n += c
	}
	return n
}

// reading is one look at a session.
type reading struct {
	node     int
	from, to time.Time
	shown    bool
	serial   int
	whole    bool // the value is one of this key's, unharmed
	census   bool // everything is healed and settled
}

// read judges what a node showed of a session, and reports whether it was allowed.
func (j *judge) read(s *session, r *reading) bool {
	if s.reported || s.tainted {
		return true
	}
	if r.shown && !r.whole {
		return j.accuse(s, findCorrupt, r, "")
	}
	j.h.mu.Lock()
	v := s.view(func(o *op) bool {
		if r.census {
			return j.h.survives(o)
		}
		return j.h.knows(r.node, o, r.from)
	})
	returned := j.returned(s, r)
	j.h.mu.Unlock()
	j.count(v.answers, r.census)
	if returned {
		return j.accuse(s, findRevived, r, "; it had been gone there")
	}
	if v.allows(s, r) {
		return true
	}
	return j.accuse(s, j.charge(s, &v, r), r, "")
}

func (j *judge) count(states int, census bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if census {
		j.census++
		return
	}
	j.judged++
	if states == 1 {
		j.strict++
	}
}

// allows reports whether a session may look so.
func (v *view) allows(s *session, r *reading) bool {
	if !r.shown {
		return v.none || !r.to.Before(v.low.Add(-epsilon))
	}
	if s.raced && (!v.destroyed || len(v.serials) > 0) {
		return true // by whom it was written last, and for how long, nobody can tell
	}
	return v.serials[r.serial] && !r.from.After(v.high)
}

// returned notes what a node showed and reports whether a session came back where its logout had been seen: whatever was
// killed or cut, who has seen a logout does not show the session again.
func (j *judge) returned(s *session, r *reading) bool {
	if len(s.ops) == 0 {
		return false
	}
	if s.seen == nil {
		s.seen = map[int]sight{}
	}
	last := &s.ops[len(s.ops)-1]
	was := s.seen[r.node]
	destroyed := last.kind == opDestroy && last.node >= 0 && r.from.After(last.from)
	switch {
	case r.shown && destroyed && !was.gone.IsZero():
		return !j.h.killed(r.node, was.gone)
	case r.shown && !destroyed:
		was.shown, was.gone = r.from, time.Time{}
	case !r.shown && destroyed && !was.shown.IsZero() && !j.h.killed(r.node, was.shown) && r.to.Before(s.earliest()):
		was.gone = r.from
	}
	s.seen[r.node] = was
	return false
}

// charge names what is wrong with a reading that is not allowed.
func (j *judge) charge(s *session, v *view, r *reading) string {
	switch {
	case r.shown && (v.destroyed || s.last().destroyed && len(v.serials) == 0):
		return findRevived
	case r.shown && v.serials[r.serial]:
		return findLate
	case r.shown && r.census:
		return findLost
	case r.shown && j.own(s, r.node):
		return findOwnStale
	case r.shown:
		return findStale
	case r.census || j.young(s, r):
		return findLost
	}
	return findEarly
}

// own reports whether the last operation was made on this node.
func (j *judge) own(s *session, node int) bool {
	return len(s.ops) > 0 && s.ops[len(s.ops)-1].node == node
}

// young reports whether the session is missing long before its end, when its expiry can be no reason.
func (j *judge) young(s *session, r *reading) bool {
	last := s.last()
	return last.exists && last.low.Sub(r.to) > 5*time.Second
}

func (j *judge) accuse(s *session, kind string, r *reading, more string) bool {
	s.reported = true
	what := "nothing"
	if r.shown {
		what = fmt.Sprintf("#%d", r.serial)
	}
	when := ""
	if r.census {
		when = " in the census"
	}
	j.find(kind, r.node, "shown %s at %s%s%s; %s", what, r.from.Format("15:04:05.000"), when, more, s.trace())
	return false
}
