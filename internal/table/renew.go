package table

import (
	"strings"
	"sync"

	"github.com/sessioncast/sessioncast/internal/record"
)

// Local touches that are about to outgrow their promise are replicated ahead of that, many together: no request waits for it,
// and the datagrams are full. It is early enough at any time, since until then the promise covers the touch.
const (
	renewShare  = 4      // of the pad: a touch that leaves less than a fourth of it is to be renewed
	renewEvery  = 1000   // milliseconds between two rounds
	renewBatch  = 1024   // keys of one Sweep: a burst that receivers' buffers hold
	maxRenewals = 65_536 // keys waiting; what finds no room is replicated when its promise is outgrown
)

// renewals are the keys whose local touch is to be replicated soon.
type renewals struct {
	mu     sync.Mutex
	queued map[record.Key]struct{}
	list   []record.Key // in the order they came
	next   int64        // of the next round, Unix milliseconds
}

// add reports whether there was room for k, whose name is the caller's.
func (r *renewals) add(k record.Key) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, is := r.queued[k]; is {
		return true
	}
	if len(r.list) >= maxRenewals {
		return false
	}
	if r.queued == nil {
		r.queued = make(map[record.Key]struct{})
	}
	k.Name = strings.Clone(k.Name)
	r.queued[k] = struct{}{}
	r.list = append(r.list, k)
	return true
}

// take returns what is to be renewed at now.
func (r *renewals) take(now int64) []record.Key {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.list) == 0 || now < r.next && now > r.next-2*renewEvery { // a clock that went back does not stop it
		return nil
	}
	n := min(len(r.list), renewBatch)
	batch := append([]record.Key(nil), r.list[:n]...)
	for _, k := range batch {
		delete(r.queued, k)
	}
	clear(r.list[:n])
	if r.list = r.list[n:]; len(r.list) == 0 {
		r.list, r.next = nil, now+renewEvery
	}
	return batch
}

// renewSoon queues the key whose local touch leaves little of the promise d, unless the absolute lifetime leaves nothing to
// promise.
func (o *op) renewSoon(d *record.Birth, due int64) {
	pad := record.Pad(due - o.at)
	if due <= d.Deadline.Promise-pad/renewShare || record.CapDue(due+pad, d.Absolute) <= d.Deadline.Promise {
		return
	}
	if !o.t.renewals.add(o.k) {
		o.t.counts.renewDropped.Add(1)
	}
}

// renewTouches replicates the local touches that are due for it.
func (t *Table) renewTouches(now int64) {
	for _, k := range t.renewals.take(now) {
		var o op
		o.begin(t, now, k)
		o.renew()
		o.end()
	}
}

// renew replicates the local touch under the stamp it was made with, so that a shortening after it wins wherever they meet.
func (o *op) renew() {
	if o.e == nil || o.e.touch == nil || o.t.closed.Load() || !o.visible() {
		return
	}
	mine := *o.e.touch
	made := record.Version{At: mine.at, By: o.t.self()}
	birth, won := o.e.state.Find(mine.birth), o.t.deadline(o.e, o.floor)
	if birth == nil || birth != won || !o.t.cfg.Origins.Later(made, won.Deadline.Version) {
		return
	}
	o.setDeadline(birth, made, mine.due, record.Pad(mine.due-o.at))
	o.takeDot(true)
	o.was = o.seen() // nobody sees a difference
	o.t.counts.renewed.Add(1)
	o.settle()
}
