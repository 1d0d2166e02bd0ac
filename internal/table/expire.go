package table

import (
	"github.com/sessioncast/sessioncast/internal/record"
)

// A touch beyond the promise promises this much more than the new deadline, so that the touches after it stay local.
const (
	padShare = 16   // a sixteenth of the time to live,
	minPad   = 1000 // at least a second, in milliseconds
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
	res.Before, _ = o.t.view(o.e, o.floor, o.at)
	past := due != 0 && due <= o.at
	if o.t.quarantine.Load() && !past {
		o.t.counts.refused.Add(1)
		return ErrClock
	}
	if !past {
		due = capDue(due, o.e.state.Births[0].Absolute)
	}
	if !cond.holds(due, res.Before.Due) || due == 0 && res.Before.Due == 0 {
		return nil
	}
	res.Done = true
	switch {
	case past:
		o.destroy(false)
	case due != res.Before.Due:
		o.moveDeadline(due, res.Before.Due)
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
func (o *op) moveDeadline(due, current int64) {
	e := o.e
	version := o.stamp()
	extends := due != 0 && current != 0 && due > current
	if d := o.t.deadline(e, o.floor); extends && d.Due != 0 && due <= d.Promise {
		e.touchAt, e.touchDue = version.At, due
		o.t.counts.localTouches.Add(1)
		send(o.t.watch.list.Load(), o, Touched)
		return
	}
	pad := int64(0)
	if extends {
		pad = padFor(due - o.at)
	}
	o.setDeadline(&e.state.Births[0], version, due, pad)
	o.takeDot(true)
	o.settle()
}

func padFor(ttl int64) int64 { return max(minPad, ttl/padShare) }

// keepTouch looks after the local touch once the entry's deadline register may have changed. A later register
// overrides it. An earlier one that promises less than the touch granted would let peers expire what its user keeps
// alive: then the touch is replicated after all, with the stamp it was made at, so that a shortening between then and
// now that is still on its way wins as it should. Reports whether the state changed.
func (o *op) keepTouch() bool {
	e := o.e
	if e == nil || e.touchAt == 0 {
		return false
	}
	made := record.Version{At: e.touchAt, By: o.t.self}
	d := o.t.deadline(e, o.floor)
	if d == nil || o.t.cfg.Origins.Later(d.Version, made) {
		e.touchAt, e.touchDue = 0, 0
		return false
	}
	if d.Due != 0 && (d.Promise >= e.touchDue || e.touchDue <= o.at) || o.t.closed.Load() {
		return false
	}
	due := e.touchDue
	o.setDeadline(&e.state.Births[0], made, due, padFor(due-o.at))
	o.takeDot(true)
	o.t.counts.reissued.Add(1)
	return true
}

// hasLifetime reports whether the key has births that end some time.
func (o *op) hasLifetime() bool {
	d := o.t.deadline(o.e, o.floor)
	return d != nil && d.Due != 0
}
