package engine

import (
	"github.com/sessioncast/sessioncast/internal/dots"
	"github.com/sessioncast/sessioncast/internal/hlc"
	"github.com/sessioncast/sessioncast/internal/record"
	"github.com/sessioncast/sessioncast/internal/wire"
)

// Long separations: docs/ARCHITECTURE.md, rules 16 to 19 of internal/model. Nothing here costs anything where nobody lacks a dot as
// old as a tombstone is kept.

// elder answers the table's question whether a birth is over, of one sender's frame. It is a table.Past.
type elder struct {
	m *Machine
	p *peer
	t hlc.Stamp // the frame's
}

// Over reports whether b ended here and the sender may not have heard of it: its creating dot is held, and the sender lacks
// something old that is held. What a transfer under way claims counts as held.
func (e *elder) Over(b *record.Birth) bool {
	m := e.m
	if o := m.lookup(b.ID.By); (o == nil || !o.held.Contains(b.Seq)) && !m.claims(b) {
		return false
	}
	return m.isStrange(e.p) || e.t <= e.p.metAt || m.lacksClaim(e.p)
}

// Gone is of transfers only: what a frame lacks says nothing.
func (e *elder) Gone(*record.Birth) bool { return false }

// Late goes by the sender's clock as it was heard, so that a clock that is far off, this node's or the sender's, makes nothing late.
func (e *elder) Late() bool {
	ahead, _ := e.p.offset.read(e.m.now)
	return e.m.wall()+ahead.Milliseconds()-e.t.Millis() >= e.m.table.Keep().Milliseconds()
}

// claims reports whether a transfer under way will cover b's creating dot.
func (m *Machine) claims(b *record.Birth) bool {
	f := m.join.fetch
	if f == nil {
		return false
	}
	for i := range f.claim {
		if f.claim[i].Origin == b.ID.By {
			return f.claim[i].Set.Contains(b.Seq)
		}
	}
	return false
}

// lacksClaim reports whether p has not said that it holds every old dot that a transfer under way claims.
func (m *Machine) lacksClaim(p *peer) bool {
	f := m.join.fetch
	if f == nil {
		return false
	}
	for i := range f.claim {
		v := &f.claim[i]
		if o := m.origin(v.Origin); !m.saidToHold(p, o, &v.Set, m.old(o), false) {
			return true
		}
	}
	return false
}

// meet takes note when p, by its full heartbeat, lacks no old dot that is held here any more. What it sent before may arrive later.
func (m *Machine) meet(p *peer, t hlc.Stamp) {
	if p.strange && !m.lacksOld(p) {
		p.strange, p.metAt = false, t
	}
}

// isStrange reports whether p has not said that it holds every old dot that is held here, and remembers it until it says so.
func (m *Machine) isStrange(p *peer) bool {
	p.strange = p.strange || m.lacksOld(p)
	return p.strange
}

func (m *Machine) lacksOld(p *peer) bool {
	_, dead := m.vectorHash()
	deadAlike := p.beats > 0 && p.deadHash == dead
	for _, o := range m.known {
		if o == nil || o.held.Empty() {
			continue
		}
		if upTo := m.old(o); upTo > 0 && !m.saidToHold(p, o, &o.held, upTo, deadAlike) {
			return true
		}
	}
	return false
}

// saidToHold reports whether p has said that it holds the part of a set of o's dots up to a limit. deadAlike: its sets of dead
// origins are ours, which it does not name then.
func (m *Machine) saidToHold(p *peer, o *origin, set *dots.Set, upTo uint64, deadAlike bool) bool {
	var said *dots.Set
	switch {
	case o.ref == p.ref:
		return true
	case o.ref == m.self:
		said = &p.mine
	default:
		said = p.holds[o.ref]
	}
	if said != nil && said.CoversUpTo(set, upTo) {
		return true
	}
	return deadAlike && o.ref != m.self && !m.isLive(o.ref)
}

// oldest reports whether any of seqs may be old.
func (m *Machine) anyOld(o *origin, seqs []uint64) bool {
	upTo := m.old(o)
	for _, s := range seqs {
		if s <= upTo {
			return true
		}
	}
	return false
}

// makesUp reports whether an offer holds old dots that are not held here: then absence is to be judged.
func (m *Machine) makesUp(offer []wire.Vector) bool {
	for i := range offer {
		o := m.origin(offer[i].Origin)
		if upTo := m.old(o); upTo > 0 && o.ref != m.self && !o.held.CoversUpTo(&offer[i].Set, upTo) {
			return true
		}
	}
	return false
}

// oldIn is up to where the dots of an offer are old: what a transfer that begins with it and is judged may cover of old ones.
func (m *Machine) oldIn(offer []wire.Vector) map[record.Ref]uint64 {
	since := make(map[record.Ref]uint64)
	for i := range offer {
		since[offer[i].Origin] = m.old(m.origin(offer[i].Origin))
	}
	return since
}

// withoutOld takes the old dots that are not held out of a claim: only a transfer that judged absence covers them, and only those
// that were old as it began, since. What became old while it ran may have been forgotten before it was read.
func (m *Machine) withoutOld(claim []wire.Vector, since map[record.Ref]uint64) {
	for i := range claim {
		o, judged := m.origin(claim[i].Origin), since[claim[i].Origin]
		upTo := m.old(o)
		if upTo <= judged || o.held.CoversUpTo(&claim[i].Set, upTo) {
			continue
		}
		var covered dots.Set
		if judged > 0 {
			covered.AddRange(1, judged)
		}
		if highest := claim[i].Set.Max(); highest > upTo {
			covered.AddRange(upTo+1, highest)
		}
		claim[i].Set.Intersect(&covered)
	}
}

// Absence is what a transfer is to be judged by: what was held here, and what the donor offered, as it began. It does not change,
// and may be used without the Machine. It is a table.Past.
type Absence struct {
	Judged bool // what the donor offered and lacks is to be dropped
	stray  bool // the donor lacks something old that is held here
	held   map[record.Ref]*dots.Set
	offer  map[record.Ref]*dots.Set
}

// Absence is of the transfer with this id; false if it is not under way any more.
func (m *Machine) Absence(id uint64) (*Absence, bool) {
	f := m.join.fetch
	if f == nil || f.id != id || !f.started {
		return nil, false
	}
	return f.absence, true
}

func (m *Machine) newAbsence(offer []wire.Vector, judged bool) *Absence {
	a := &Absence{Judged: judged, held: make(map[record.Ref]*dots.Set), offer: make(map[record.Ref]*dots.Set)}
	for i := range offer {
		set := offer[i].Set.Clone()
		a.offer[offer[i].Origin] = &set
	}
	for _, o := range m.known {
		if o == nil || o.held.Empty() {
			continue
		}
		set := o.held.Clone()
		a.held[o.ref] = &set
		if upTo := m.old(o); upTo > 0 {
			theirs := a.offer[o.ref]
			a.stray = a.stray || theirs == nil || !theirs.CoversUpTo(&set, upTo)
		}
	}
	return a
}

// Over reports whether b, which the donor sent, ended here before the donor could hear of it.
func (a *Absence) Over(b *record.Birth) bool {
	set := a.held[b.ID.By]
	return a.stray && set != nil && set.Contains(b.Seq)
}

// Late is of frames only: a transfer tells all that the donor holds.
func (a *Absence) Late() bool { return false }

// Gone reports whether b, which the donor lacks, ended there.
func (a *Absence) Gone(b *record.Birth) bool {
	set := a.offer[b.ID.By]
	return a.Judged && set != nil && set.Contains(b.Seq)
}
