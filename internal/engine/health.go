package engine

import "time"

// health is how far this node can trust its own judgement of others (after Lifeguard, Dadgar et al. 2018). Who runs
// late finds everybody silent. So a node that does gives its peers more time, and one that stood still altogether starts to
// listen anew. Nobody believes another's suspicions here, so that there is no more to judge by than the own lateness.
type health struct {
	promised time.Time // when Poll is due; zero: not known
	score    int       // how many times the usual time is added to timeouts
	calm     time.Time // when the score falls by one
	worst    time.Duration
	worstAt  time.Time
	backlog  time.Time // until when what comes may have waited while this node stood still
}

// promise notes when Poll is due. What was due before now has its lateness counted until now; counted once more, a standstill would have what peers
// said before it count as said after it.
func (h *health) promise(at, now time.Time) {
	if !at.IsZero() && at.Before(now) {
		at = now
	}
	h.promised = at
}

// late notes that something was done at now that was due before. It returns for how long this node stood still, if it did.
func (h *health) late(now time.Time) (still time.Duration) {
	if h.promised.IsZero() || !now.After(h.promised) {
		return 0
	}
	by := now.Sub(h.promised)
	h.promised = now // counted until here; it may have been a reader's look, and Poll is due still
	if by <= lateAfter {
		return 0
	}
	if by >= h.worst || now.Sub(h.worstAt) > lateShown {
		h.worst, h.worstAt = by, now
	}
	h.worsen(now)
	if by > stillAfter {
		return by
	}
	return 0
}

func (h *health) worsen(now time.Time) {
	h.score = min(h.score+1, healthMax)
	h.calm = now.Add(healthCalm)
}

// relax takes back one step for each while without a fault; it reports whether there was one.
func (h *health) relax(now time.Time) bool {
	if h.score == 0 || now.Before(h.calm) {
		return false
	}
	h.score--
	h.calm = now.Add(healthCalm)
	return true
}

func (h *health) stretch(d time.Duration) time.Duration { return d * time.Duration(1+h.score) }

// lateness is by how much this node was late at most within the last while.
func (h *health) lateness(now time.Time) time.Duration {
	if now.Sub(h.worstAt) > lateShown {
		return 0
	}
	return h.worst
}

// watchHealth is called whenever the machine's time moves on to now.
func (m *Machine) watchHealth(now time.Time) {
	if still := m.health.late(now); still > 0 {
		m.listenAnew(now, still)
	} else if m.health.relax(now) {
		m.members.next = now // timeouts are shorter again
	}
}

// listenAnew takes nobody's silence for more than it is after this node stood still: what they sent meanwhile was not
// read, or is still to be.
func (m *Machine) listenAnew(now time.Time, still time.Duration) {
	m.count.StoodStill++
	m.health.backlog = now.Add(backlogFor)
	for _, p := range m.members.list {
		p.offset.skip(still)
		if !p.live() {
			continue
		}
		p.heard = now
		p.forgetQuestions()
		if m.hearsMulticast(p) {
			p.heardMulticast, p.road.deafAt = now, now.Add(deafAfter)
		}
		if p.doubt.active() {
			p.doubt.probes, p.doubt.at = 0, now
		}
		p.suspectedAt, p.probeAt, p.probes = now, now, 0
	}
	m.members.next = now
	for _, s := range m.admit.sighted {
		s.since, s.heard = s.since.Add(still), s.heard.Add(still)
	}
	m.event(Event{Kind: EventStoodStill, Member: Member{Origin: m.cfg.Self, Name: m.cfg.Name, Self: true, Late: still}})
}

// hearsMulticast reports whether p's multicast arrived here within the last seconds.
func (m *Machine) hearsMulticast(p *peer) bool {
	return !p.heardMulticast.IsZero() && m.now.Sub(p.heardMulticast) < silentAfter
}
