package engine

import (
	"math/bits"
	"time"

	"github.com/sessioncast/sessioncast/internal/dots"
	"github.com/sessioncast/sessioncast/internal/record"
	"github.com/sessioncast/sessioncast/internal/wire"
)

// owed is what donors offered to this node since it began to join. Who is synced without all of it says so: the donor went away
// before it had given the rest, and nobody else may have that.
type owed struct {
	offered  map[record.Ref]*dots.Set
	donor    Member // the last that went away
	sessions uint64 // about how many of its sessions were still to come, at most

	asDonor bool       // nothing more than its donor lacks, which said so:
	of      record.Ref // who gave this node its sessions,
	givenAt time.Time  // then

	lookAt time.Time // when what others could give has come; zero: nothing is owed, or this node still joins
	since  time.Time // when it was told that something is missing; zero: it was not
}

// Incomplete tells what donors offered to this node as it joined, and took away with them.
type Incomplete struct {
	Since    time.Time // zero: nothing
	Changes  uint64    // dots; 0: those that Donor lacks itself, who knows how many
	Sessions uint64    // about so many, at most
	Donor    Member
}

// Incomplete tells what donors offered to this node as it joined, and took away with them.
func (m *Machine) Incomplete(now time.Time) Incomplete {
	m.advance(now)
	w := &m.owed
	if w.since.IsZero() {
		return Incomplete{}
	}
	return Incomplete{Since: w.since, Changes: m.missingOfOwed(), Sessions: w.sessions, Donor: w.donor}
}

// noteOffer remembers what a joining node was offered by p.
func (m *Machine) noteOffer(p *peer, offer []wire.Vector) {
	if m.join.state != wire.Joining {
		return
	}
	if m.owed.offered == nil {
		m.owed = owed{offered: make(map[record.Ref]*dots.Set), donor: m.describe(p), sessions: p.sessions}
	}
	for i := range offer {
		v := &offer[i]
		if was := m.owed.offered[v.Origin]; was != nil {
			was.Union(&v.Set)
		} else if v.Origin != m.self {
			set := v.Set.Clone()
			m.owed.offered[v.Origin] = &set
		}
	}
}

// noteHeard counts what a donor that went before it could offer anything had announced: nobody who knows that there are sessions
// takes none for all.
func (m *Machine) noteHeard() {
	var donor *peer
	for _, p := range m.members.list {
		if (p.said == wire.Synced || p.said == wire.Leaving) && p.sessions > 0 && (donor == nil || p.sessions > donor.sessions) {
			donor = p
		}
	}
	if donor == nil {
		return
	}
	w := &m.owed
	if w.offered == nil {
		*w = owed{offered: make(map[record.Ref]*dots.Set), donor: m.describe(donor), sessions: donor.sessions}
	}
	for _, o := range m.known {
		if o == nil || o.ref == m.self || o.missing() == 0 {
			continue
		}
		if w.offered[o.ref] == nil {
			w.offered[o.ref] = new(dots.Set)
		}
		w.offered[o.ref].AddRange(1, o.announced)
	}
}

// noteBroken remembers how much was still to come from the donor of a transfer that broke off. Records come in the order of
// their hashes, so the cursor tells the share.
func (m *Machine) noteBroken(f *fetch) {
	if m.join.state != wire.Joining || !f.started {
		return
	}
	rest, _ := bits.Mul64(f.donor.sessions, ^f.cursor)
	m.owed.donor, m.owed.sessions = m.describe(f.donor), rest+1
}

// missingOfOwed is how many of the dots offered are not held.
func (m *Machine) missingOfOwed() (n uint64) {
	for ref, set := range m.owed.offered {
		if m.forgotten(ref) {
			continue
		}
		n += set.Count()
		if o := m.lookup(ref); o != nil {
			both := set.Clone()
			both.Intersect(&o.held)
			n -= both.Count()
		}
	}
	return n
}

// settleOwed is called as this node becomes synced: alone, when nobody is left to give what is missing, or by a transfer that came
// whole, when the rest is asked for as any gap.
func (m *Machine) settleOwed(alone bool) {
	w := &m.owed
	if m.missingOfOwed() == 0 && !(alone && w.asDonor) {
		m.regainOwed()
		return
	}
	w.lookAt = m.now.Add(lossPatience)
	if alone { // also after it was told before: there may be more
		w.since = time.Time{}
		m.tellOwed()
	}
}

// joinedFrom notes who gave this node, which is synced now, its sessions.
func (m *Machine) joinedFrom(p *peer) {
	m.owed.of, m.owed.givenAt = p.ref, m.now
	m.lackAs(p)
}

// lackAs takes in that this node has all that p has where p says that it lacks something: at once, or by its first full heartbeats after
// the transfer. What p lacks for another reason later this node may have.
func (m *Machine) lackAs(p *peer) {
	w := &m.owed
	if !p.incomplete || w.givenAt.IsZero() || w.of != p.ref || m.now.Sub(w.givenAt) > givenFor || !w.since.IsZero() || m.missingOfOwed() > 0 {
		return
	}
	w.asDonor, w.donor, w.sessions, w.lookAt = true, m.describe(p), 0, m.now
	m.tellOwed()
}

// lacksFirstHand is what the others are told. What a donor lacked is not: each restart would hand it on, with a day of its own, for ever.
func (m *Machine) lacksFirstHand() bool { return !m.owed.since.IsZero() && !m.owed.asDonor }

// lacksStill reports whether who gave this node its sessions has not said that it has all by now. Who is gone cannot.
func (m *Machine) lacksStill(ref record.Ref) bool {
	p := m.members.byRef[ref]
	return p == nil || !p.live() || p.incomplete
}

func (m *Machine) tellOwed() {
	w := &m.owed
	if !w.since.IsZero() {
		return
	}
	w.since = m.now
	m.count.JoinsIncomplete++
	m.event(Event{
		Kind: EventIncomplete, Member: w.donor, Addr: w.donor.Addr, Missing: m.missingOfOwed(), Sessions: int(min(w.sessions, maxSessionsTold)),
	})
}

// maxSessionsTold keeps a donor's word within an int.
const maxSessionsTold = 1 << 30

// weighOwed looks, once a second, whether what was missing has come. What nobody brought for as long as a tombstone is kept has
// ended meanwhile.
func (m *Machine) weighOwed() {
	w := &m.owed
	switch {
	case w.lookAt.IsZero() || m.join.state != wire.Synced || m.now.Before(w.lookAt) || m.join.fetch != nil:
	case w.asDonor && m.lacksStill(w.of):
		if m.now.Sub(w.since) > m.table.Keep() {
			m.owed = owed{}
		}
	case m.missingOfOwed() == 0:
		m.regainOwed()
	case w.since.IsZero():
		if m.isLost() {
			m.tellOwed()
		}
	case m.now.Sub(w.since) > m.table.Keep():
		m.owed = owed{}
	}
}

// isLost reports whether something is missing that nobody here can be asked for.
func (m *Machine) isLost() bool {
	for ref, set := range m.owed.offered {
		o := m.lookup(ref)
		if o == nil && !m.forgotten(ref) || o != nil && o.nackAt.IsZero() && !o.held.Covers(set) {
			return true
		}
	}
	return false
}

func (m *Machine) regainOwed() {
	if !m.owed.since.IsZero() {
		m.event(Event{Kind: EventRegained, Member: m.owed.donor, Addr: m.owed.donor.Addr})
	}
	m.owed = owed{}
}

// mayComeBack reports whether somebody who may have what is owed is merely not heard at the moment.
func (m *Machine) mayComeBack() bool {
	if m.missingOfOwed() == 0 {
		return false
	}
	for _, p := range m.members.list {
		if p.state == wire.Suspect && (p.said == wire.Synced || p.said == wire.Leaving) {
			return true
		}
	}
	return false
}
