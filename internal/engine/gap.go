package engine

import (
	"time"

	"github.com/sessioncast/sessioncast/internal/dots"
	"github.com/sessioncast/sessioncast/internal/wire"
)

// checkGap starts or ends the asking for dots of o.
func (m *Machine) checkGap(o *origin) {
	if o.ref == m.self || m.lookup(o.ref) != o {
		return
	}
	if o.missing() == 0 {
		m.endGap(o)
		return
	}
	if o.nackAt.IsZero() {
		o.nackAt = m.jitter(nackJitterMin, nackJitterMax)
		m.gapped = append(m.gapped, o)
	}
}

func (m *Machine) endGap(o *origin) {
	if o.nackAt.IsZero() {
		return
	}
	o.nackAt, o.tries, o.stuckAt = time.Time{}, 0, time.Time{}
	for i, g := range m.gapped {
		if g == o {
			m.gapped = append(m.gapped[:i], m.gapped[i+1:]...)
			return
		}
	}
}

func (m *Machine) gapDeadline() time.Time {
	var d deadline
	if m.join.blind() {
		return d.at
	}
	for _, o := range m.gapped {
		d.add(o.nackAt)
	}
	return d.at
}

// pollGaps asks for what is missing: the origin first, then whoever holds it. While this node joins and has no donor
// yet it asks for nothing, since all it lacks will come by the snapshot.
func (m *Machine) pollGaps() {
	if m.join.blind() || len(m.gapped) == 0 {
		return
	}
	var asks []ask
	for _, o := range append([]*origin(nil), m.gapped...) {
		if m.due(o.nackAt) {
			asks = m.askForGap(o, asks)
		}
	}
	for i := range asks {
		a := &asks[i]
		m.count.NacksOut++
		frame, _, _ := m.encoder.AppendNack(m.begin(wire.TypeNack, a.to.dest()), m.stamp(), &a.nack, m.room())
		m.finish(a.to.dest(), frame)
	}
}

// ask is a NACK in the making.
type ask struct {
	to   *peer
	nack wire.Nack
}

func (m *Machine) askForGap(o *origin, asks []ask) []ask {
	holder := m.holder(o)
	if holder == nil { // a hole that nobody alive can fill stays a hole, until one who can is heard
		m.endGap(o)
		return asks
	}
	if m.now.Before(m.full.until) {
		o.nackAt = m.full.until
		return asks
	}
	o.nackAt = m.nackRetry(o.tries)
	o.tries++
	ranges := m.missingRanges(o)
	if len(ranges) == 0 {
		return asks
	}
	if total(ranges) > ringDots {
		m.pullFrom(holder)
		return asks
	}
	if m.inVain(o, ranges[0].Lo) {
		m.pullBeside(holder)
	}
	for i := range asks {
		if asks[i].to == holder && len(asks[i].nack.Wants) < wire.MaxWants && fits(&asks[i].nack, len(ranges)) {
			asks[i].nack.Wants = append(asks[i].nack.Wants, wire.Want{Origin: o.ref, Ranges: ranges})
			return asks
		}
	}
	return append(asks, ask{holder, wire.Nack{Wants: []wire.Want{{Origin: o.ref, Ranges: ranges}}}})
}

// inVain reports, once in gapPatience, that repairs do not come: neither datagrams from one node to another nor those back
// are sure to pass although others do, as behind a firewall that lets the group through. A stream may pass.
func (m *Machine) inVain(o *origin, first uint64) bool {
	if o.stuck != first || o.stuckAt.IsZero() {
		o.stuck, o.stuckAt = first, m.now
		return false
	}
	if m.now.Sub(o.stuckAt) < gapPatience {
		return false
	}
	o.stuckAt = m.now
	return true
}

// pullBeside pulls from holder and goes on asking for repairs meanwhile: nobody knows which way is open, and the faster.
func (m *Machine) pullBeside(holder *peer) {
	was := m.join.lastID
	m.pullFrom(holder)
	if m.join.lastID == was {
		return
	}
	m.count.GapsPulled++
	for _, o := range m.known {
		if o != nil {
			o.fetchTo = 0
		}
	}
}

// fits keeps a NACK within one frame: an origin costs 28 bytes, a range at most 20.
func fits(n *wire.Nack, ranges int) bool {
	size := 28 + 20*ranges
	for i := range n.Wants {
		size += 28 + 20*len(n.Wants[i].Ranges)
	}
	return size < minPayload-wire.Overhead-32
}

// nackRanges is how many ranges of one origin are asked for at a time; MaxRanges would fill a frame.
const nackRanges = 48

// missingRanges is what to ask for of o: not what a transfer under way brings, nor what is arriving in fragments.
func (m *Machine) missingRanges(o *origin) []dots.Range {
	var ranges []dots.Range
	for _, r := range o.held.Missing(o.announced, nackRanges) {
		if r.Hi <= o.fetchTo {
			continue
		}
		r.Lo = max(r.Lo, o.fetchTo+1)
		ranges = m.frags.exclude(o.ref, r, ranges)
	}
	if len(ranges) > nackRanges {
		ranges = ranges[:nackRanges]
	}
	return ranges
}

func total(ranges []dots.Range) (n uint64) {
	for _, r := range ranges {
		n += r.Count()
	}
	return n
}

// nackRetry is when to ask again after so many tries: 2, 4 … 128 ms, each ± 20 %.
func (m *Machine) nackRetry(tries int) time.Time {
	d := min(nackRetryMin<<min(tries, 10), nackRetryMax)
	return m.jitter(d-d/5, d+d/5)
}

// holder is whom to ask for o's missing dots.
func (m *Machine) holder(o *origin) *peer {
	p := m.members.byRef[o.ref]
	if p != nil && p.live() && (o.tries < nackOriginMax || p.state != wire.Suspect && o.tries%4 == 0) {
		return p
	}
	if h := m.otherHolder(o); h != nil {
		return h
	}
	if p != nil && p.live() {
		return p
	}
	return nil
}

// otherHolder draws among the live peers that said they hold something of o that we lack.
func (m *Machine) otherHolder(o *origin) *peer {
	var chosen *peer
	n := 0
	for _, p := range m.members.list {
		if p.ref == o.ref || !p.live() || p.state == wire.Suspect {
			continue
		}
		if set := p.holds[o.ref]; set != nil && !o.held.Covers(set) {
			n++
			if m.dice.IntN(n) == 0 {
				chosen = p
			}
		}
	}
	return chosen
}
