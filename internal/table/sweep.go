package table

import (
	"sync"
	"sync/atomic"

	"github.com/sessioncast/sessioncast/internal/record"
)

// sweepBudget is how many due entries one Sweep looks at.
const sweepBudget = 65_536

// epochSlack and twice the allowed skew are by how much an epoch may be ahead of clocks within their limits.
const epochSlack = record.EpochMillis

// sweeper remembers where the last Sweep stopped, and which epoch's collection is complete.
type sweeper struct {
	mu    sync.Mutex
	start int
	done  atomic.Int64
}

// Sweep hides what is past its promise, with an Expired event each, collects what was due in finished epochs, and replicates
// local touches before they outgrow their promise. Call it about once a second. It works in bounded steps: true means that there is more to do at once.
func (t *Table) Sweep(now int64) (more bool) {
	t.renewTouches(now)
	s := &t.sweeper
	s.mu.Lock()
	start := s.start
	s.mu.Unlock()
	now = t.believed(now)
	at := t.clusterTime(now)
	t.moveEpoch((at - t.lateMS.Load()) / record.EpochMillis * record.EpochMillis)
	epoch := t.epoch.Load()
	budget := sweepBudget
	stop := start
	for i := range Buckets {
		stop = (start + i) % Buckets
		b := &t.buckets[stop]
		if b.next.Load() <= at && !t.sweepBucket(b, now, at, &budget) {
			more = true
			break
		}
	}
	t.tidyAll()
	s.mu.Lock()
	s.start = stop
	s.mu.Unlock()
	if !more {
		s.done.Store(epoch)
	}
	return more && t.lateMS.Load() == 0 // what is due and may not go yet would be looked at again and again
}

// moveEpoch goes forward, or back where this node's clock was far ahead and is not any more: until the cluster came to
// the epoch that was finished too early, whatever the others send would be dropped, and fingerprints not be compared.
// This way both go on, and what was collected too early is healed.
func (t *Table) moveEpoch(epoch int64) {
	if was := t.epoch.Load(); epoch > was || t.tooEarly(was, epoch) {
		t.epoch.Store(epoch)
	}
}

// tooEarly reports whether an epoch's end was reached by a clock that was far ahead of at.
func (t *Table) tooEarly(epoch, at int64) bool {
	return at < epoch-epochSlack-2*t.cfg.MaxSkew.Milliseconds()
}

// finished is the epoch that nothing is inserted any more of. Where the clock was set back since the last Sweep it is one that
// the cluster has reached.
func (t *Table) finished(at int64) int64 {
	if epoch := t.epoch.Load(); !t.tooEarly(epoch, at) {
		return epoch
	}
	return at / record.EpochMillis * record.EpochMillis
}

// HoldBack has nothing collected, nor dropped as long past, until the next Sweep. It is to be called when somebody is met who has not told its
// clock yet: until it is judged whose clock is right, what it sends must be kept. What it stamps says only where its clock is not
// ahead of: a clock that was set back stamps on from where it was.
func (t *Table) HoldBack() { t.epoch.Store(0) }

// Epoch is the end of the last epoch, in Unix milliseconds, whose collection is complete, and whether none has begun
// since: only then fingerprints are to be compared, with those of nodes at the same epoch.
func (t *Table) Epoch() (end int64, settled bool) {
	end = t.sweeper.done.Load()
	return end, end == t.epoch.Load()
}

// sweepBucket looks at what is due in b; false if the budget ran out first.
func (t *Table) sweepBucket(b *bucket, now, at int64, budget *int) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	for from := uint64(0); ; {
		due, ok := b.firstDue(from, at)
		if !ok {
			break
		}
		if *budget <= 0 {
			return false // b.next is as it was
		}
		*budget--
		t.wakeUp(b, now, due)
		if from = due.hash + 1; from == 0 {
			break
		}
	}
	b.next.Store(b.nextWake())
	return true
}

// firstDue is the first slot with a hash of at least from that is due.
func (b *bucket) firstDue(from uint64, at int64) (due slot, ok bool) {
	for i := b.seek(from); i < len(b.slots); i++ {
		if s := &b.slots[i]; s.e != nil && s.wake <= at {
			return *s, true
		}
	}
	return due, false
}

// nextWake is the earliest wake of all.
func (b *bucket) nextWake() int64 {
	next := int64(never)
	for i := range b.slots {
		if s := &b.slots[i]; s.e != nil {
			next = min(next, s.wake)
		}
	}
	return next
}

// wakeUp looks at an entry for which something is due.
func (t *Table) wakeUp(b *bucket, now int64, due slot) {
	o := op{t: t, b: b, hash: due.hash, now: now, at: t.clusterTime(now), floor: t.floor(due.e.db())}
	o.slot = b.indexOf(due.hash, due.e)
	o.take()
	o.was = o.seen()
	if o.e.class == session && !o.visible() {
		o.hide()
	}
	if o.collect(t.epoch.Load()) {
		t.counts.purged.Add(1)
		o.settle()
	}
	if o.e != nil {
		o.schedule()
	}
	o.rest()
}

// nextWake is when the sweeper must look at e next, the cluster's time being at.
func (t *Table) nextWake(e *entry, at int64) int64 {
	next := int64(never)
	if e.isFloor() {
		return next
	}
	births := e.state.Births
	if d := t.deadline(e, 0); e.class == session && d.Deadline.Due != 0 {
		next = max(d.Deadline.Promise+t.skewMS.Load(), at+1) // not hidden though due: the hybrid clock is ahead
	}
	if e.class == hidden || len(births) > 1 { // a lone birth is hidden before it goes
		for i := range births {
			next = min(next, e.state.PurgeAt(t.cfg.Origins, &births[i], t.keep(), t.cfg.MaxSkew))
		}
	}
	if e.state.Tomb != (record.Tombstone{}) {
		next = min(next, record.EpochEnd(e.state.Tomb.Until))
	}
	return next
}
