package engine

import (
	"math"
	"slices"

	"github.com/sessioncast/sessioncast/internal/record"
	"github.com/sessioncast/sessioncast/internal/wire"
)

// How old a dot may be is known from marks: an origin says now and then up to where it has made its dots, so those above
// are younger than that. A dot is old when a tombstone that it made may have been collected somewhere, or will be soon. Marks
// are half a pad apart, and a dot counts as old half a pad before a tombstone's end, which leaves time for a transfer.

// oldBefore is the moment, in Unix milliseconds: dots that may have been made before it are old.
func (m *Machine) oldBefore() int64 {
	keep := m.table.Keep().Milliseconds()
	return m.wall() - keep - record.Pad(keep)/2
}

// mark notes that o made its dots above seq after at. One that adds little is left out.
func (m *Machine) mark(o *origin, seq uint64, at int64) {
	at = min(at, m.wall())
	spacing := record.Pad(m.table.Keep().Milliseconds()) / 2
	i, found := slices.BinarySearchFunc(o.marks, at, func(k wire.Mark, at int64) int { return int(min(max(k.At-at, -1), 1)) })
	if found || i > 0 && at-o.marks[i-1].At < spacing || i < len(o.marks) && o.marks[i].At-at < spacing {
		return
	}
	o.marks = slices.Insert(o.marks, i, wire.Mark{Seq: seq, At: at})
	cut := m.oldBefore()
	stale := 0
	for stale < len(o.marks)-1 && o.marks[stale].At < cut {
		stale++
	}
	stale = max(stale, len(o.marks)-wire.MaxMarks)
	o.marks = slices.Delete(o.marks, 0, stale)
}

// old is up to where o's dots may be old; 0 for none. Of an origin of which nothing is known all are.
func (m *Machine) old(o *origin) uint64 {
	cut := m.oldBefore()
	if start := m.origins.Origin(o.ref).Incarnation.StartMillis(); start >= cut && start <= m.wall()+m.cfg.MaxSkew.Milliseconds() {
		return 0
	}
	for _, k := range o.marks {
		if k.At >= cut {
			return k.Seq
		}
	}
	return math.MaxUint64
}

// Marks are what goes with an Offer, of those origins of which it is of use.
func (m *Machine) Marks() (all []wire.Marks) {
	cut := m.oldBefore()
	for _, o := range m.known {
		if o != nil && len(o.marks) > 0 && m.origins.Origin(o.ref).Incarnation.StartMillis() < cut+record.Pad(m.table.Keep().Milliseconds()) {
			all = append(all, wire.Marks{Origin: o.ref, List: slices.Clone(o.marks)})
		}
	}
	return all
}

// adoptMarks takes over what a donor knows.
func (m *Machine) adoptMarks(all []wire.Marks) {
	for i := range all {
		for _, k := range all[i].List {
			if all[i].Origin != m.self {
				m.mark(m.origin(all[i].Origin), k.Seq, k.At)
			}
		}
	}
}
