package record

import (
	"slices"

	"github.com/sessioncast/sessioncast/internal/hlc"
)

// Merged is the outcome of Merge.
type Merged struct {
	Changed    bool // dst is not what it was
	Incomplete bool // a birth unknown here came without one of its registers, as in a touch: in must not count as applied
	Crowded    int  // births not kept, since MaxBirths of their kind are later
}

// Merge joins in into dst under the floor of the key's database. It is commutative, associative and idempotent, so
// order, duplication and repair by value make no difference. dst takes over nothing of in but the value bytes.
func (o *Origins) Merge(dst *State, in *State, floor hlc.Stamp) Merged {
	var m Merged
	m.Changed = dst.Tomb.merge(in.Tomb)
	n := len(dst.Births)
	dst.Births = slices.DeleteFunc(dst.Births, func(b Birth) bool { return Kills(dst.Tomb, floor, &b) })
	m.Changed = m.Changed || len(dst.Births) != n
	for i := range in.Births {
		b := &in.Births[i]
		if Kills(dst.Tomb, floor, b) {
			continue
		}
		o.mergeBirth(dst, b, &m)
	}
	return m
}

// merge takes the maxima. A hold up to At kills nothing that At does not: none of it stays, or who came too late for a tombstone that was past, and took the
// next one, would differ from who had both.
func (t *Tombstone) merge(in Tombstone) bool {
	was := *t
	t.At = max(t.At, in.At)
	t.Until = max(t.Until, in.Until)
	if t.Hold = max(t.Hold, in.Hold); t.Hold <= t.At {
		t.Hold = 0
	}
	return *t != was
}

func (o *Origins) mergeBirth(dst *State, in *Birth, m *Merged) {
	for i := range dst.Births {
		if dst.Births[i].ID == in.ID {
			weak := dst.Births[i].Weak
			m.Changed = o.joinBirth(&dst.Births[i], in) || m.Changed
			if weak && !dst.Births[i].Weak {
				m.Crowded += dropLowest(dst, false)
			}
			return
		}
	}
	if o.crowdedOut(dst, in) {
		m.Crowded++
		return
	}
	if in.Value.IsZero() || in.Deadline.IsZero() {
		m.Incomplete = true
		return
	}
	at, _ := slices.BinarySearchFunc(dst.Births, in, func(b Birth, in *Birth) int {
		if o.Later(b.ID, in.ID) {
			return -1
		}
		return 1
	})
	dst.Births = slices.Insert(dst.Births, at, *in)
	m.Crowded += dropLowest(dst, in.Weak)
	m.Changed = true
}

// joinBirth merges each register by itself, so that a touch never fights a write.
func (o *Origins) joinBirth(b *Birth, in *Birth) (changed bool) {
	switch {
	case (b.Value.Type == TypePatched || in.Value.Type == TypePatched) && !in.Value.IsZero():
		changed = o.joinPatched(&b.Value, &in.Value)
	case o.Later(in.Value.Version, b.Value.Version) || in.Value.beatsTwin(&b.Value):
		b.Value = in.Value
		changed = true
	}
	if o.Later(in.Deadline.Version, b.Deadline.Version) || in.Deadline.beatsTwin(&b.Deadline) {
		b.Deadline = in.Deadline
		changed = true
	}
	if b.joinTwin(in) {
		changed = true
	}
	if in.Latest > b.Latest || in.Span > b.Span {
		b.Latest, b.Span = max(b.Latest, in.Latest), max(b.Span, in.Span)
		changed = true
	}
	return changed
}

// crowdedOut reports whether MaxBirths births of in's kind are above it: then it is not kept on any node that knows
// those, and counts as applied.
func (o *Origins) crowdedOut(dst *State, in *Birth) bool {
	above := 0
	for i := range dst.Births {
		b := &dst.Births[i]
		if b.Weak == in.Weak && o.Later(b.ID, in.ID) {
			above++
		}
	}
	return above >= MaxBirths
}

// dropLowest keeps the latest MaxBirths of a kind, and says how many went.
func dropLowest(dst *State, weak bool) (dropped int) {
	n, kept := len(dst.Births), 0
	dst.Births = slices.DeleteFunc(dst.Births, func(b Birth) bool {
		if b.Weak != weak {
			return false
		}
		kept++
		return kept > MaxBirths
	})
	return n - len(dst.Births)
}
