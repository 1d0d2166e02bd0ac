package engine

import (
	"time"

	"github.com/sessioncast/sessioncast/internal/wire"
)

// Full memory. A node that is nearly full says so in its heartbeats; where most are, none makes new sessions, since the others
// would have no room for them. A node without room for others' records leaves them open, asks for them again later and less
// and less often, and is no party to the comparison of tables until it has them.

const (
	crowdedPercent  = 95 // from which a member counts as nearly full
	relievedFor     = 10 * time.Second
	relievedPercent = 105 // below which a node that lacked room asks for what it lacks at once; records are taken to 110
)

// shortage is how long a node without room for others' records asks for none: what it has no room for would only come
// and be thrown away again.
type shortage struct {
	since time.Time // zero: nothing was refused that has not come since
	until time.Time
	wait  time.Duration

	told  bool      // that something is lacking
	ended time.Time // when all had come
}

// lacks reports whether something was refused for want of room and has not come since.
func (s *shortage) lacks() bool { return !s.since.IsZero() }

// refused notes that a record found no room.
func (m *Machine) refused() {
	s := &m.full
	if !s.lacks() {
		s.since = m.now
	}
	if !m.now.Before(s.until) {
		s.wait = min(max(2*s.wait, fullRetryMin), fullRetryMax)
		s.until = m.now.Add(s.wait)
	}
	if !s.told {
		s.told = true
		m.event(Event{Kind: EventLacks})
	}
}

// relieved notes that all that was refused has come, or that nobody is there who could give it. It is told when that has lasted.
func (m *Machine) relieved() {
	m.full = shortage{told: m.full.told, ended: m.now}
}

func (m *Machine) tellRelief() {
	if s := &m.full; s.told && !s.lacks() && m.now.Sub(s.ended) >= relievedFor {
		s.told = false
		m.event(Event{Kind: EventLacksNoMore})
	}
}

// fullness is what this node says of its memory, in per cent.
func (m *Machine) fullness() uint8 {
	pct := min(m.table.StatsFull(), 255)
	switch {
	case m.full.lacks():
		pct = max(pct, wire.LacksPct)
	default:
		pct = min(pct, wire.LacksPct-1)
	}
	return uint8(pct)
}

// Lacks reports whether this node lacks records of others for want of room.
func (m *Machine) Lacks() bool { return m.full.lacks() }

// lacks reports whether the peer says that it lacks records for want of room.
func (p *peer) lacks() bool { return p.fullPct >= wire.LacksPct }

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
	case !m.full.lacks():
		m.tellRelief()
	case len(m.gapped) == 0 && m.join.fetch == nil && m.join.state == wire.Synced: // nothing is missing that anyone could give
		m.relieved()
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
