package engine

import (
	"net/netip"
	"slices"
	"time"

	"github.com/sessioncast/sessioncast/internal/dots"
	"github.com/sessioncast/sessioncast/internal/record"
	"github.com/sessioncast/sessioncast/internal/wire"
)

// A machine that is cloned while it runs, memory included, is two nodes with one incarnation: they give the same packet numbers and
// the same dots to different things. Either notices it by the first proof that somebody else has its origin, sends nothing
// more under it, and goes on as a new one (PROTOCOL.md, "Clones").

// clone is what a Machine knows of another run under its own origin.
type clone struct {
	found  bool
	from   netip.AddrPort // where it sends from; zero: not known
	latest []byte         // frame for everybody under our origin

	proof  []byte // the latest of the incarnation before: where the clone sealed another one of that number, it learns by it
	showAt time.Time
	shown  int
}

const (
	proofShows    = 3
	proofInterval = 200 * time.Millisecond
)

// NewIncarnation gives a Machine that is Cloned another origin, of the same node, and dice of its own: both must be drawn from what
// the clone does not share.
type NewIncarnation struct {
	Self record.Origin
	Seed [32]byte
}

func (NewIncarnation) input() {}

// Cloned reports whether another run has this one's origin. Then the Machine does nothing but wait for a NewIncarnation.
func (m *Machine) Cloned() bool { return m.clone.found }

// takeOwn looks at a frame under our own origin: one that came back to us, or was recorded and is sent again, or a clone's. What a
// forger can make us do is check a tag, as with any other frame.
func (m *Machine) takeOwn(h *wire.Header, in Datagram) {
	if m.addr.IsValid() && in.From != m.addr {
		m.count.DropOwn++
	}
	if !m.sealer.MayHaveSealed(h, in.Data) && m.opener.OpenOwn(in.Data) {
		m.findClone(in.From)
	}
}

// findClone is called with proof; from is where the clone sends from, if that is known.
func (m *Machine) findClone(from netip.AddrPort) {
	if m.clone.found {
		return
	}
	m.clone.found, m.clone.from = true, from
	m.count.ClonesFound++
	m.event(Event{Kind: EventCloned, Addr: from, Member: Member{Origin: m.cfg.Self, Name: m.cfg.Name, Self: true, State: m.State()}})
}

// takeIncarnation begins anew under another origin, with all that this node holds: it joins, and everybody gets what it changed under
// the old origin as changes of the new one, since what others hold of the old one may be the clone's.
func (m *Machine) takeIncarnation(in NewIncarnation) {
	cfg := m.cfg
	cfg.Self, cfg.Seed = in.Self, in.Seed
	fresh, err := New(cfg)
	if err != nil || in.Self.Node != m.cfg.Self.Node || in.Self == m.cfg.Self {
		return
	}
	m.takeWrote()
	m.table.TakeIncarnation(in.Self)
	fresh.now, fresh.addr, fresh.count, fresh.events = m.now, m.addr, m.count, m.events
	fresh.health, fresh.full, fresh.calls = m.health, m.full, m.calls
	fresh.giving, fresh.owed = m.giving, m.owed
	fresh.admit.otherKeys, fresh.admit.foreign = m.admit.otherKeys, m.admit.foreign
	fresh.join.lastID = m.join.lastID
	fresh.watches = watches{at: m.now, round: m.watches.round, list: m.watches.list}
	fresh.acks.waiters, fresh.acks.health, fresh.acks.recheck = m.acks.waiters, m.acks.health, true
	fresh.inherit(m)
	fresh.takeWrote()
	fresh.callAgain()
	fresh.clone = clone{from: m.clone.from, proof: m.clone.latest, showAt: m.now}
	leaving := m.leave.started
	*m = *fresh
	if leaving {
		m.startLeave()
	}
}

// pollProof shows the clone what this node sent last under the origin that was of both: the same bytes, so no number is used
// again, and whoever sent them receives them as a frame come back. A clone that has not noticed yet does so by it.
func (m *Machine) pollProof() {
	c := &m.clone
	if !m.due(c.showAt) {
		return
	}
	c.showAt = m.now.Add(proofInterval)
	if c.shown++; c.shown == proofShows || len(c.proof) == 0 {
		c.showAt = time.Time{}
	}
	if len(c.proof) == 0 {
		return
	}
	m.emit(multicastOnly, c.proof)
	if c.from.IsValid() {
		m.emitTo(Frame{Data: c.proof, To: c.from})
	}
}

// inherit takes over what old held of the others, and where they were. Of the origin that was its own it keeps the dots made so
// long ago that there was no clone then, as far as it and the clone were ever to agree on what is forgotten.
func (m *Machine) inherit(old *Machine) {
	m.last = old.last
	for _, o := range old.known {
		if o == nil {
			continue
		}
		mine := m.origin(o.ref)
		mine.held, mine.announced, mine.marks = o.held.Clone(), o.announced, slices.Clone(o.marks)
		if o.ref == old.self {
			var long dots.Set
			if end := min(old.old(o), o.held.Max()); end > 0 {
				long.AddRange(1, end)
			}
			mine.held.Intersect(&long)
			mine.announced = mine.held.Max()
		}
	}
	for _, p := range old.members.list {
		if p.live() {
			m.callLater(p.addr, m.now.Add(keepDead))
		}
	}
}
