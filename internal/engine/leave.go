package engine

import (
	"time"

	"github.com/sessioncast/sessioncast/internal/wire"
)

// leaving is the drain: wait until the peers hold the last dot and nobody needs this node's sessions any more, then say goodbye.
type leaving struct {
	started bool
	at      time.Time // when to look again; zero before the start and after the end
	began   time.Time
	said    int
	told    int // of how many takers it was told that they needed this node still
}

// goodbyeInterval parts the goodbyes, so that one burst of loss does not take them all.
const goodbyeInterval = 10 * time.Millisecond

func (m *Machine) startLeave() {
	if m.leave.started {
		return
	}
	m.takeWrote()
	m.leave = leaving{started: true, at: m.now, began: m.now}
	m.beat.fullNow(m.now)
	m.watchSoon(0)
}

func (m *Machine) pollLeave() {
	l := &m.leave
	if !m.due(l.at) {
		return
	}
	behind, takers := m.whoNeedsThis()
	if waited := m.now.Sub(l.began); takers > 0 && waited < giveWait || behind && waited < leaveWait {
		l.at = m.now.Add(goodbyeInterval)
		return
	}
	if behind || takers > l.told {
		l.told = takers
		m.event(Event{Kind: EventHurried, Behind: m.behind(), Takers: takers})
	}
	if l.said == leaveFrames {
		l.at = time.Time{}
		m.event(Event{Kind: EventLeft})
		return
	}
	l.said++
	l.at = m.now.Add(goodbyeInterval)
	m.finish(group, m.encoder.AppendLeave(m.begin(wire.TypeLeave, group), m.stamp(), &wire.Leave{High: m.sent()}))
}

// whoNeedsThis tells before the first goodbye whether changes of this node have not reached all, and how many wait for sessions that
// only this node has. After the last one nobody asks for more; but a transfer that was asked for before may begin then, and goes on
// while this node is there.
func (m *Machine) whoNeedsThis() (behind bool, takers int) {
	switch m.leave.said {
	case 0:
		return !m.drained(), m.takers()
	case leaveFrames:
		return false, m.fetching()
	}
	return false, 0
}

// drained reports whether everything left and every synced peer with room for it confirmed it.
func (m *Machine) drained() bool {
	return len(m.push.queue) == 0 && len(m.frags.out) == 0 && m.behind() == 0
}

// behind counts the synced peers that have not confirmed the last change, and have room for it.
func (m *Machine) behind() (n int) {
	for _, p := range m.members.list {
		if p.synced() && !p.lacks() && p.confirms < m.push.high {
			n++
		}
	}
	return n
}

func (m *Machine) takeLeave(p *peer, body []byte) error {
	var l wire.Leave
	t, err := m.decoder.Leave(body, p.ref, &l)
	if err != nil {
		return err
	}
	m.observe(p, t)
	m.announce(m.origin(p.ref), l.High)
	p.left = true
	m.setState(p, wire.Dead)
	return nil
}
