package engine

import (
	"github.com/sessioncast/sessioncast/internal/hlc"
	"github.com/sessioncast/sessioncast/internal/wire"
)

// made is how many dots a peer had given to its writers, sent or not, as its last full heartbeat said. It was counted before that was stamped and after the one
// before was.
type made struct {
	since, said hlc.Stamp
	dots        uint64
}

// say takes in a full heartbeat, unless a later one has come before it: that one said more.
func (d *made) say(at hlc.Stamp, dots uint64) {
	if at > d.said {
		*d = made{since: d.said, said: at, dots: dots}
	}
}

// An acknowledgement may overtake what its sender has written: changes wait for company, and for their turn. So who has to know all that others had
// made up to a stamp waits until a full heartbeat that was begun later says how much that was, and until that is here. Who is probed sends two soon, and its clock passes
// that of the probe.

// told reports whether p has nothing from before the stamp that is not here. Of one whose clock is beyond the limit ahead nothing is known: every heartbeat
// of it is later than the stamp, and what it makes next may be stamped by the others' time.
func (m *Machine) told(p *peer, stamp hlc.Stamp) bool {
	far := p.made.since.Millis() > m.wall()+m.cfg.MaxSkew.Milliseconds()
	if far {
		return false
	}
	return p.made.since > stamp && prefix(&m.origin(p.ref).held) >= p.made.dots
}

// untold reports whether there is a peer to be waited for; one that does not answer is not.
func (m *Machine) untold(stamp hlc.Stamp) bool {
	for _, p := range m.members.list {
		if p.synced() && !m.deaf(p) && !m.told(p, stamp) {
			return true
		}
	}
	return false
}

// holdAndTold counts the peers that have confirmed what w waits for, and of which nothing is missing here.
func (m *Machine) holdAndTold(w *waiter) (n int) {
	for _, p := range m.members.list {
		if p.synced() && p.confirms >= w.seq && m.told(p, w.told) {
			n++
		}
	}
	return n
}

// bid asks for the heartbeats that are missing.
func (m *Machine) bid(stamp hlc.Stamp) {
	for _, p := range m.members.list {
		if p.synced() && p.made.since <= stamp {
			m.send(wire.TypeProbe, p.dest(), m.encoder.AppendProbe(nil, m.stamp(), &wire.Probe{Nonce: m.dice.Uint64()}))
		}
	}
}
