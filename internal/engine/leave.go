package engine

import (
	"time"

	"github.com/sessioncast/sessioncast/internal/wire"
)

// leaving is the drain: wait until the peers hold the last dot and nobody needs this node's sessions any more, then say goodbye.
type leaving struct {
	started bool
	at      time.Time // when to look again; zero before the start and after the end
	until   time.Time
	said    int
}

// goodbyeInterval parts the goodbyes, so that one burst of loss does not take them all.
const goodbyeInterval = 10 * time.Millisecond

func (m *Machine) startLeave() {
	if m.leave.started {
		return
	}
	m.takeWrote()
	m.leave = leaving{started: true, at: m.now, until: m.now.Add(leaveWait)}
	m.beat.fullNow(m.now)
	m.watchSoon(0)
}

func (m *Machine) pollLeave() {
	l := &m.leave
	if !m.due(l.at) {
		return
	}
	if l.said == 0 && !(m.drained() && m.takers() == 0) {
		if m.now.Before(l.until) {
			l.at = m.now.Add(goodbyeInterval)
			return
		}
		m.tellHurry()
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

func (m *Machine) tellHurry() {
	m.event(Event{Kind: EventHurried, Behind: m.behind(), Takers: m.takers()})
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
