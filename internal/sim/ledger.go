package sim

import (
	"slices"

	"github.com/sessioncast/sessioncast/internal/hlc"
	"github.com/sessioncast/sessioncast/internal/record"
)

// ledger is what the observer knows to have been done, on any node, in the order of the run. Its origins are the
// world's: those of nodes are translated.
type ledger struct {
	keys   []record.Key // all that were ever used, in order of first use
	known  map[record.Key]*history
	values int // written so far: makes each one differ
	dots   []dotFact
	atHeal map[record.Key]*record.State // what the core held when it was healed
}

// history is everything that was done to a key.
type history struct {
	births    map[record.Version]birthFact
	values    map[writeID]uint64 // content hash of what was written whole
	owners    map[writeID]string // the label as of each write, of the whole or of fields
	fields    map[fieldID]bool
	deadlines map[record.Version]record.Deadline
	tombs     []record.Tombstone      // every one that a destroy made
	expired   map[record.Version]bool // births that a node forgot at their end
	crowded   map[record.Version]bool // births that a node dropped, since there were enough later ones
	astray    map[record.Version]bool // births whose end was not told to all in time, in a forgetful run
}

// dotFact is what a dot stands for: whoever covers it must hold what it made, or something that overrides it.
type dotFact struct {
	origin record.Ref
	seq    uint64
	key    record.Key
	made   record.State
}

// writeID names a write. A version alone does not: a node whose birth dies of a tombstone that another node made without
// knowing its last write uses that write's stamp again, in the next birth. There it meets nothing of its like.
type writeID struct{ birth, version record.Version }

type birthFact struct {
	weak bool
	seq  uint64
}

// init enters the floors first, so that they are looked at before what they kill.
func (l *ledger) init(databases int) {
	l.known = make(map[record.Key]*history)
	for db := range databases {
		l.of(record.FloorKey(uint8(db)))
	}
	l.of(record.FloorKey(otherDB))
}

func (l *ledger) of(k record.Key) *history {
	h := l.known[k]
	if h == nil {
		h = &history{
			births:    make(map[record.Version]birthFact),
			values:    make(map[writeID]uint64),
			owners:    make(map[writeID]string),
			fields:    make(map[fieldID]bool),
			deadlines: make(map[record.Version]record.Deadline),
			expired:   make(map[record.Version]bool),
			crowded:   make(map[record.Version]bool),
			astray:    make(map[record.Version]bool),
		}
		l.known[k] = h
		l.keys = append(l.keys, k)
	}
	return h
}

// enter records what the local operations of n have made of the key: everything in its state that bears n's name.
func (l *ledger) enter(n *Node, k record.Key, s *record.State) {
	h := l.of(k)
	self := n.self()
	for i := range s.Births {
		b := &s.Births[i]
		if b.ID.By == self {
			n.noteBehind(h, b)
			h.births[n.global(b.ID)] = birthFact{weak: b.Weak, seq: b.Seq}
		}
		if b.Value.By == self {
			n.noteValue(h, b)
		}
		if b.Deadline.By == self {
			h.deadlines[n.global(b.Deadline.Version)] = b.Deadline
		}
	}
	if s.Tomb.At != 0 && !slices.Contains(h.tombs, s.Tomb) { // two that are made at once may have one stamp, and each its own end
		h.tombs = append(h.tombs, s.Tomb)
		n.world.watchTomb(k, s.Tomb)
	}
}

func (h *history) hasTomb(t hlc.Stamp) bool {
	for i := range h.tombs {
		if h.tombs[i].At == t {
			return true
		}
	}
	return false
}

// collected reports whether what was born at id may be gone because of a tombstone that is gone itself by now.
func (h *history) collected(id hlc.Stamp, now int64) bool {
	for i := range h.tombs {
		if t := &h.tombs[i]; id <= max(t.At, t.Hold) && t.Until != 0 && t.Until <= now {
			return true
		}
	}
	return false
}

// global is the version in the observer's terms.
func (n *Node) global(v record.Version) record.Version {
	v.By = n.globalRef(v.By)
	return v
}

func (n *Node) globalRef(ref record.Ref) record.Ref {
	for int(ref) >= len(n.refs) {
		n.refs = append(n.refs, n.world.origins.Intern(n.origins.Origin(record.Ref(len(n.refs)))))
	}
	return n.refs[ref]
}

// globalState is a copy of s in the observer's terms.
func (n *Node) globalState(s *record.State) record.State {
	c := s.Clone()
	for i := range c.Births {
		b := &c.Births[i]
		b.ID, b.Value.Version, b.Deadline.Version = n.global(b.ID), n.global(b.Value.Version), n.global(b.Deadline.Version)
		if b.Value.Type == record.TypePatched {
			b.Value.Whole = n.global(b.Value.Whole)
		}
	}
	return c
}
