package engine

import (
	"slices"
	"time"

	"github.com/sessioncast/sessioncast/internal/wire"
)

// Where something passes in one direction only, who hears nothing knows it by the silence. Who is not heard knows it by what the other
// says: its full heartbeats do not name this node among those it hears, or it calls this node's address as one where nobody is.

const (
	copiesTried  = 8 * time.Second // silence after which copies would have arrived
	unnamedFor   = 5 * time.Second
	unnamedSlice = 16               // members for which a list of those heard may take a heartbeat more
	missedFor    = 12 * time.Second // a sign of it counts for so long: calls come every 5 s, and one may be lost
)

// deafTo reports whether nothing of p arrives here, though others hear it. Where there is multicast it is named as not heard by that first, so that
// it sends copies; where these do not arrive either it is not named any more.
func (m *Machine) deafTo(p *peer) bool {
	return p.viaOthers && (m.cfg.Mode == ModeUnicast || m.now.Sub(p.direct) > copiesTried)
}

// noteNamed takes in whom p hears.
func (m *Machine) noteNamed(p *peer, list []wire.Heard) {
	if slices.ContainsFunc(list, func(h wire.Heard) bool { return h.Origin == m.self }) {
		p.namedAt = m.now
	} else {
		p.missedAt = m.now
	}
}

// noteCalled takes in that p called this node's address. It may do so although it hears this node, from another address.
func (m *Machine) noteCalled(p *peer, in *Datagram, h *wire.Header) {
	if h.Type == wire.TypeHello && !h.Addressed && !in.Multicast {
		p.missedAt = m.now
	}
}

// hearsNothing reports whether p, which is heard, hears nothing of this node.
func (m *Machine) hearsNothing(p *peer) bool {
	patience := unnamedFor + time.Duration(len(m.members.list)/unnamedSlice)*time.Second
	return !p.left && p.missedAt.Sub(p.namedAt) >= m.health.stretch(patience) && m.now.Sub(p.missedAt) < missedFor
}

// pollOneWay, once a second, tells of those, and calls them: one that was admitted here, and to which no answer of this node's came for as long as
// it asked for one, hears nothing since it does not know this node, and would never get to.
func (m *Machine) pollOneWay() {
	for _, p := range m.members.list {
		if m.hearsNothing(p) && m.mayGreet(p) {
			m.send(wire.TypeHello, p.dest(), m.hello())
		}
		switch now := m.hearsNothing(p); {
		case now && !p.unheardTold:
			m.event(Event{Kind: EventNotHeard, Member: m.describe(p), Addr: p.addr})
			p.unheardTold = true
		case p.unheardTold && p.namedAt.After(p.missedAt):
			m.event(Event{Kind: EventHeardThere, Member: m.describe(p), Addr: p.addr})
			p.unheardTold = false
		}
	}
}
