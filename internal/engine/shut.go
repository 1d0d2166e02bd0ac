package engine

import (
	"time"

	"github.com/sessioncast/sessioncast/internal/wire"
)

// Where multicast passes and unicast is shut between two members, as by a firewall that was changed, each hears the other, and nothing that
// one tells the other alone arrives: acknowledgements, requests, repairs. Whom nothing by unicast came of lately is asked for an
// acknowledgement; who goes on answering nothing, though it is heard and says that it hears this node, is called shut, and told so by the
// heartbeat (docs/adr/0021).

const (
	laneEvery  = 8 * time.Second        // between the questions of an idle node,
	laneAtOnce = 2                      // to so many peers
	laneStale  = 4 * time.Second        // of which nothing came by unicast for so long
	laneAgain  = 250 * time.Millisecond // between questions to who did not answer the first
	laneApart  = ackMissAfter           // questions closer than that count as one
	laneMute   = 4                      // questions in vain from which it counts as no answer that a heartbeat confirms something
	shutAsks   = 8                      // ... and, after shutAfter, from which a peer is shut
	shutAfter  = 3 * time.Second
	openAfter  = 500 * time.Millisecond // between the first and the second frame by unicast of who was shut: it is no more
	shutSettle = 2 * time.Second        // until the directions are clear, before it is told,
	shutPart   = 10 * time.Second       // and until it is told that one of them is open
	askedTwice = 200 * time.Millisecond // between questions of who did not get our answers,
	askedOnce  = time.Second            // and at most
)

// lane is what is known of unicast between this node and a peer that is heard by multicast.
type lane struct {
	heard  time.Time // when last something came by unicast; at first, when the peer came
	asked  time.Time // in vain since then; zero: not
	latest time.Time // question that was counted
	asks   int
	in     bool      // nothing comes by unicast
	out    bool      // nothing of ours arrives there by unicast, as the peer says
	since  time.Time // of the first of both
	named  time.Time // when it asked, which may not have got an answer,
	ask    bool      // and is to be asked in turn
	back   time.Time // when something came by unicast after all

	now, told laneState
	changed   time.Time
}

// laneState is which directions are shut.
type laneState struct{ in, out bool }

func (l *lane) state() laneState { return laneState{l.in, l.out} }

// mute reports whether the peer was asked again and again, and nothing came by unicast.
func (l *lane) mute() bool { return l.in || l.asks >= laneMute }

// lanes says whom to ask next.
type lanes struct {
	next time.Time // those that did not answer
	idle time.Time // those of which nothing came for a while
}

// heardByUnicast notes that p sent something to this node alone, or a copy.
func (m *Machine) heardByUnicast(p *peer) {
	l := &p.lane
	l.heard, l.asked, l.asks = m.now, time.Time{}, 0
	switch {
	case !l.in:
	case l.back.IsZero() || m.now.Sub(l.back) > silentAfter:
		l.back = m.now
	case m.now.Sub(l.back) >= openAfter:
		l.in, l.back = false, time.Time{}
		m.acks.recheck = true
	}
}

// askedByMulticast notes that p is named by a frame that asks for an acknowledgement.
func (m *Machine) askedByMulticast(p *peer) {
	l := &p.lane
	if l.asked.IsZero() {
		l.asked, l.latest, l.asks = m.now, m.now, 1
		if m.lanes.next.IsZero() {
			m.lanes.next = m.now.Add(laneAgain)
		}
	} else if m.now.Sub(l.latest) >= laneApart {
		l.latest = m.now
		l.asks++
	}
}

// byMulticast reports whether p and this node hear each other by multicast, as far as each knows.
func (m *Machine) byMulticast(p *peer) bool {
	return m.cfg.Mode != ModeUnicast && p.synced() && !p.left && p.hearsUs && m.hears(p)
}

// pollLanes asks again who did not answer.
func (m *Machine) pollLanes() {
	if !m.due(m.lanes.next) {
		return
	}
	var next deadline
	for _, p := range m.members.list {
		l := &p.lane
		switch {
		case l.asked.IsZero() && !l.ask || l.in:
			continue
		case !m.byMulticast(p): // then it may not have heard the question
			p.forgetQuestions()
			continue
		case l.ask || m.now.Sub(l.asked) >= laneAgain:
			l.ask = false
			m.askByMulticast(p)
		}
		next.add(m.now.Add(laneAgain))
	}
	m.lanes.next = next.at
}

// askBack is called when p asks this node for an acknowledgement. Who does so again after a while may not get any, and wonder: then this
// node finds out about the other direction, so that both know soon.
func (m *Machine) askBack(p *peer) {
	l := &p.lane
	switch since := m.now.Sub(l.named); {
	case since > askedOnce:
		l.named = m.now
	case since >= askedTwice:
		l.named = m.now
		if !l.in && l.asked.IsZero() && m.now.Sub(l.heard) >= laneStale {
			l.ask, m.lanes.next = true, m.now
		}
	}
}

func (m *Machine) askByMulticast(p *peer) {
	m.askedByMulticast(p)
	m.push.solicit = append(m.push.solicit, p.origin.Node)
}

// weighLanes, once a second, judges who is shut, asks those who are whether they are still, and some that were not heard by
// unicast for long; all such where somebody is in doubt, since what shuts one rarely shuts one only.
func (m *Machine) weighLanes() {
	doubt := false
	for _, p := range m.members.list {
		m.judgeLane(p)
		doubt = doubt || p.lane.mute() || p.lane.out
	}
	left := 0
	if doubt {
		left = maxPeers
	} else if !m.now.Before(m.lanes.idle) {
		left = laneAtOnce
	}
	for ; left > 0; left-- {
		p := m.stalest()
		if p == nil {
			return
		}
		p.lane.ask = true // not beside a heartbeat: which of the two comes first decides whether one seems lost
		if m.lanes.next.IsZero() {
			m.lanes.next = m.now.Add(laneAgain)
		}
		m.lanes.idle = m.now.Add(laneEvery) // a turn in which all had been heard is not used up
	}
}

// stalest is the peer of which nothing came by unicast for longest, and that is not being asked, or soon.
func (m *Machine) stalest() (chosen *peer) {
	for _, p := range m.members.list {
		if l := &p.lane; l.asked.IsZero() && !l.ask && m.byMulticast(p) && m.now.Sub(l.heard) >= laneStale && (chosen == nil || l.heard.Before(chosen.lane.heard)) {
			chosen = p
		}
	}
	return chosen
}

// judgeLane decides whether p is shut, and tells of it when the directions have been the same for a while.
func (m *Machine) judgeLane(p *peer) {
	l := &p.lane
	if !p.live() || p.left || p.state == wire.Suspect {
		*l = lane{heard: l.heard} // its silence is told
		return
	}
	switch {
	case l.in:
		m.askByMulticast(p)
	case l.asks >= shutAsks && m.now.Sub(l.asked) >= m.health.stretch(shutAfter) && m.byMulticast(p):
		l.in, m.acks.recheck = true, true
		m.count.ShutsFound++
	}
	m.tellLane(p)
}

func (m *Machine) tellLane(p *peer) {
	l := &p.lane
	if s := l.state(); s != l.now {
		if l.now == (laneState{}) {
			l.since = m.now
		}
		l.now, l.changed = s, m.now
	}
	settle := shutSettle
	if l.now != (laneState{}) && (!l.now.in || l.told.in) && (!l.now.out || l.told.out) {
		settle = shutPart // most likely the other opens, too
	}
	if l.now == l.told || m.now.Sub(l.changed) < settle {
		return
	}
	l.told = l.now
	kind := EventShut
	if l.now == (laneState{}) {
		kind = EventShutNoMore
	}
	m.event(Event{Kind: kind, Member: m.describe(p), Addr: p.addr})
}

// forgetQuestions takes back what p was asked before this node stood still: the answers may wait in its sockets.
func (p *peer) forgetQuestions() { p.lane.asked, p.lane.asks, p.lane.ask = time.Time{}, 0, false }
