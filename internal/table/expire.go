package table

import (
	"github.com/sessioncast/sessioncast/internal/record"
)

// ExpireCond is the condition of an Expire, as Redis names them.
type ExpireCond uint8

// Conditions of an Expire. A session without a deadline counts as one that ends later than any other.
const (
	ExpireAlways ExpireCond = iota
	ExpireNX                // it has no deadline
	ExpireXX                // it has one
	ExpireGT                // the new one is later
	ExpireLT                // the new one is earlier
)

// Expire moves a session's deadline to due (Unix milliseconds), or takes it away where due is 0. An extension within
// what was promised to the peers stays local; one beyond it is replicated with a pad. A deadline in the past destroys
// the session, without a logout hold.
func (t *Table) Expire(now int64, k record.Key, due int64, cond ExpireCond) (res Result, err error) {
	if err := checkKey(k); err != nil {
		return res, err
	}
	var o op
	o.begin(t, now, k)
	err = o.expire(due, cond, &res)
	o.end()
	return res, err
}

func (o *op) expire(due int64, cond ExpireCond, res *Result) error {
	if o.t.closed.Load() {
		return ErrClosed
	}
	if res.Existed = o.visible(); !res.Existed {
		return nil
	}
	was := o.view().Due
	past := due != 0 && due <= o.at
	if why := o.t.Quarantine(); why != nil && !past {
		o.t.counts.refused.Add(1)
		return why
	}
	if !past {
		due = record.CapDue(min(due, maxDue), o.current().Absolute)
	}
	if !cond.holds(due, was) || due == 0 && was == 0 {
		return nil
	}
	res.Done = true
	switch {
	case past:
		o.destroy(false)
	case due != was:
		o.moveDeadline(due, was)
	}
	res.Seq = o.seq
	return nil
}

func (c ExpireCond) holds(due, current int64) bool {
	end := func(due int64) int64 {
		if due == 0 {
			return never
		}
		return due
	}
	switch c {
	case ExpireNX:
		return current == 0
	case ExpireXX:
		return current != 0
	case ExpireGT:
		return end(due) > end(current)
	case ExpireLT:
		return end(due) < end(current)
	}
	return true
}

// moveDeadline extends or shortens. Shortening, which includes setting a first deadline, promises the true deadline.
func (o *op) moveDeadline(due, now int64) {
	e, current := o.e, o.current()
	version := o.stamp()
	extends := due != 0 && now != 0 && due > now
	if d := o.t.deadline(e, o.floor); extends && d == current && due <= d.Deadline.Promise {
		o.touchHere(touch{current.ID, version.At, due})
		o.renewSoon(d, due)
		return
	}
	pad := int64(0)
	if extends {
		pad = record.Pad(due - o.at)
	}
	o.setDeadline(current, version, due, pad)
	o.takeDot(true)
	o.settle()
}

// touchHere remembers an extension that the peers need not hear of.
func (o *op) touchHere(t touch) {
	e := o.e
	e.mine = t
	if e.touch = &e.mine; e.packed.flags&hasRoom != 0 {
		e.packed.setTouch(&t, &e.state)
	} else {
		o.repack()
	}
	o.t.counts.localTouches.Add(1)
	send(o.watch, o, Touched)
}

// keepTouch looks after the local touch once the state may have changed. It goes with its birth, and a later deadline
// register overrides it. An earlier one that promises less than the touch granted would let peers expire what its user
// keeps alive: then the touch is replicated after all, with the stamp it was made at, so that a shortening between then
// and now that is still on its way wins as it should. Reports whether the state changed.
func (o *op) keepTouch() bool {
	if o.e == nil || o.e.touch == nil {
		return false
	}
	mine := *o.e.touch
	made := record.Version{At: mine.at, By: o.t.self()}
	birth, won := o.e.state.Find(mine.birth), o.t.deadline(o.e, o.floor)
	switch {
	case birth == nil, won == nil, !o.t.cfg.Origins.Later(made, won.Deadline.Version):
		o.e.forgetTouch()
		return false
	case won.Deadline.Due == 0, mine.due <= won.Deadline.Promise, o.t.closed.Load():
		return false
	}
	o.setDeadline(birth, made, mine.due, record.Pad(mine.due-o.at))
	o.takeDot(true)
	o.t.counts.reissued.Add(1)
	return true
}

// hasLifetime reports whether the key has births that end some time.
func (o *op) hasLifetime() bool {
	d := o.t.deadline(o.e, o.floor)
	return d != nil && d.Deadline.Due != 0
}
