package record

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"sync"
	"sync/atomic"

	"github.com/cespare/xxhash/v2"
)

// NodeID names a node across its restarts: a hash of its name.
type NodeID [8]byte

func (n NodeID) String() string { return hex.EncodeToString(n[:]) }

// Incarnation names one run of a node: 48-bit start time (Unix milliseconds, big endian), then 96 random bits.
type Incarnation [18]byte

// StartMillis is when the incarnation started by its own clock, in Unix milliseconds.
func (i Incarnation) StartMillis() int64 {
	return int64(binary.BigEndian.Uint64(i[:8]) >> 16)
}

// OriginSize is the length of an Origin's byte form.
const OriginSize = 26

// Origin is one run of one node: what dots are numbered by.
type Origin struct {
	Node        NodeID
	Incarnation Incarnation
}

// Compare orders origins by node, then incarnation.
func (o Origin) Compare(p Origin) int {
	if c := bytes.Compare(o.Node[:], p.Node[:]); c != 0 {
		return c
	}
	return bytes.Compare(o.Incarnation[:], p.Incarnation[:])
}

// Append appends the 26-byte form.
func (o Origin) Append(b []byte) []byte {
	b = append(b, o.Node[:]...)
	return append(b, o.Incarnation[:]...)
}

// OriginFrom reads the 26-byte form; b must hold at least OriginSize bytes.
func OriginFrom(b []byte) (o Origin) {
	copy(o.Node[:], b)
	copy(o.Incarnation[:], b[8:OriginSize])
	return o
}

// IsZero reports whether o names nobody.
func (o Origin) IsZero() bool { return o == Origin{} }

// Ref stands for an Origin inside one process; see Origins. Zero is nobody.
type Ref uint32

// Origins interns origins, so that a record carries four bytes for each instead of twenty-six. Refs mean nothing
// outside the Origins that gave them. Safe for concurrent use; the zero value is ready to use.
//
// Only authenticated peers add origins, and each restart of a node adds one, so none is ever removed.
type Origins struct {
	list atomic.Pointer[[]internedOrigin]
	add  struct {
		sync.Mutex
		refs map[Origin]Ref
	}
}

type internedOrigin struct {
	origin Origin
	hash   uint64
}

// Intern gives o's Ref, a new one if need be.
func (s *Origins) Intern(o Origin) Ref {
	if o.IsZero() {
		return 0
	}
	s.add.Lock()
	defer s.add.Unlock()
	if ref, ok := s.add.refs[o]; ok {
		return ref
	}
	if s.add.refs == nil {
		s.add.refs = make(map[Origin]Ref)
		s.list.Store(&[]internedOrigin{{}})
	}
	// Readers hold the old slice header; appending never changes what they see.
	list := append(*s.list.Load(), internedOrigin{o, xxhash.Sum64(o.Append(nil))})
	s.list.Store(&list)
	ref := Ref(len(list) - 1)
	s.add.refs[o] = ref
	return ref
}

// Lookup gives o's Ref if it has one.
func (s *Origins) Lookup(o Origin) (Ref, bool) {
	s.add.Lock()
	defer s.add.Unlock()
	ref, ok := s.add.refs[o]
	return ref, ok
}

// Len is the number of origins interned.
func (s *Origins) Len() int {
	list := s.list.Load()
	if list == nil {
		return 0
	}
	return len(*list) - 1
}

// Origin is what ref stands for; the zero Origin for a ref never given.
func (s *Origins) Origin(ref Ref) Origin { return s.get(ref).origin }

// Hash is a 64-bit hash of the origin's byte form, the same on every node.
func (s *Origins) Hash(ref Ref) uint64 { return s.get(ref).hash }

func (s *Origins) get(ref Ref) internedOrigin {
	list := s.list.Load()
	if list == nil || int(ref) >= len(*list) {
		return internedOrigin{}
	}
	return (*list)[ref]
}

// Compare orders two refs as Origin.Compare orders what they stand for.
func (s *Origins) Compare(a, b Ref) int {
	if a == b {
		return 0
	}
	return s.Origin(a).Compare(s.Origin(b))
}
