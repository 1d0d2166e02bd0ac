package engine

import "time"

// AckHealth tells how far writes are confirmed as the configuration asks.
type AckHealth struct {
	Since       time.Time // writes go unconfirmed since then; zero: they do not
	Asked       int       // peers that a write asks by default, AckAll for all
	Live        int       // live synced peers
	Listening   int       // of those, the ones that answer lately
	Recent      AckShare  // over the last ten seconds
	Minute      AckShare  // over the last minute
	Unconfirmed uint64    // since the start
}

// AckShare is how many writes waited for peers, and how many of those returned without the confirmations they asked for.
type AckShare struct{ Waited, Unconfirmed uint64 }

// Share is the part of the writes that went unconfirmed.
func (s AckShare) Share() float64 {
	if s.Waited == 0 {
		return 0
	}
	return float64(s.Unconfirmed) / float64(s.Waited)
}

// Short reports whether there are fewer live peers than writes ask for: what they confirm is less than was meant, though
// no write waits in vain.
func (h *AckHealth) Short() bool {
	if h.Asked == AckAll {
		return h.Live == 0
	}
	return h.Live < h.Asked
}

// Deaf reports whether fewer peers answer than writes ask for, of those there are.
func (h *AckHealth) Deaf() bool { return h.Listening < min(h.Asked, h.Live) }

const (
	ackDeafAfter = 150 * time.Millisecond // asked for so long without progress: writes do not wait for it any more
	healthSlots  = 60                     // seconds that are remembered
	healthRecent = 10                     // of those, what decides whether the node is degraded
)

// ackHealth counts by seconds what became of the writes that waited.
type ackHealth struct {
	slots [healthSlots]AckShare
	at    int64 // Unix second of the present slot
	since time.Time
}

// turn goes on to the slot of this second.
func (h *ackHealth) turn(now time.Time) {
	second := now.Unix()
	if second-h.at >= healthSlots {
		h.at, h.slots = second, [healthSlots]AckShare{}
	}
	for h.at < second {
		h.at++
		h.slots[h.at%healthSlots] = AckShare{}
	}
}

func (h *ackHealth) note(now time.Time, writes, unconfirmed int) {
	h.turn(now)
	s := &h.slots[h.at%healthSlots]
	s.Waited += uint64(writes)
	s.Unconfirmed += uint64(unconfirmed)
}

// share sums up the last seconds.
func (h *ackHealth) share(seconds int64) (sum AckShare) {
	for i := range seconds {
		s := h.slots[(h.at-i+healthSlots)%healthSlots]
		sum.Waited += s.Waited
		sum.Unconfirmed += s.Unconfirmed
	}
	return sum
}

// judgeAcks tells when writes begin to go unconfirmed, and when that is over: none did for healthRecent seconds, and as many
// peers answer as are asked.
func (m *Machine) judgeAcks() {
	h := &m.acks.health
	h.turn(m.now)
	unconfirmed := h.share(healthRecent).Unconfirmed > 0
	switch {
	case h.since.IsZero() && unconfirmed:
		h.since = m.now
		m.event(Event{Kind: EventDegraded})
	case !h.since.IsZero() && !unconfirmed && m.listening() >= min(m.cfg.Ack, m.Peers()):
		h.since = time.Time{}
		m.event(Event{Kind: EventConfirmed})
	}
}

// AckHealth tells how far writes are confirmed.
func (m *Machine) AckHealth(now time.Time) AckHealth {
	m.advance(now)
	h := &m.acks.health
	h.turn(m.now)
	return AckHealth{
		Since: h.since, Asked: m.cfg.Ack, Live: m.Peers(), Listening: m.listening(),
		Recent: h.share(healthRecent), Minute: h.share(healthSlots), Unconfirmed: m.count.AckTimeouts,
	}
}

func (m *Machine) listening() (n int) {
	for _, p := range m.members.list {
		if p.synced() && !m.deaf(p) {
			n++
		}
	}
	return n
}

// deaf reports whether p was asked for ackDeafAfter and made no progress: a process that is stopped, a host that is cut off
// and not known to be dead yet, a node that hears us not or has no room. Writers do not wait for it until it answers
// in time: so it costs the writes of these moments, whatever is the matter with it.
func (m *Machine) deaf(p *peer) bool {
	r := &p.ack
	if p.lane.in {
		return true
	}
	if !r.deaf && !r.unmetSince.IsZero() && m.now.Sub(r.unmetSince) >= ackDeafAfter {
		r.deaf = true
	}
	return r.deaf
}

// asked notes that p is asked now to confirm our dots up to through.
func (m *Machine) asked(p *peer, through uint64) {
	r := &p.ack
	if r.askedAt.IsZero() {
		r.askedAt, r.askedTo = m.now, through
	}
	if r.unmetSince.IsZero() && p.confirms < through {
		r.unmetSince, r.unmetTo = m.now, through
	}
	m.askedByMulticast(p)
}

// progressed notes that p confirmed more than before, or answered: one that is listened to no more is again if it answered in time, or
// has caught up with everything.
func (m *Machine) progressed(p *peer) {
	r := &p.ack
	m.deaf(p) // first what it was until now
	r.unmetSince = time.Time{}
	prompt := !r.askedAt.IsZero() && p.confirms >= r.askedTo && m.now.Sub(r.askedAt) < ackMissAfter
	if prompt || p.confirms >= m.push.high {
		r.deaf = false
	}
}

// tryDeaf asks, once a second, whom no writer waits for whether it answers again.
func (m *Machine) tryDeaf() {
	for _, p := range m.members.list {
		if p.synced() && m.deaf(p) && !p.lane.in && (p.confirms < m.push.high || p.lane.mute()) {
			p.ack.askedAt = time.Time{}
			m.asked(p, m.push.high)
			m.push.solicit = append(m.push.solicit, p.origin.Node)
		}
	}
}
