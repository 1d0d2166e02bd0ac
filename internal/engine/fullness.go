package engine

import (
	"time"

	"github.com/sessioncast/sessioncast/internal/wire"
)

// Full memory. A node that is nearly full says so in its heartbeats; where most are, none makes new sessions, since the others
// would have no room for them. A node without room for others' records leaves them open, asks for them again later and less
// and less often, and is no party to the comparison of tables until it has them.

const (
	crowdedPercent  = 95  // from which a member counts as nearly full
	relievedPercent = 105 // below which a node that lacked room asks for what it lacks at once; records are taken to 110
)

// shortage is how long a node without room for others' records asks for none: what it has no room for would only come
// and be thrown away again.
type shortage struct {
	since time.Time // zero: nothing was refused that has not come since
	until time.Time
	wait  time.Duration
}

func (s *shortage) refused(now time.Time) {
	if s.since.IsZero() {
		s.since = now
	}
	if !now.Before(s.until) {
		s.wait = min(max(2*s.wait, fullRetryMin), fullRetryMax)
		s.until = now.Add(s.wait)
	}
}

// FullHealth tells how far memory limits what this node takes.
type FullHealth struct {
	Lacks   time.Time // since when it lacks records for want of room; zero: it does not
	Crowded bool      // most members are nearly full: no new sessions are made here
	Nearly  int       // members that are, this node included
}

// FullHealth tells how far memory limits what this node takes.
func (m *Machine) FullHealth(now time.Time) FullHealth {
	m.advance(now)
	nearly, all := m.nearlyFull()
	return FullHealth{Lacks: m.full.since, Crowded: 2*nearly > all, Nearly: nearly}
}

// nearlyFull counts the members that are nearly full, and all of them.
func (m *Machine) nearlyFull() (nearly, all int) {
	all = 1
	if m.table.StatsFull() >= crowdedPercent {
		nearly++
	}
	for _, p := range m.members.list {
		if p.synced() && p.beats > 0 {
			all++
			if p.fullPct >= crowdedPercent {
				nearly++
			}
		}
	}
	return nearly, all
}

// judgeCrowd follows what members say of their memory.
func (m *Machine) judgeCrowd() {
	nearly, all := m.nearlyFull()
	m.table.SetCrowded(2*nearly > all)
}

// weighMemory asks, once a second, for what found no room as soon as there is some.
func (m *Machine) weighMemory() {
	m.judgeCrowd()
	switch {
	case m.full.since.IsZero():
	case len(m.gapped) == 0 && m.join.fetch == nil && m.join.state == wire.Synced: // nothing is missing that anyone could give
		m.full = shortage{}
	case m.table.StatsFull() < relievedPercent:
		m.askForRefused()
	}
}

func (m *Machine) askForRefused() {
	for _, o := range m.gapped {
		if !o.nackAt.Before(m.full.until) {
			o.nackAt = m.now
		}
	}
	m.full.until, m.full.wait = m.now, 0
	if !m.join.retryAt.IsZero() {
		m.join.retryAt, m.join.wait = m.now, 0
	}
}
