package engine

import (
	"slices"
	"time"

	"github.com/sessioncast/sessioncast/internal/record"
	"github.com/sessioncast/sessioncast/internal/wire"
)

// A receiver that is far worse than the others is set aside: it does not slow this node down, and what it lacks is
// not sent to it again one by one. It is told to pull instead, ever less often, and converges by that.

// asides says when receivers are to be looked at, and whether any is to be advised.
type asides struct {
	at     time.Time
	advise bool
}

// aside is a peer's standing as a receiver of our changes.
type aside struct {
	is      bool
	strikes int    // looks in a row that found it far worse, or, when it is aside, well again
	budget  uint64 // dots that are repaired still, renewed at each look
	pullAt  time.Time
	wait    time.Duration
	advice  []record.Dot // for which it is to be told to pull
}

// pollAside looks at every receiver once in a while. With fewer than three nobody is far from the median.
func (m *Machine) pollAside() {
	if m.asides.advise {
		m.asides.advise = false
		for _, p := range m.members.list {
			m.advise(p)
		}
	}
	if m.now.Before(m.asides.at) {
		return
	}
	m.asides.at = m.now.Add(asideLook)
	var losses []float64
	var lags []uint64
	for _, p := range m.members.list {
		if p.synced() {
			losses, lags = append(losses, p.lossOfOurs), append(lags, m.lag(p))
		}
	}
	if len(losses) < asideLeast {
		losses, lags = []float64{1}, []uint64{m.push.high} // nobody is far from that
	}
	slices.Sort(losses)
	slices.Sort(lags)
	loss, lag := losses[(len(losses)-1)/2], lags[(len(lags)-1)/2]
	for _, p := range m.members.list {
		p.aside.budget = asideBudget
		if p.synced() {
			m.judgeReceiver(p, p.lossOfOurs > asideFactor*loss+asideLoss || m.lag(p) > asideFactor*lag+asideLag)
		}
	}
}

// lag is how many of our dots that left the peer has not confirmed.
func (m *Machine) lag(p *peer) uint64 { return m.sent() - min(p.confirms, m.sent()) }

// judgeReceiver sets p aside, or takes it back, after enough looks in a row.
func (m *Machine) judgeReceiver(p *peer, bad bool) {
	a := &p.aside
	if bad == a.is {
		a.strikes = 0
		return
	}
	if a.strikes++; a.strikes < asideLooks {
		return
	}
	*a = aside{is: bad}
	kind := EventTakenBack
	if bad {
		m.count.SetAside++
		kind = EventSetAside
	}
	m.event(Event{Kind: kind, Member: m.describe(p), State: p.state, Addr: p.addr})
}

// turnAway answers what exceeds the budget of one who is set aside: not by repairs, but, once in a while, by the advice to
// pull. It reports whether it did.
func (m *Machine) turnAway(p *peer, n *wire.Nack) bool {
	a := &p.aside
	if !a.is {
		return false
	}
	asked := uint64(0)
	for i := range n.Wants {
		asked += total(n.Wants[i].Ranges)
	}
	for i := range n.Frags {
		asked += total(n.Frags[i].Ranges)
	}
	if asked <= a.budget {
		a.budget -= asked
		return false
	}
	if m.now.Before(a.pullAt) {
		m.count.TurnedAway++
		return true
	}
	a.wait = min(max(2*a.wait, asidePullMin), asidePullMax)
	a.pullAt = m.now.Add(a.wait)
	for i := range n.Wants {
		if m.lookup(n.Wants[i].Origin) != nil && len(n.Wants[i].Ranges) > 0 {
			a.advice = append(a.advice, record.Dot{Origin: n.Wants[i].Origin, Seq: n.Wants[i].Ranges[0].Lo})
		}
	}
	for i := range n.Frags {
		a.advice = append(a.advice, record.Dot{Origin: n.Frags[i].Origin, Seq: n.Frags[i].Seq})
	}
	m.asides.advise = true
	return true
}

// advise tells p to pull.
func (m *Machine) advise(p *peer) {
	if len(p.aside.advice) == 0 {
		return
	}
	r := &m.repair
	r.build.Reset(m.begin(wire.TypeRepair, p.dest()), m.stamp(), nil, m.room())
	for _, d := range p.aside.advice {
		r.item.Kind, r.item.Origin, r.item.Dots = wire.KindPull, d.Origin, []uint64{d.Seq}
		if !r.build.Add(&r.item) {
			break
		}
	}
	m.finish(p.dest(), r.build.Finish())
	p.aside.advice = p.aside.advice[:0]
}
