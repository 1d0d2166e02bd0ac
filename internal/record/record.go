// Package record is the data model: what a node knows of one key, and how two nodes' knowledge is joined.
//
// Everything here is a plain value without locks, clocks or I/O; internal/table owns the states and guards them.
// The rules, with the trace that made each necessary, stand in docs/ARCHITECTURE.md under "Data model"; the
// exhaustive search that proves them is internal/model.
package record

import (
	"math"
	"slices"
	"time"

	"github.com/sessioncast/sessioncast/internal/hlc"
)

// Limits of a key and its parts.
const (
	Databases    = 16        // key spaces, 0 to 15
	MaxName      = 512       // bytes of a key's name
	MaxValue     = 1 << 20   // bytes of a value
	MaxOwner     = 256       // bytes of an owner label
	MaxBirths    = 8         // births of each kind, explicit and weak, kept side by side
	MaxSpan      = 1<<48 - 1 // milliseconds of a birth's span; stamps end there, too
	EpochMillis  = 10_000    // expired keys and old tombstones go at multiples of this
	fallbackLife = 24 * time.Hour
	padShare     = 16   // a touch promises a sixteenth of the time to live more,
	minPad       = 1000 // and at least a second, in milliseconds
)

// floorBase is added to a database's number in the key that holds the database's floor.
const floorBase = Databases

// Key names a session in one database. The zero Key is the empty name of database 0, which is a valid key.
type Key struct {
	DB   uint8
	Name string
}

// FloorKey is the key whose tombstone kills everything in db that was born before it: FLUSHDB. Its state is never
// collected, and travels, is repaired and counts in fingerprints as any other.
func FloorKey(db uint8) Key { return Key{DB: floorBase + db} }

// IsFloor reports whether k is a FloorKey, and of which database.
func (k Key) IsFloor() (db uint8, ok bool) {
	return k.DB - floorBase, k.DB >= floorBase
}

// Valid reports whether k can name a session or a floor.
func (k Key) Valid() bool {
	if _, ok := k.IsFloor(); ok {
		return k.DB < floorBase+Databases && k.Name == ""
	}
	return len(k.Name) <= MaxName
}

// Version says who wrote something when. Versions are totally ordered; see Origins.Later.
type Version struct {
	At hlc.Stamp
	By Ref
}

// IsZero reports whether v is the version of nothing.
func (v Version) IsZero() bool { return v.At == 0 }

// Later reports whether a is later than b: the higher stamp, then the higher node, then the higher incarnation.
func (s *Origins) Later(a, b Version) bool {
	if a.At != b.At {
		return a.At > b.At
	}
	return s.Compare(a.By, b.By) > 0
}

// Dot numbers one change: the Seq-th, from 1, that Origin made.
type Dot struct {
	Origin Ref
	Seq    uint64
}

// Value is a birth's data register: last writer wins. Bytes are never changed in place, so states may share them.
type Value struct {
	Version
	Type  uint8   // 0: opaque bytes; TypePatched
	Whole Version // of what fields of their own were written over; zero but in a patched value
	Hash  uint64  // Origins.ValueHash of the other fields but the version
	Owner string  // optional label of whom the session belongs to
	Bytes []byte
}

// Deadline is a birth's other register: last writer wins. Times are Unix milliseconds.
type Deadline struct {
	Version
	Due     int64 // when the session ends; 0: never
	Promise int64 // until when every node shows it, at least Due; 0 where Due is
}

// Birth is one creation of the key and what became of it. What readers need lies together, at the end.
type Birth struct {
	Seq      uint64  // the creating dot is (ID.By, Seq)
	Latest   int64   // until when a promise ever made, known here or not, may run: Unix milliseconds; see SetDeadline
	Span     int64   // the longest lifetime it was ever given, milliseconds
	Absolute int64   // no deadline may exceed this; Unix milliseconds, 0: none
	Weak     bool    // made by an upsert: yields to a logout hold
	ID       Version // identity: the stamp and origin of the creation
	Deadline Deadline
	Value    Value // zero version: unknown, as in a touch on its way
}

// Tombstone says that everything born up to At was destroyed. The fields are merged each by its maximum.
type Tombstone struct {
	At    hlc.Stamp // 0: none
	Until int64     // kept until then, Unix milliseconds
	Hold  hlc.Stamp // weak births up to here die too, upserts are refused until then
}

// State is what a node knows of one key.
type State struct {
	Births []Birth // highest ID first
	Tomb   Tombstone
}

// Clone copies s; values are shared.
func (s *State) Clone() State {
	c := *s
	c.Births = append([]Birth(nil), s.Births...)
	return c
}

// IsEmpty reports whether s says nothing.
func (s *State) IsEmpty() bool { return s.Tomb == Tombstone{} && len(s.Births) == 0 }

// Kills reports whether b cannot live under tombstone t and its database's floor.
func Kills(t Tombstone, floor hlc.Stamp, b *Birth) bool {
	return b.ID.At <= t.At || b.ID.At <= floor || b.Weak && b.ID.At <= t.Hold
}

// Winner is the birth with the latest data and the birth with the latest deadline, of those that floor leaves alive.
// Both are nil when nothing lives.
func (s *State) Winner(o *Origins, floor hlc.Stamp) (value, deadline *Birth) {
	if len(s.Births) == 1 { // nearly always
		if b := &s.Births[0]; b.ID.At > floor {
			return b, b
		}
		return nil, nil
	}
	for i := range s.Births {
		b := &s.Births[i]
		if b.ID.At <= floor {
			continue
		}
		if value == nil || o.Later(b.Value.Version, value.Value.Version) {
			value = b
		}
		if deadline == nil || o.Later(b.Deadline.Version, deadline.Deadline.Version) {
			deadline = b
		}
	}
	return value, deadline
}

// Highest is the highest stamp anywhere in s. A local operation's stamp must exceed it.
func (s *State) Highest() hlc.Stamp {
	h := s.Tomb.At
	for i := range s.Births {
		b := &s.Births[i]
		h = max(h, b.ID.At, b.Value.At, b.Deadline.At)
	}
	return h
}

// Find is the birth with an identity, nil where there is none.
func (s *State) Find(id Version) *Birth {
	for i := range s.Births {
		if s.Births[i].ID == id {
			return &s.Births[i]
		}
	}
	return nil
}

// Current is the birth that local updates and touches go to: of those that live by their own promise at a moment
// (Unix milliseconds), the highest explicit one, else the highest weak one. (Because a write into a weak birth beside an
// explicit one died with it when a hold arrived, and one into a birth that was past was cut by that birth's lifetime.)
// A visible key has one: the birth of the winning deadline qualifies.
func (s *State) Current(floor hlc.Stamp, at, skew int64) (current *Birth) {
	for i := range s.Births {
		b := &s.Births[i]
		if b.ID.At <= floor || b.Deadline.Hidden(at, skew) {
			continue
		}
		if !b.Weak {
			return b
		}
		if current == nil {
			current = b
		}
	}
	return current
}

// Hidden reports whether d's promise and the measured skew have passed.
func (d *Deadline) Hidden(at, skew int64) bool {
	return d.Due != 0 && at >= satAdd(d.Promise, skew)
}

// PurgeAt is when birth x of s is forgotten, if nothing is written until then: the end of an epoch in Unix
// milliseconds, math.MaxInt64 for never. It goes with the last of the births that it overrides in either register,
// which might otherwise surface again. What overrides x need not be waited for, and must not: a birth that came later
// would prolong x's stay here and not where x is gone already. The pad is that of the longest lifetime, which a touch
// made elsewhere may have got.
func (s *State) PurgeAt(o *Origins, x *Birth, life, maxSkew time.Duration) int64 {
	_, won := s.Winner(o, 0)
	keep := x.padded()
	for i := range s.Births {
		y := &s.Births[i]
		overrides := o.Later(x.Deadline.Version, y.Deadline.Version) || o.Later(x.Value.Version, y.Value.Version)
		if y.ID != x.ID && !overrides {
			continue
		}
		if y.Deadline.Due == 0 {
			if y == won {
				return math.MaxInt64
			}
			life := LifeOr24h(life).Milliseconds()
			keep = max(keep, x.Deadline.At.Millis()+life+Pad(life))
		}
		keep = max(keep, y.padded())
	}
	return EpochEnd(satAdd(keep, 2*maxSkew.Milliseconds()))
}

// Purge drops what was due by the end of an epoch: each birth by itself, and the tombstone. Births that are compared
// with each other are judged by the state before. It is for sessions' states: floors are never collected.
func (s *State) Purge(o *Origins, epoch int64, life, maxSkew time.Duration) (changed bool) {
	var due [2*MaxBirths + 1]bool
	for i := range min(len(s.Births), len(due)) {
		due[i] = s.PurgeAt(o, &s.Births[i], life, maxSkew) <= epoch
		changed = changed || due[i]
	}
	if changed {
		i := -1
		s.Births = slices.DeleteFunc(s.Births, func(Birth) bool { i++; return i < len(due) && due[i] })
	}
	if s.Tomb != (Tombstone{}) && EpochEnd(s.Tomb.Until) <= epoch {
		s.Tomb = Tombstone{}
		changed = true
	}
	return changed
}

// EpochEnd is the end of the epoch that holds ms: the next multiple of EpochMillis at or after it.
func EpochEnd(ms int64) int64 {
	if ms > math.MaxInt64-EpochMillis {
		return math.MaxInt64
	}
	return (ms + EpochMillis - 1) / EpochMillis * EpochMillis
}

// SetDeadline writes the deadline register where the change is made, and works out how long its effect must be
// remembered: as long as any promise that it overrides may run. One made concurrently elsewhere is not known here, but
// runs no longer, from this write on, than the longest lifetime that the birth was ever given; a register without an
// end counts as the absolute lifetime, 24 h where none is set. A lifetime counts from the cluster's time, at in Unix
// milliseconds: a stamp may have been raised above that.
func (b *Birth) SetDeadline(d Deadline, at int64, life time.Duration) {
	written := d.At.Millis()
	span := d.Due - min(at, written)
	if d.Due == 0 {
		span = LifeOr24h(life).Milliseconds()
	}
	b.Span = max(b.Span, min(span, MaxSpan))
	b.Deadline = d
	b.Latest = max(b.Latest, d.Promise, CapDue(written+b.Span, b.Absolute))
}

// CapDue keeps a deadline, 0 for none, within an absolute lifetime, 0 for none.
func CapDue(due, absolute int64) int64 {
	if absolute != 0 && (due == 0 || due > absolute) {
		return absolute
	}
	return due
}

// Pad is what a touch promises beyond the new deadline, in milliseconds, so that those after it stay local.
func Pad(ttl int64) int64 { return max(minPad, ttl/padShare) }

// padded is until when a promise of b's may run where a touch that Latest does not know of padded it.
func (b *Birth) padded() int64 { return satAdd(b.Latest, Pad(b.Span)) }

func satAdd(a, b int64) int64 {
	if b > 0 && a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}

// LifeOr24h is the absolute lifetime, or the 24 hours that stand for it where none is set.
func LifeOr24h(life time.Duration) time.Duration {
	if life <= 0 {
		return fallbackLife
	}
	return life
}

// TombUntil is until when a tombstone must be kept: past the purge of every birth that it or its hold may have to kill.
func TombUntil(at, hold hlc.Stamp, life, maxSkew time.Duration) int64 {
	life = LifeOr24h(life)
	return max(at, hold).Add(life+2*maxSkew).Millis() + Pad(life.Milliseconds())
}
