package engine

import (
	"slices"
	"time"

	"github.com/sessioncast/sessioncast/internal/dots"
	"github.com/sessioncast/sessioncast/internal/record"
	"github.com/sessioncast/sessioncast/internal/wire"
)

// repairs answers who asks: the first at once, since most often it alone lacks something, and those who ask within
// repairDelay after that together, so that what several lack is sent once.
type repairs struct {
	at     time.Time // zero: nothing is asked for
	next   time.Time // no answer before
	wants  []wanted
	item   wire.Item
	values []byte // of the item
	build  *wire.BatchBuilder
}

// wanted is one dot and who asked for it.
type wanted struct {
	dot record.Dot
	by  []*peer
}

// takeNack collects the dots that this node holds and another lacks. What we do not hold ourselves is not answered:
// the asker tries the next holder.
func (m *Machine) takeNack(p *peer, body []byte) error {
	n := &m.parsed.nack
	t, err := m.decoder.Nack(body, p.ref, n)
	if err != nil {
		return err
	}
	m.observe(p, t)
	m.count.NacksIn++
	if m.turnAway(p, n) {
		return nil
	}
	for i := range n.Wants {
		if o := m.lookup(n.Wants[i].Origin); o != nil {
			m.collect(p, o, n.Wants[i].Ranges)
		}
	}
	for i := range n.Frags {
		m.resendFragments(p, &n.Frags[i])
	}
	if m.repair.at.IsZero() && len(m.repair.wants) > 0 {
		m.repair.at = m.now
		if m.repair.next.After(m.now) {
			m.repair.at = m.repair.next
		}
	}
	return nil
}

func (m *Machine) collect(p *peer, o *origin, ranges []dots.Range) {
	if o.ref == m.self {
		ranges = clip(ranges, m.sent()) // the rest is about to leave
	}
	for _, want := range ranges {
		for _, held := range o.held.Ranges() {
			lo, hi := max(want.Lo, held.Lo), min(want.Hi, held.Hi)
			for seq := lo; seq <= hi; seq++ {
				if !m.repair.add(record.Dot{Origin: o.ref, Seq: seq}, p) {
					m.count.RepairDenied++
					return
				}
			}
		}
	}
}

// add keeps wants in the order of their dots.
func (r *repairs) add(d record.Dot, p *peer) bool {
	at, found := slices.BinarySearchFunc(r.wants, d, func(w wanted, d record.Dot) int { return compareDots(w.dot, d) })
	if found {
		if !slices.Contains(r.wants[at].by, p) {
			r.wants[at].by = append(r.wants[at].by, p)
		}
		return true
	}
	if len(r.wants) >= maxRepairWants {
		return false
	}
	r.wants = slices.Insert(r.wants, at, wanted{d, []*peer{p}})
	return true
}

func compareDots(a, b record.Dot) int {
	if a.Origin != b.Origin {
		return int(a.Origin) - int(b.Origin)
	}
	switch {
	case a.Seq < b.Seq:
		return -1
	case a.Seq > b.Seq:
		return 1
	}
	return 0
}

// pollRepairs sends what was asked for: to the group what enough nodes lack, to each the rest.
func (m *Machine) pollRepairs() {
	if !m.due(m.repair.at) {
		return
	}
	wants := m.repair.wants
	m.repair.at, m.repair.next = time.Time{}, m.now.Add(repairDelay)
	var many []record.Dot
	for _, w := range wants {
		if m.enough(w.by) {
			many = append(many, w.dot)
		}
	}
	m.sendRepair(many, group)
	for _, p := range m.members.list {
		alone := m.unreached(p)
		var own []record.Dot
		for _, w := range wants {
			if slices.Contains(w.by, p) && (alone || !m.enough(w.by)) {
				own = append(own, w.dot)
			}
		}
		m.sendRepair(own, p.dest())
	}
	clear(wants)
	m.repair.wants = wants[:0]
}

// enough reports whether so many of those who ask hear the group that it is answered in their place.
func (m *Machine) enough(by []*peer) bool {
	hear := 0
	for _, p := range by {
		if !m.unreached(p) {
			hear++
		}
	}
	return hear >= repairGroup
}

// sendRepair sends the present state of the keys that the dots changed, each key once, up to repairMaxBytes. Who alone lacks much
// more than that is told to pull.
func (m *Machine) sendRepair(list []record.Dot, to destination) {
	if len(list) == 0 {
		return
	}
	r := &m.repair
	begun, sent := false, 0
	groups := m.byKey(list)
	for i := range groups {
		m.loadRepair(&groups[i])
		if begun && r.build.Add(&r.item) {
			continue
		}
		if begun {
			frame := r.build.Finish()
			sent += len(frame) - len(m.out.buffer)
			m.finish(to, frame)
			begun = false
		}
		if sent > repairMaxBytes || !m.pace.ready(m.now) || m.frags.wholes() >= maxOutgoing {
			m.count.RepairDenied++
			if to != group && m.worthPull(sent, i, len(groups)-i) {
				m.tellToPull(&groups[i], to)
			}
			return
		}
		r.build.Reset(m.begin(wire.TypeRepair, to), m.stamp(), nil, m.room())
		begun = r.build.Add(&r.item)
		if !begun {
			m.forgoFrame(to)
			sent += m.fragmentOut(&r.item, to, true, nil)
		}
		m.count.RepairsOut++
	}
	if begun {
		m.finish(to, r.build.Finish())
	}
}

// worthPull reports whether a transfer costs less than to repair the rest of what was asked for, of which some keys took sent
// bytes: the transfer begins with a comparison of the whole tables.
func (m *Machine) worthPull(sent, keys, rest int) bool {
	if sent <= repairMaxBytes {
		return false // what stopped the repair is no matter of size
	}
	comparison := 8 << m.table.PartBits() // bytes
	return sent/keys*rest > repairPullBytes+2*comparison
}

func (m *Machine) tellToPull(g *keyDots, to destination) {
	r := &m.repair
	r.item.Origin, r.item.Dots, r.item.Kind = g.origin, g.seqs, wire.KindPull
	r.build.Reset(m.begin(wire.TypeRepair, to), m.stamp(), nil, m.room())
	r.build.Add(&r.item)
	m.finish(to, r.build.Finish())
}

// forgoFrame takes back a frame begun and not finished.
func (m *Machine) forgoFrame(to destination) {
	if to == group {
		m.abandon()
	}
}

// keyDots are the dots of one origin that changed one key; known is false where the log has forgotten which.
type keyDots struct {
	origin record.Ref
	key    record.Key
	known  bool
	seqs   []uint64
}

// byKey groups dots by what they changed, in the order of each key's first dot.
func (m *Machine) byKey(list []record.Dot) []keyDots {
	type id struct {
		origin record.Ref
		key    record.Key
		known  bool
	}
	at := make(map[id]int)
	var groups []keyDots
	for _, d := range list {
		k, _, ok := m.table.LogKey(d.Origin, d.Seq)
		ok = ok && d.Seq > m.old(m.origin(d.Origin)) // who lacks an old one has to judge all by its absence
		g, found := at[id{d.Origin, k, ok}]
		if found && !ok {
			continue // one "pull" for an origin says it all
		}
		if !found || len(groups[g].seqs) >= repairItemDots {
			g = len(groups)
			at[id{d.Origin, k, ok}] = g
			groups = append(groups, keyDots{origin: d.Origin, key: k, known: ok})
		}
		groups[g].seqs = append(groups[g].seqs, d.Seq)
	}
	return groups
}

// repairItemDots is how many dots one repaired item covers at most: they must fit into a frame beside it.
const repairItemDots = 64

func (m *Machine) loadRepair(g *keyDots) {
	it := &m.repair.item
	it.Origin, it.Key, it.Dots = g.origin, g.key, g.seqs
	if !g.known {
		it.Kind = wire.KindPull
		return
	}
	var is bool
	if m.repair.values, is = m.table.LoadCopy(g.key, &it.State, m.repair.values[:0]); is {
		it.Kind = wire.KindState
	} else {
		m.loadNothing(it)
	}
}
