package table

import (
	"github.com/sessioncast/sessioncast/internal/hlc"
	"github.com/sessioncast/sessioncast/internal/record"
)

// What came to its end and was forgotten may have overridden something that nobody here had heard of: another part of the cluster wrote the
// session before, with a longer life. So a few numbers stay of each end, for as long as a tombstone would, and where an older deadline of
// the key arrives the end is told after all, under its own stamp (docs/adr/0017-an-end-is-remembered.md). This is known here only, as
// local touches are; nothing but the loss of memory, here and on all others that saw the end, forgets it sooner, and what exceeds these limits.
const (
	MaxEnds   = 1 << 19 // remembered by a table, evenly spread over its buckets: 20 MiB
	endsShare = 64      // they take this part, as a divisor, of the memory limit besides it
	endBytes  = 40      // with the hash of the key
	weakEnd   = 1 << 31 // marks a weak birth in end.padWeak
	maxEndPad = weakEnd - 1
)

// ends are the latest that a bucket remembers, guarded by its lock. The zero value is ready to use.
type ends struct{ recent[end] }

// end is the deadline register that had won when the last of a key's births went, and what is needed to tell whether a destroy
// killed its birth.
type end struct {
	at      hlc.Stamp
	born    hlc.Stamp
	due     int64
	padWeak uint32 // how much later than due the promise was, and weakEnd
	by      record.Ref
}

// maxEndsIn is how many ends a bucket remembers at most.
func (t *Table) maxEndsIn() int {
	if t.cfg.MaxBytes <= 0 {
		return MaxEnds / Buckets
	}
	return int(min(max(t.cfg.MaxBytes/endsShare/endBytes/Buckets, 1), MaxEnds/Buckets))
}

// keep remembers an end in the place of an earlier one of its key, else of the oldest where there is no room for one more, which it
// returns.
func (e *ends) keep(hash uint64, x end, limit int) (displaced end) {
	if was := e.find(hash); was != nil {
		*was = x
		return displaced
	}
	displaced, _ = e.add(hash, x, limit)
	return displaced
}

// remembers reports whether an end counts at a time: as long as a tombstone would be kept. One whose stamp is not surely past, raised or by a wrong
// clock, does not: what is created after it may be stamped below.
func (t *Table) remembers(x *end, at int64) bool {
	return x.at != 0 && x.at.Add(2*t.cfg.MaxSkew).Millis() <= at && at < x.at.Add(t.Keep()).Millis()
}

func (t *Table) endsOf(hash uint64) *ends { return &t.ends[hash>>(64-bucketBits)] }

// purge drops what was due by the end of an epoch. Merge first, judge on the result. Of the last birth that goes its end is remembered.
func (o *op) purge(epoch int64) (changed bool) {
	e, t := o.e, o.t
	if e.isFloor() {
		return false
	}
	last := t.deadline(e, o.floor)
	if last == nil {
		return e.state.Purge(t.cfg.Origins, epoch, t.keep(), t.cfg.MaxSkew)
	}
	d := last.Deadline
	x := end{
		at: d.At, by: d.By, born: last.ID.At, due: d.Due,
		padWeak: uint32(min(max(d.Promise-d.Due, 0), maxEndPad)),
	}
	if last.Weak {
		x.padWeak |= weakEnd
	}
	changed = e.state.Purge(t.cfg.Origins, epoch, t.keep(), t.cfg.MaxSkew)
	if changed && len(e.state.Births) == 0 && t.remembers(&x, o.at) {
		if lost := t.endsOf(o.hash).keep(o.hash, x, t.maxEndsIn()); t.remembers(&lost, o.at) {
			t.counts.endsDropped.Add(1)
		}
	}
	return changed
}

// tellEnd writes a remembered end, with its own stamp and a dot of ours, into what has come to a key without births and is older. What finds
// a birth here needs no look: that one overrides all that the end does.
func (o *op) tellEnd() {
	t := o.t
	x := t.endsOf(o.hash).find(o.hash)
	if x == nil || !t.remembers(x, o.at) || t.closed.Load() {
		return
	}
	made, won := record.Version{At: x.at, By: x.by}, t.deadline(o.e, o.floor)
	born := record.Birth{ID: record.Version{At: x.born}, Weak: x.padWeak&weakEnd != 0}
	if won == nil || !t.cfg.Origins.Later(made, won.Deadline.Version) || record.Kills(o.e.state.Tomb, o.floor, &born) {
		return
	}
	due, promise := record.CapDue(x.due, won.Absolute), record.CapDue(x.due+int64(x.padWeak&maxEndPad), won.Absolute)
	won.SetDeadline(record.Deadline{Version: made, Due: due, Promise: promise}, o.at, t.keep())
	o.takeDot(true)
	t.counts.endsTold.Add(1)
}
