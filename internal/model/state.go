package model

import "math/bits"

const (
	maxNodes   = 3
	maxOrigins = 4
	maxSeq     = 8 // dots per origin
)

// Dots is a set of dots: bit origin*maxSeq+seq. A set, as an interval set is, never a prefix.
type Dots uint32

func dot(o, seq uint8) Dots { return 1 << (o*maxSeq + seq) }

func (d Dots) has(e Dots) bool { return d&e == e }

func (d Dots) each(f func(Dots)) {
	for ; d != 0; d &= d - 1 {
		f(d & -d)
	}
}

func (d Dots) index() int { return bits.TrailingZeros32(uint32(d)) }

// prefixes is what a node would know if it remembered an origin only up to its first hole.
func (d Dots) prefixes() (p Dots) {
	for o := uint8(0); o < maxOrigins; o++ {
		for seq := uint8(0); seq < maxSeq && d.has(dot(o, seq)); seq++ {
			p |= dot(o, seq)
		}
	}
	return p
}

// OpKind says what an op carries.
type OpKind uint8

const (
	opBirth OpKind = iota // the whole birth, both registers
	opTouch               // birth id, deadline register, latest
	opTomb                // T, until, hold
)

// Op is one change as its origin pushed it. It never changes once issued.
type Op struct {
	Kind    OpKind
	Dot     Dots
	Ctx     Dots  // what its origin covered
	HLC     Stamp // the frame header's
	At      int16 // true time of issue
	B       Birth
	Touched ID   // ghost: when the user did what an opTouch carries
	Of      Dots // ghost: the dot whose end it tells
	T       Stamp
	Until   int16
	Hold    Stamp
}

// Touch is a touch kept local because the promise covers it.
type Touch struct {
	Birth ID // zero: none
	At    ID
	Due   int16
}

// End is what is left of the last birth that went at its end: the deadline register that had won, and whose it was.
type End struct {
	DL    Deadline
	Birth ID
	Weak  bool
	Span  int16 // ghost: the longest lifetime it was known to have been given
}

// Tomb is what is left of tombstones that were collected.
type Tomb struct{ T, Hold Stamp }

// Snapshot is a transfer under way: intervals as of its start, and records, read later.
type Snapshot struct {
	Donor, Origin uint8
	Cov           Dots // of this donor, at its start
	Claim         Dots // what each donor so far had
	Old           Dots // what was old as the first began
	Brought       Dots // ghost: what its records are of
	Judged        bool // absence counts
	Read          bool // the records are merged, the dots not covered yet
}

// Node is one incarnation of a node.
type Node struct {
	HLC     Stamp
	Origin  uint8
	Seq     uint8 // next
	Joining bool
	Cov     Dots // covered: never asked for again
	Known   Dots // ghost: every dot whose effect ever reached this node, even if forgotten since
	Have    Dots // ghost: of those, what it has not purged with the key's births since
	Buried  Dots // ghost: creating dots of births it was told of and that a tombstone killed here
	Saw     Dots // ghost: every dot whose effect was in this incarnation's key, purged since or not
	Key     Key
	Ended   End
	Past    Tomb // the highest stamps of tombstones that were collected here
	Local   Touch
	Last    Touch // ghost: the last touch kept local here
	Snap    *Snapshot
}

// State is a whole cluster. It is copied freely; what it points at is immutable.
type State struct {
	Now     int16
	Origins uint8
	Forgot  bool // ghost: some node has purged births while a dot was missing somewhere
	Parted  bool // ghost: a separation longer than a tombstone is kept, see check
	Expired Dots // ghost: creating dots of births that some node forgot at their end
	Wrong   Dots // ghost: creating dots of births dropped though nobody destroyed them and nowhere expired
	Spent   [numActs]uint8
	Node    [maxNodes]Node
	Ops     [maxOrigins * maxSeq]*Op
}

// World is what stays the same in a run.
type World struct {
	Params
	Rules
	Nodes int
}

// Start is the empty cluster.
func (w *World) Start() State {
	s := State{Now: 2, Origins: uint8(w.Nodes)}
	for i := range w.Nodes {
		s.Node[i].Origin = uint8(i)
	}
	return s
}

// time is what a node takes for now: its clock, or the cluster's where that is ahead.
func (w *World) time(s *State, n int) int16 {
	return max(s.Now+w.Clock[n], s.Node[n].HLC.tick())
}

func (w *World) hideAt(promise int16) int16 {
	if w.HideWithoutSkew {
		return promise
	}
	return promise + w.Skew
}

// visible: the key's deadline is judged on the merged result.
func (w *World) visible(s *State, n int) bool {
	d, of := s.Node[n].Key.deadline()
	return of != ID{} && (d.Promise == never || w.time(s, n) < w.hideAt(d.Promise))
}

// due is the true deadline as this node knows it (TTL reports it).
func (nd *Node) due() int16 {
	d, _ := nd.Key.deadline()
	if nd.Local.Birth != (ID{}) && d.ID.less(nd.Local.At) {
		return max(d.Due, nd.Local.Due)
	}
	return d.Due
}

// keepUntil is when a birth may go: with the last of the births it overrides in either register, itself included.
// What it overrides might otherwise surface again; what overrides it need not be waited for, and must not: a birth
// that came later would prolong its stay here and not where it is gone already.
func (w *World) keepUntil(k *Key, x *Birth) int16 {
	d, won := k.deadline()
	keep := x.Latest
	for i := range k.B[:k.N] {
		y := &k.B[i]
		overrides := y.DL.ID.less(x.DL.ID) || y.Data.less(x.Data)
		switch {
		case w.PurgeEachBirth && y != x, y != x && !overrides && !w.PurgeWhole:
		case y.ID == won && d.Promise == never:
			return never
		case y.DL.Promise == never:
			keep = max(keep, y.Latest, x.DL.ID.S.tick()+w.Life)
		default:
			keep = max(keep, y.Latest)
		}
	}
	switch {
	case w.PurgeAtOnce && d.Promise != never:
		return w.hideAt(d.Promise)
	case w.PurgeByWinner && d.Promise != never:
		return w.epochEnd(d.Promise + w.grace())
	}
	return w.epochEnd(keep + w.grace())
}

// collect drops what is due in a finished epoch: births, and the tombstone by itself.
func (w *World) collect(s *State, n int) {
	nd, t := &s.Node[n], w.time(s, n)
	old := nd.Key
	for i := range old.B[:old.N] {
		if b := &old.B[i]; t >= w.keepUntil(&old, b) {
			w.purge(s, nd, b.ID, t)
		}
	}
	if d, of := old.deadline(); old.N > 0 && nd.Key.N == 0 && nd.Ended.DL.ID.less(d.ID) && !w.EndForgotten {
		nd.Ended = End{DL: d, Birth: of, Weak: old.find(of).Weak, Span: old.find(of).Span}
	}
	if nd.Key.T > 0 && t >= w.epochEnd(nd.Key.Until) {
		s.Parted = s.Parted || w.apart(s)
		if !w.TombForgotten && !w.Forgetful {
			nd.Past.T, nd.Past.Hold = max(nd.Past.T, nd.Key.T), max(nd.Past.Hold, nd.Key.Hold)
		}
		nd.Key.T, nd.Key.Until, nd.Key.Hold = 0, 0, 0
	}
}

func (w *World) purge(s *State, nd *Node, id ID, t int16) {
	old := nd.Key
	nd.forget(s, id)
	s.Expired |= old.find(id).Dot
	s.Forgot = s.Forgot || w.apart(s)
	d, _ := old.deadline()
	s.Parted = s.Parted || w.apart(s) && t >= d.ID.S.tick()+w.Life
	for _, op := range s.Ops {
		s.Parted = s.Parted || op != nil && op.B.DL.Promise == never && !nd.Known.has(op.Dot)
	}
}

// apart: some node has not covered every dot, for as long as a promise and the grace.
func (w *World) apart(s *State) bool {
	for i, op := range s.Ops {
		for n := range w.Nodes {
			if op != nil && !s.Node[n].Cov.has(1<<i) {
				return true
			}
		}
	}
	return false
}

// forget takes a birth out of a node's state, with the touch that relied on it.
func (nd *Node) forget(s *State, id ID) {
	old := nd.Key
	nd.Key.N, nd.Key.B = 0, [2 * classLimit]Birth{}
	for _, b := range old.B[:old.N] {
		if b.ID != id {
			nd.Key.B[nd.Key.N] = b
			nd.Key.N++
		}
	}
	nd.Have.each(func(d Dots) {
		if op := s.Ops[d.index()]; op.Kind != opTomb && op.B.ID == id {
			nd.Have &^= d
		}
	})
	if nd.Local.Birth == id {
		nd.Local = Touch{}
	}
}
