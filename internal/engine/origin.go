package engine

import (
	"slices"
	"time"

	"github.com/sessioncast/sessioncast/internal/dots"
	"github.com/sessioncast/sessioncast/internal/record"
	"github.com/sessioncast/sessioncast/internal/wire"
)

// origin is what this node holds of one origin's dots, its own included, living or dead.
type origin struct {
	ref       record.Ref
	held      dots.Set
	announced uint64 // the highest dot known to exist

	marks []wire.Mark // how old its dots may be, the earliest first

	nackAt   time.Time // zero: nothing to ask for
	tries    int       // since the last progress
	stuck    uint64    // the first dot asked for lately
	stuckAt  time.Time // since when it is asked for
	fetchTo  uint64    // a fetch under way brings the dots up to here
	setHash  uint64    // of held, computed at hashedAt dots
	hashedAt uint64
}

// origin is the entry for ref, made if need be. That of a run so long ago that it is not kept is of no use afterwards.
func (m *Machine) origin(ref record.Ref) *origin {
	if o := m.lookup(ref); o != nil {
		return o
	}
	if m.forgotten(ref) {
		return &origin{ref: ref}
	}
	for int(ref) >= len(m.known) {
		m.known = append(m.known, nil)
	}
	o := &origin{ref: ref}
	m.known[ref] = o
	if m.runs++; m.runs > maxOrigins {
		m.forgetOldest()
	}
	return o
}

// lookup is the entry for ref, or nil.
func (m *Machine) lookup(ref record.Ref) *origin {
	if int(ref) >= len(m.known) {
		return nil
	}
	return m.known[ref]
}

// cover records that the dots are merged.
func (o *origin) cover(seqs []uint64) {
	for _, s := range seqs {
		o.held.Add(s)
		o.announced = max(o.announced, s)
	}
}

// coversAll reports whether every one of seqs is held.
func (o *origin) coversAll(seqs []uint64) bool {
	return !slices.ContainsFunc(seqs, func(s uint64) bool { return !o.held.Contains(s) })
}

// missing is how many announced dots are not held.
func (o *origin) missing() uint64 {
	return o.announced - o.held.Count()
}

// prefix is up to where s holds everything from 1.
func prefix(s *dots.Set) uint64 {
	if r := s.Ranges(); len(r) > 0 && r[0].Lo == 1 {
		return r[0].Hi
	}
	return 0
}

// setHash identifies the held set among all nodes.
func (m *Machine) setHash(o *origin) uint64 {
	if n := o.held.Count(); n != o.hashedAt || o.setHash == 0 {
		o.hashedAt = n
		o.setHash = mix(m.origins.Hash(o.ref), o.held.Hash())
	}
	return o.setHash
}

// vectorHash is one hash over all interval sets, and one over those of origins that are not living members.
func (m *Machine) vectorHash() (all, dead uint64) {
	for _, o := range m.known {
		if o == nil || o.held.Empty() {
			continue
		}
		h := m.setHash(o)
		all += h
		if o.ref != m.self && !m.isLive(o.ref) {
			dead += h
		}
	}
	return all, dead
}

// mix is a 64-bit finalizer (that of splitmix64) over two words, so that sums of it do not cancel.
func mix(a, b uint64) uint64 {
	z := a ^ b*0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// Offer is what this node holds now: what a donor claims for a transfer that starts after it.
func (m *Machine) Offer() []wire.Vector {
	m.takeWrote()
	var offer []wire.Vector
	for _, o := range m.known {
		if o != nil && !o.held.Empty() {
			offer = append(offer, wire.Vector{Origin: o.ref, Set: o.held.Clone()})
		}
	}
	return offer
}
