package engine

import (
	"net/netip"
	"slices"
	"time"

	"github.com/sessioncast/sessioncast/internal/hlc"
	"github.com/sessioncast/sessioncast/internal/record"
	"github.com/sessioncast/sessioncast/internal/seal"
	"github.com/sessioncast/sessioncast/internal/wire"
)

// Where multicast passes and unicast is shut, nodes hear each other and cannot prove who they are: the challenge, or its answer,
// does not arrive. Nothing that such a node says counts, but that it is there does (docs/adr/0017): who starts beside it is not alone,
// and would be ready without a single session.

// Unproven is a node of this cluster that is heard, and that has not answered a challenge.
type Unproven struct {
	Node  record.NodeID
	Name  string // as it says; empty: it has not said
	Addr  netip.AddrPort
	State wire.MemberState // as it says; 0: it has not said
	Since time.Time
}

// sighting is what is known of one: the latest run of its node.
type sighting struct {
	origin record.Origin
	packet uint64 // of its latest frame; a recording counts once
	name   string
	said   wire.MemberState
	addr   netip.AddrPort
	since  time.Time
	heard  time.Time
	gone   bool // it said goodbye
	told   bool
}

// sight notes a frame of who has not proved itself, if it was sealed lately: so a recording makes nobody seem there who was not
// a moment ago.
func (m *Machine) sight(f *seal.Opened, from netip.AddrPort) {
	at, name, state, err := m.decoder.Said(f.Header.Type, f.Body)
	if err != nil || !m.lately(at) || f.Header.Origin.Node == m.cfg.Self.Node || m.outdated(f.Header.Origin) {
		return
	}
	s := m.sightingOf(f.Header.Origin)
	if s == nil || f.Header.Packet <= s.packet {
		return
	}
	s.packet, s.addr, s.heard = f.Header.Packet, from, m.now
	if state != 0 {
		s.name, s.said = rename(s.name, name), state
	}
	s.gone = s.gone || f.Header.Type == wire.TypeLeave
}

// outdated reports whether a later run of o's node has proved itself.
func (m *Machine) outdated(o record.Origin) bool {
	return slices.ContainsFunc(m.members.list, func(p *peer) bool { return p.origin.Node == o.Node && p.origin.Compare(o) > 0 })
}

// lately reports whether the sender's clock may have shown t within the last moments: what it shows may be ahead of its own wall clock
// by the limit, and that of ours, or of somebody who has proved itself, by as much. Whose own clock is far off would take all others for recordings.
func (m *Machine) lately(t hlc.Stamp) bool {
	off := time.Duration(t.Millis()-m.wall()) * time.Millisecond
	return off.Abs() <= 2*m.cfg.MaxSkew || slices.ContainsFunc(m.members.list, func(p *peer) bool {
		by, _ := p.offset.read(m.now)
		return p.live() && p.offset.told && (off-by).Abs() <= 2*m.cfg.MaxSkew
	})
}

// sightingOf is that of o, begun anew for a later run of its node; nil for an earlier one.
func (m *Machine) sightingOf(o record.Origin) *sighting {
	for _, s := range m.admit.sighted {
		if s.origin.Node != o.Node {
			continue
		}
		switch c := s.origin.Compare(o); {
		case c > 0:
			return nil
		case c < 0:
			*s = sighting{origin: o, since: m.now, told: s.told}
		}
		return s
	}
	if len(m.admit.sighted) >= maxSighted {
		m.count.SightingsDropped++
		m.admit.sighted = slices.Delete(m.admit.sighted, 0, 1)
	}
	s := &sighting{origin: o, since: m.now}
	m.admit.sighted = append(m.admit.sighted, s)
	return s
}

// proven forgets the sighting of who has proved itself, or whose later run has.
func (a *admission) proven(node record.NodeID) {
	a.sighted = slices.DeleteFunc(a.sighted, func(s *sighting) bool { return s.origin.Node == node })
}

// beside reports whether somebody is heard, unproven, who may have what this node lacks: then it is not alone.
func (m *Machine) beside() bool {
	return slices.ContainsFunc(m.admit.sighted, func(s *sighting) bool {
		return !s.gone && s.said != wire.Joining && m.now.Sub(s.heard) < silentAfter
	})
}

// pollSighted, once a second, tells of those who have been heard for a while, and forgets those who are not any more.
func (m *Machine) pollSighted() {
	m.admit.sighted = slices.DeleteFunc(m.admit.sighted, func(s *sighting) bool {
		return s.gone || m.now.Sub(s.heard) >= sightedFor
	})
	for _, s := range m.admit.sighted {
		if !s.told && m.unanswers(s) {
			s.told = true
			m.event(Event{Kind: EventUnproven, Addr: s.addr, State: s.said, Member: Member{Origin: s.origin, Name: s.name, Addr: s.addr, State: s.said}})
		}
	}
}

// unanswers reports whether s has been heard for so long that its proof ought to have come.
func (m *Machine) unanswers(s *sighting) bool { return s.heard.Sub(s.since) >= proofPatience }

// Unproven lists, in the order in which they came, the nodes that are heard and have not answered for a while.
func (m *Machine) Unproven(now time.Time) (list []Unproven) {
	m.advance(now)
	for _, s := range m.admit.sighted {
		if !s.gone && m.now.Sub(s.heard) < sightedFor && (m.unanswers(s) || m.waitsFor(s)) {
			list = append(list, Unproven{s.origin.Node, s.name, s.addr, s.said, s.since})
		}
	}
	return list
}

// waitsFor reports whether s keeps this node, which would go on alone, from doing so.
func (m *Machine) waitsFor(s *sighting) bool {
	return m.join.state == wire.Joining && m.now.Sub(m.join.started) >= joinWait && s.said != wire.Joining
}
