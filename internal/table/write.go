package table

import (
	"github.com/sessioncast/sessioncast/internal/hlc"
	"github.com/sessioncast/sessioncast/internal/record"
)

// Condition is what a write asks of the key.
type Condition uint8

// Conditions of a write.
const (
	Always Condition = iota
	IfAbsent
	IfPresent
)

// LifeMode says what a write does to the deadline.
type LifeMode uint8

// maxDue is the latest deadline; a later one is cut to it. Stamps end there, too.
const maxDue = 1<<48 - 1

// Modes of a write's deadline.
const (
	LifeSet  LifeMode = iota // Due becomes the deadline, 0 for none
	LifeKeep                 // an existing session keeps its own; a new one has none
)

// Write is one local write.
type Write struct {
	Value      []byte // copied
	Type       uint8
	Owner      string // copied; used where OwnerSet, else an update keeps the owner
	OwnerSet   bool
	If         Condition
	Explicit   bool // with Always: the caller has seen that the key is absent and means to create it
	Due        int64
	Life       LifeMode
	NeedBefore bool // fill Result.Before
	Weighed    bool // there is room: the caller asked, by Weigh and Fits
}

// Result is what became of a local operation.
type Result struct {
	Done    bool   // it took place: its condition held
	Existed bool   // a reader would have found the session before
	Before  View   // that session, where asked for
	Seq     uint64 // own dot of the change; 0: nothing to replicate
}

// Put writes a session: creates it, or updates the one that is there. An upsert (Always, not Explicit) of a session
// that was logged out a moment ago fails with ErrDestroyed.
func (t *Table) Put(now int64, k record.Key, w *Write) (res Result, err error) {
	if err := t.checkWrite(k, w); err != nil {
		return res, err
	}
	var o op
	o.begin(t, now, k)
	err = o.put(w, &res)
	o.end()
	return res, err
}

func (t *Table) checkWrite(k record.Key, w *Write) error {
	if len(w.Value) > t.cfg.MaxValue || len(w.Owner) > record.MaxOwner {
		return ErrTooLarge
	}
	if why := t.Quarantine(); why != nil {
		t.counts.refused.Add(1)
		return why
	}
	return checkKey(k)
}

func checkKey(k record.Key) error {
	if k.DB >= record.Databases || len(k.Name) > record.MaxName {
		return ErrKeyTooLong
	}
	return nil
}

func (o *op) put(w *Write, res *Result) error {
	if o.t.closed.Load() {
		return ErrClosed
	}
	res.Existed = o.visible()
	if res.Existed && w.NeedBefore {
		res.Before = o.show()
	}
	if w.If == IfAbsent && res.Existed || w.If == IfPresent && !res.Existed {
		return nil
	}
	if err := o.admit(w, res.Existed); err != nil {
		return err
	}
	if res.Existed {
		o.update(w)
	} else {
		o.create(w)
	}
	o.settle()
	res.Done, res.Seq = true, o.seq
	return nil
}

// admit checks the hold and the memory limit.
func (o *op) admit(w *Write, exists bool) error {
	if err := o.checkHold(w, exists); err != nil || w.Weighed {
		return err
	}
	return o.t.fits(o.growth(w, exists), !exists)
}

func (o *op) checkHold(w *Write, exists bool) error {
	if !exists && w.upsert() && o.held() {
		o.t.counts.held.Add(1)
		return ErrDestroyed
	}
	return nil
}

// growth is what the write adds to the bytes counted.
func (o *op) growth(w *Write, exists bool) int64 {
	var grow int64
	switch {
	case exists:
		v := &o.current().Value
		more := len(w.Value) - len(v.Bytes)
		if w.OwnerSet {
			more += len(w.Owner) - len(v.Owner)
		}
		grow = o.e.growth(more)
		if w.OwnerSet && o.owner == "" {
			grow += labelCost(w.Owner)
		}
	case o.e != nil:
		grow = atMost(len(o.k.Name), 1+len(o.e.state.Births), len(w.Value)+len(w.Owner)) + labelCost(w.Owner)
	default:
		grow = atMost(len(o.k.Name), 1, len(w.Value)+len(w.Owner)) + labelCost(w.Owner)
	}
	return grow
}

func (w *Write) upsert() bool { return w.If == Always && !w.Explicit }

// update writes the registers of the current birth.
func (o *op) update(w *Write) {
	b := o.current()
	latest, _ := o.e.state.Winner(o.t.cfg.Origins, o.floor)
	owner := latest.Value.Owner
	if w.OwnerSet && w.Owner != owner {
		owner = w.Owner
	}
	version := o.stamp()
	b.Value = newValue(version, w.Type, owner, w.Value)
	if w.Life == LifeSet {
		o.setDeadline(b, version, w.Due, 0)
	}
	o.takeDot(false)
}

// create makes a birth. An upsert's is weak: it yields to a tombstone's hold that is on its way. It is not where the
// caller has seen the key missing on a node that knows the tombstone.
func (o *op) create(w *Write) {
	o.takeDot(false)
	version := o.birthStamp()
	if o.e == nil {
		o.place()
	}
	birth := record.Birth{
		ID:   version,
		Seq:  o.seq,
		Weak: w.If == Always && (!w.Explicit || o.e.state.Tomb.At == 0),
	}
	if life := o.t.cfg.Lifetime; life > 0 {
		birth.Absolute = o.at + life.Milliseconds()
	}
	owner := ""
	if w.OwnerSet {
		owner = w.Owner
	}
	birth.Value = newValue(version, w.Type, owner, w.Value)
	due := w.Due
	if w.Life == LifeKeep {
		due = 0
	}
	o.setDeadline(&birth, version, due, 0)
	o.bear(&birth)
}

// birthStamp is a stamp that this node gave to no birth of the key before. Of those that died nothing may be left but what killed
// them, which is above them, unless it was a hold: a weak birth made hard above a floor, before the hold was heard of, has the least
// stamp that there can be.
//
// Nor is anything left of one that expired and was forgotten. A stamp that the clock gives is above that of any; one that a tombstone
// far ahead of the clocks raised would be the same as last time, so the number of the change tells them apart.
func (o *op) birthStamp() record.Version {
	now := o.t.cfg.Clock.Now(o.now)
	at := max(now, o.highest().Next())
	if o.e != nil && at <= o.e.state.Tomb.Hold {
		at = at.Next()
	}
	if at > now {
		at += hlc.Stamp(o.seq % raisedStamps)
	}
	return record.Version{At: at, By: o.t.self()}
}

// raisedStamps are as many as a hybrid clock has in 16 ms: by no more is a birth's stamp above the least that it may have.
const raisedStamps = 1 << 20

// bear adds a birth made here. Its stamp is above all that is known of the key, so nothing kills it; it may crowd out
// an older one. An entry's first birth goes where the entry has room for it.
func (o *op) bear(b *record.Birth) {
	if s := &o.e.state; len(s.Births) == 0 {
		s.Births = append(s.Births, *b)
		return
	}
	m := o.t.cfg.Origins.Merge(&o.e.state, &record.State{Births: []record.Birth{*b}}, o.floor)
	o.t.counts.crowded.Add(uint64(m.Crowded))
}

func newValue(v record.Version, typ uint8, owner string, data []byte) record.Value {
	return record.Value{
		Version: v,
		Type:    typ,
		Hash:    record.ContentHash(typ, owner, data),
		Owner:   owner,
		Bytes:   data,
	}
}

// setDeadline writes b's deadline register and forgets the local touch. pad is what the promise exceeds the deadline
// by; the absolute lifetime is never exceeded.
func (o *op) setDeadline(b *record.Birth, v record.Version, due, pad int64) {
	due = record.CapDue(min(due, maxDue), b.Absolute)
	d := record.Deadline{Version: v, Due: due}
	if due != 0 {
		d.Promise = record.CapDue(due+pad, b.Absolute)
	}
	b.SetDeadline(d, o.at, o.t.keep())
	o.e.touch = nil
}
