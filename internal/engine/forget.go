package engine

import (
	"cmp"

	"github.com/sessioncast/sessioncast/internal/record"
)

// Of all the runs that a cluster ever saw the latest maxOrigins are kept, by the start that their names tell: all nodes let go of the
// same. What such a run had created is not judged by its dots any more (docs/ARCHITECTURE.md, "Long separations").

// compareRuns orders origins by their start.
func (m *Machine) compareRuns(a, b record.Ref) int {
	x, y := m.origins.Origin(a), m.origins.Origin(b)
	return cmp.Or(cmp.Compare(x.Incarnation.StartMillis(), y.Incarnation.StartMillis()), x.Compare(y))
}

// forgotten reports whether the run is one of those that were let go.
func (m *Machine) forgotten(ref record.Ref) bool {
	return m.last != 0 && !m.isLive(ref) && ref != m.self && m.compareRuns(ref, m.last) <= 0
}

// forgetOldest lets go of the run that began first, of those that are not members.
func (m *Machine) forgetOldest() {
	var first *origin
	for _, o := range m.known {
		if o != nil && o.ref != m.self && !m.isLive(o.ref) && (first == nil || m.compareRuns(o.ref, first.ref) < 0) {
			first = o
		}
	}
	if first == nil {
		return
	}
	m.endGap(first)
	m.known[first.ref] = nil
	m.runs--
	m.table.ForgetLog(first.ref)
	m.count.OriginsForgotten++
	if m.last == 0 || m.compareRuns(first.ref, m.last) > 0 {
		m.last = first.ref
	}
}
