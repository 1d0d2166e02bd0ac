package engine

import (
	"time"

	"github.com/sessioncast/sessioncast/internal/wire"
)

// Whose clock is behind that of the only other node may be the one who is right; of three, two are. So a newcomer whose clock is far behind
// the first that it meets takes a moment to hear a second one, before it lets anybody write: what it wrote until then would have
// ended, by the time of all others, before they show it.

// voices is what a newcomer that has all sessions waits for.
type voices struct {
	donor *peer // who gave them; nil: it does not wait
	until time.Time
}

// awaitVoices reports whether the node, given all by donor, has to hear of another clock first.
func (m *Machine) awaitVoices(donor *peer) bool {
	if !m.farBehind() {
		return false
	}
	m.join.voices = voices{donor: donor, until: m.now.Add(voicesWait)}
	return true
}

// pollVoices ends the wait when it is over, and reports whether there was one.
func (m *Machine) pollVoices() bool {
	v := &m.join.voices
	if v.donor == nil {
		return false
	}
	if m.due(v.until) || !m.farBehind() {
		donor := v.donor
		*v = voices{}
		m.settleJoin(donor)
	}
	return true
}

// farBehind reports whether somebody's clock is far ahead of this node's, and nobody else has told theirs, or not all have.
func (m *Machine) farBehind() bool {
	told, untold, far := 0, 0, false
	for _, p := range m.members.list {
		if p.state != wire.Synced && p.state != wire.Leaving {
			continue
		}
		by, _ := p.offset.read(m.now)
		far = far || by > m.cfg.MaxSkew
		if p.offset.told {
			told++
		} else {
			untold++
		}
	}
	return far && (told < 2 || untold > 0)
}
