package engine

import (
	"slices"

	"github.com/sessioncast/sessioncast/internal/record"
	"github.com/sessioncast/sessioncast/internal/wire"
)

// giving is a transfer from this node that is under way.
type giving struct {
	id    uint64
	taker record.Origin
}

func (m *Machine) startGive(in GiveStarted) {
	if len(m.giving) >= maxGiving {
		m.count.GivesUncounted++
		return
	}
	m.giving = append(m.giving, giving{in.ID, in.Taker})
}

func (m *Machine) endGive(in GiveEnded) {
	m.giving = slices.DeleteFunc(m.giving, func(g giving) bool { return g.id == in.ID })
}

// takers counts the nodes that get what they lack from here or not at all: those that fetch, and those that join, where no
// other synced node could give the rest.
func (m *Machine) takers() (n int) {
	if !m.mayGive() {
		return 0
	}
	n = m.fetching()
	for _, p := range m.members.list {
		if p.state == wire.Joining && !p.lacks() && !m.takes(p.origin) && !m.otherDonor(p.origin) {
			n++
		}
	}
	return n
}

// fetching counts those that fetch from here what no other synced node could give.
func (m *Machine) fetching() (n int) {
	if !m.mayGive() {
		return 0
	}
	for _, g := range m.giving {
		if !m.otherDonor(g.taker) {
			n++
		}
	}
	return n
}

// takes reports whether o fetches from here.
func (m *Machine) takes(o record.Origin) bool {
	return slices.ContainsFunc(m.giving, func(g giving) bool { return g.taker == o })
}

// otherDonor reports whether another synced node could give what this one does. One that fetches from here itself could not.
func (m *Machine) otherDonor(than record.Origin) bool {
	return slices.ContainsFunc(m.members.list, func(p *peer) bool {
		return p.synced() && p.roomy() && p.origin != than && !m.takes(p.origin)
	})
}

func (m *Machine) mayGive() bool { return m.join.state == wire.Synced && m.holdsAny() }

func (m *Machine) holdsAny() bool {
	return slices.ContainsFunc(m.known, func(o *origin) bool { return o != nil && !o.held.Empty() })
}
