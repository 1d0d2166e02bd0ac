// Package record is the data model: what a node knows of one key, and how two nodes' knowledge is joined.
//
// Everything here is a plain value without locks, clocks or I/O; internal/table owns the states and guards them.
// The rules, with the trace that made each necessary, stand in docs/ARCHITECTURE.md under "Data model"; the
// exhaustive search that proves them is internal/model.
package record

import (
	"math"
	"time"

	"github.com/sessioncast/sessioncast/internal/hlc"
)

// Limits of a key and its parts.
const (
	Databases    = 16      // key spaces, 0 to 15
	MaxName      = 512     // bytes of a key's name
	MaxValue     = 1 << 20 // bytes of a value
	MaxOwner     = 256     // bytes of an owner label
	MaxBirths    = 8       // births of each kind, explicit and weak, kept side by side
	EpochMillis  = 10_000  // expired keys and old tombstones go at multiples of this
	fallbackLife = 24 * time.Hour
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
	Type  uint8  // 0: opaque bytes
	Hash  uint64 // ContentHash of the other fields
	Owner string // optional label of whom the session belongs to
	Bytes []byte
}

// Deadline is a birth's other register: last writer wins. Times are Unix milliseconds.
type Deadline struct {
	Version
	Due     int64 // when the session ends; 0: never
	Promise int64 // until when every node shows it, at least Due; 0 where Due is
}

// Birth is one creation of the key and what became of it.
type Birth struct {
	ID       Version // identity: the stamp and origin of the creation
	Seq      uint64  // the creating dot is (ID.By, Seq)
	Weak     bool    // made by an upsert on a node that knew no tombstone: yields to a logout hold
	Value    Value   // zero version: unknown, as in a touch on its way
	Deadline Deadline
	Latest   int64 // the highest promise ever made, Unix milliseconds
	Absolute int64 // no deadline may exceed this; Unix milliseconds, 0: none
}

// Tombstone says that everything born up to At was destroyed. The fields are merged each by its maximum.
type Tombstone struct {
	At    hlc.Stamp // 0: none
	Until int64     // kept until then, Unix milliseconds
	Hold  hlc.Stamp // weak births up to here die too, upserts are refused until then
}

// State is what a node knows of one key.
type State struct {
	Tomb   Tombstone
	Births []Birth // highest ID first
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

// PurgeAt is when the births of s go, all at once, if nothing is written until then: the end of an epoch in Unix
// milliseconds, math.MaxInt64 for never. At once, because the births that lost would otherwise live again when the
// one that overrode them went first.
func (s *State) PurgeAt(o *Origins, grace time.Duration) int64 {
	_, deadline := s.Winner(o, 0)
	if deadline == nil || deadline.Deadline.Due == 0 {
		return math.MaxInt64
	}
	var latest int64
	for i := range s.Births {
		latest = max(latest, s.Births[i].Latest)
	}
	return EpochEnd(latest + grace.Milliseconds())
}

// EpochEnd is the end of the epoch that holds ms: the next multiple of EpochMillis at or after it.
func EpochEnd(ms int64) int64 {
	if ms > math.MaxInt64-EpochMillis {
		return math.MaxInt64
	}
	return (ms + EpochMillis - 1) / EpochMillis * EpochMillis
}

// LatestOf is what writing deadline d, over an earlier register prev, adds to a birth's Latest. A register without
// an end cannot promise a moment; it counts as the absolute lifetime (24 h where none is set) from the write that made
// it and again from the one that ended it, which is how long the override must be remembered.
func LatestOf(d Deadline, prev Deadline, life time.Duration) int64 {
	if d.Due == 0 || (!prev.IsZero() && prev.Due == 0) {
		return max(d.Promise, d.At.Add(LifeOr24h(life)).Millis())
	}
	return d.Promise
}

// LifeOr24h is the absolute lifetime, or the 24 hours that stand for it where none is set.
func LifeOr24h(life time.Duration) time.Duration {
	if life <= 0 {
		return fallbackLife
	}
	return life
}

// TombUntil is until when a tombstone at stamp at must be kept.
func TombUntil(at hlc.Stamp, life, maxSkew time.Duration) int64 {
	return at.Add(LifeOr24h(life) + 2*maxSkew).Millis()
}
