package engine

import (
	"slices"
	"time"

	"github.com/sessioncast/sessioncast/internal/wire"
)

// pacer is a token bucket over the bytes that leave, whose rate follows the loss that receivers report: cut when the
// second-worst loses too much (the worst may be broken by itself), raised slowly otherwise.
type pacer struct {
	rate   float64 // bytes per second
	tokens float64
	at     time.Time

	beatAt   time.Time // when to tell how much left; zero: nothing did lately
	beatSent uint64    // multicast datagrams until it was told last
	asked    time.Time
	adaptAt  time.Time // when to follow the answers
	losses   []float64 // answered, used again
	slowAt   time.Time // when to follow full heartbeats, for want of answers

	spent float64 // bytes since the group was told last
	sent  float64 // bytes of the interval that the next answers tell of
	full  bool    // that interval had enough datagrams for answers about it alone
	trial trial   // of cutting
	road  float64 // loss that cuts do not lower: the road's own
}

func (p *pacer) refill(now time.Time) {
	if p.at.IsZero() {
		p.at, p.tokens = now, paceBurst
		return
	}
	if d := now.Sub(p.at); d > 0 {
		p.tokens = min(p.tokens+p.rate*d.Seconds(), paceBurst)
		p.at = now
	}
}

func (p *pacer) spend(n int) { p.tokens, p.spent = p.tokens-float64(n), p.spent+float64(n) }

func (p *pacer) ready(now time.Time) bool {
	p.refill(now)
	return p.tokens > 0
}

// readyAt is when the next byte may leave.
func (p *pacer) readyAt(now time.Time) time.Time {
	if p.ready(now) {
		return now
	}
	return now.Add(time.Duration(-p.tokens/p.rate*float64(time.Second)) + time.Microsecond)
}

// trial remembers what was lost before a row of cuts.
type trial struct {
	cuts       int
	loss, sent float64 // before the first
}

// adapt follows a loss: cut at once, grow slowly. Congestion ends with the cuts; a loss that stays what it was, though so much
// less leaves, or at the slowest rate there is, is the road's own, and only more than that is congestion.
func (p *pacer) adapt(loss float64, ceiling float64) {
	if loss < p.road/2 {
		p.road = 0
	}
	if loss <= p.bearable() {
		p.trial = trial{}
		p.rate = min(p.rate*(1+paceGain), ceiling)
		return
	}
	floor := ceiling * paceFloor
	if p.rate > floor {
		p.try(loss)
		p.rate = max(p.rate*paceCut, floor)
		return
	}
	if loss <= paceSteady {
		p.road = loss
	}
}

// bearable is the loss up to which the rate grows.
func (p *pacer) bearable() float64 {
	if p.road == 0 {
		return paceLoss
	}
	return paceLoss + 1.5*p.road
}

// try compares what is lost after a row of cuts with what was before. It says nothing where the changes do not fill the rate, or
// where the measure reaches back to before the cuts.
func (p *pacer) try(loss float64) {
	t := &p.trial
	if !p.full {
		*t = trial{}
		return
	}
	if t.cuts == 0 {
		t.loss, t.sent = loss, p.sent
	}
	if t.cuts++; t.cuts > paceTrial && p.sent < t.sent/2 && loss >= 0.7*t.loss && loss <= paceSteady {
		p.road, *t = loss, trial{}
	}
}

// While much leaves, the group is told every paceInterval how much that was, and each receiver answers what share of it is
// missing; a moment later the rate follows the answers. So every step has seen what the last one did.

// flows notes that changes leave now.
func (p *pacer) flows(now time.Time) {
	if p.beatAt.IsZero() {
		p.beatAt = now.Add(paceInterval)
	}
}

func (p *pacer) deadline() time.Time {
	var d deadline
	d.add(p.beatAt)
	d.add(p.adaptAt)
	d.add(p.slowAt)
	return d.at
}

func (m *Machine) pollPace() {
	p := &m.pace
	if m.due(p.adaptAt) {
		p.adaptAt, p.slowAt = time.Time{}, m.now.Add(steady)
		m.adaptPace()
	}
	m.recoverPace()
	if !m.due(p.beatAt) {
		return
	}
	p.beatAt = time.Time{}
	if m.beat.sent-p.beatSent >= paceFrames { // else the heartbeats after data say enough
		p.beatAt, p.adaptAt, p.asked = m.now.Add(paceInterval), m.now.Add(paceAnswer), m.now
		p.sent, p.full = p.spent, m.beat.sent-p.beatSent >= lossSample
		m.tailBeat()
	}
	p.beatSent, p.spent = m.beat.sent, 0
}

// recoverPace lets a rate that was cut grow by what full heartbeats say, while too little leaves to ask for more.
func (m *Machine) recoverPace() {
	p := &m.pace
	if p.slowAt.IsZero() || m.now.Before(p.slowAt) {
		return
	}
	p.slowAt = time.Time{}
	if p.rate < float64(m.cfg.MaxRate) {
		p.slowAt, p.asked = m.now.Add(steady), m.now.Add(-steady-2*steadyJitter)
		for range int(steady / paceInterval) {
			m.adaptPace()
		}
	}
}

// reportLoss answers a heartbeat that followed many datagrams with what is missing of them, to its sender alone.
func (m *Machine) reportLoss(p *peer, expected uint64) {
	if expected < paceFrames || m.now.Sub(p.reported) < reportAgain || m.join.state == wire.Joining {
		return
	}
	p.reported = m.now
	h := m.composeBeat()
	h.Vectors, h.Heard, h.Epoch = h.Vectors[:0], append(h.Heard[:0], m.heardOf(p)), 0
	m.count.LossReports++
	body, _, _ := m.encoder.AppendHeartbeat(nil, m.stamp(), h, m.room())
	m.queue(wire.TypeHeartbeat, p.dest(), body)
}

// unanswered reports whether p's loss is not known for the time since the last step. Who lost nothing within the last
// second need not have been asked again.
func (m *Machine) unanswered(p *peer) bool {
	limit := m.pace.asked.Add(-reportAgain)
	if p.lossOfOurs <= paceLoss {
		limit = m.pace.asked.Add(-steady - steadyJitter)
	}
	return p.lossAt.Before(limit)
}

// adaptPace follows the second-worst of the losses that were answered: the worst may be broken by itself. Who did not answer
// may have lost even the question, and counts as the worst that did. Without any answer nothing is known.
func (m *Machine) adaptPace() {
	m.pace.losses = m.pace.losses[:0]
	silent, worst := 0, 0.0
	for _, p := range m.members.list {
		switch {
		case !p.synced() || p.aside.is:
		case m.unanswered(p):
			silent++
		default:
			m.pace.losses = append(m.pace.losses, p.lossOfOurs)
			worst = max(worst, p.lossOfOurs)
		}
	}
	if len(m.pace.losses) == 0 {
		return
	}
	for range silent {
		m.pace.losses = append(m.pace.losses, worst)
	}
	slices.Sort(m.pace.losses)
	m.pace.adapt(m.pace.losses[max(len(m.pace.losses)-2, 0)], float64(m.cfg.MaxRate))
}
