package engine

import "time"

// lossMeter measures the share of a sender's multicast datagrams that do not arrive, by the sender's own count: over the
// last beats that make lossSample datagrams together, as far as lossWindow beats go. Of fewer than lossLeast nothing
// is said. What was sent during a cut, a silence of the sender or a standstill of the receiver is left out: it says nothing of the road.
type lossMeter struct {
	received   uint64 // since the last count heard
	lastSent   uint64
	sent, lost [lossWindow]uint64
	at         int
	loss       float64
	broken     bool // what was sent since the last count heard is left out
}

// report takes in the sender's count of multicast datagrams, and returns how many were sent since the last; 0 where that is
// left out.
func (l *lossMeter) report(sent uint64) (expected uint64) {
	if l.lastSent != 0 && sent > l.lastSent && !l.broken {
		expected = sent - l.lastSent
		l.at = (l.at + 1) % lossWindow
		l.sent[l.at] = expected
		l.lost[l.at] = expected - min(l.received, expected)
		l.loss = l.share()
	}
	if sent >= l.lastSent {
		l.lastSent, l.received, l.broken = sent, 0, false
	}
	return expected
}

func (l *lossMeter) share() float64 {
	var all, lost uint64
	for i := range lossWindow {
		at := (l.at - i + lossWindow) % lossWindow
		all += l.sent[at]
		lost += l.lost[at]
		if all >= lossSample {
			break
		}
	}
	if all < lossLeast {
		return 0
	}
	return float64(lost) / float64(all)
}

// heardOnRoad notes that something which p sent to the group arrived.
func (m *Machine) heardOnRoad(p *peer) {
	m.noteSilence(p)
	p.onRoad = m.now
	p.multicasts.received++
}

// noteSilence is called before what p sent since it was last heard counts. After a cut it may tell how much that was to this node alone first.
func (m *Machine) noteSilence(p *peer) {
	if m.now.Sub(p.onRoad) > deafAfter || m.health.unsettled(m.now) {
		p.multicasts.broken = true
	}
}

// unsettled reports whether this node stood still a moment ago: what its sockets had no room for meanwhile shows by the first heartbeat that
// was sent after that.
func (h *health) unsettled(now time.Time) bool {
	return now.Before(h.backlog.Add(steady + steadyJitter))
}
