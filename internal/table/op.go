package table

import (
	"github.com/sessioncast/sessioncast/internal/hlc"
	"github.com/sessioncast/sessioncast/internal/record"
)

// op is one operation on one key, from begin, which takes the bucket's lock, to end.
type op struct {
	t      *Table
	b      *bucket
	k      record.Key // the caller's name: not to be kept
	hash   uint64
	now    int64 // wall time
	at     int64 // cluster time
	floor  hlc.Stamp
	e      *entry // nil: nothing is known
	room   *entry // what e is unpacked to
	slot   int    // where e is in the bucket
	was    seen   // before the operation, where anybody watches
	watch  *[]*Watcher
	owner  string // the label that the index of owners has for it
	remote bool

	seq   uint64 // own dot of the change, logged after the lock is released
	touch bool   // it changed the deadline only
}

// seen is which registers a reader sees: it tells a change from a touch.
type seen struct{ value, deadline record.Version }

func (o *op) begin(t *Table, now int64, k record.Key) {
	o.t, o.k, o.now = t, k, t.believed(now)
	o.hash = t.hash(k)
	o.b = t.bucket(o.hash)
	o.b.mu.Lock()
	o.at = t.clusterTime(o.now)
	o.floor = t.floor(k.DB) // under the lock: a Flush that has passed this bucket is seen
	if o.slot = o.b.locate(o.hash, k); o.slot >= 0 {
		o.take()
		o.refresh()
	}
}

// take unpacks the entry in the operation's slot.
func (o *op) take() {
	if o.room == nil {
		o.room = entries.Get().(*entry)
	}
	o.e = o.room
	s := &o.b.slots[o.slot]
	s.e.unpack(o.e)
	o.e.wake = s.wake
	if s.e.flags&(hasLabel|hasMore) != 0 { // few have any
		o.owner = o.t.label(o.e)
	}
	o.watch = o.t.watch.list.Load()
}

// rest gives back what the operation has borrowed.
func (o *op) rest() {
	if o.room != nil {
		o.room.rest()
		o.e, o.room = nil, nil
	}
}

// refresh brings the entry up to the present before it is changed, so that each event is seen by itself: what a floor
// has killed goes, what is past its promise is counted as hidden.
func (o *op) refresh() {
	e := o.e
	n := len(e.state.Births)
	if n == 0 {
		return
	}
	o.was = o.seen()
	if e.state.Births[n-1].ID.At <= o.floor {
		o.t.cfg.Origins.Merge(&e.state, &record.State{}, o.floor)
		o.settle()
		if o.e == nil {
			return
		}
		o.was = o.seen()
	} else if e.class == session && !o.visible() {
		o.hide()
	}
}

// hide counts as hidden what is past its promise.
func (o *op) hide() {
	o.reclass()
	o.schedule()
}

// end releases the lock, then logs the dot if there is one and tells the loop.
func (o *op) end() {
	var k record.Key
	if o.seq != 0 {
		k = o.e.key()
	}
	o.b.mu.Unlock()
	o.t.logOwn(o.seq, k, o.touch)
	o.rest()
	o.t.tidy(o.hash)
}

// logOwn remembers an own dot's key and wakes the loop; seq 0 is no dot.
func (t *Table) logOwn(seq uint64, k record.Key, touch bool) {
	if seq == 0 {
		return
	}
	t.own.note(seq, k, touch)
	if t.cfg.OnWrite != nil {
		t.cfg.OnWrite()
	}
}

// visible reports whether a reader would find the key.
func (o *op) visible() bool {
	if o.e == nil {
		return false
	}
	d := o.t.deadline(o.e, o.floor)
	return d != nil && !d.Deadline.Hidden(o.at, o.t.skewAt(o.now, o.at))
}

// view is what a reader sees of the key, until something is changed.
func (o *op) view() View {
	v, _ := o.t.view(o.e, o.floor, o.now, o.at)
	return v
}

// show is view for who keeps it.
func (o *op) show() View {
	o.e.packed.share()
	v := o.view()
	v.Render()
	return v
}

func (o *op) seen() seen {
	if o.watch == nil {
		return seen{}
	}
	if v, d := o.e.state.Winner(o.t.cfg.Origins, o.floor); v != nil {
		return seen{v.Value.Version, d.Deadline.Version}
	}
	return seen{}
}

// highest is the highest stamp that this node knows for the key.
func (o *op) highest() hlc.Stamp {
	if o.e == nil {
		return o.floor
	}
	h := max(o.floor, o.e.state.Highest())
	if o.e.touch != nil {
		h = max(h, o.e.touch.at)
	}
	return h
}

// current is the birth that local changes of a visible key go to.
func (o *op) current() *record.Birth {
	return o.e.state.Current(o.floor, o.at, o.t.skewAt(o.now, o.at))
}

// stamp is the version of a local write: later than everything known of the key. Being raised above that does not
// move the clock.
func (o *op) stamp() record.Version {
	return record.Version{At: max(o.t.cfg.Clock.Now(o.now), o.highest().Next()), By: o.t.self()}
}

// destroyStamp is the stamp of a tombstone or floor: ahead by the allowed skew, so that a clock that is behind by less
// cannot miss a birth it has not seen. The last stamp of its millisecond, so that none made in it slips by.
func (o *op) destroyStamp() hlc.Stamp {
	base := hlc.At(o.now)
	if o.t.quarantine.Load() == nil {
		base = o.t.cfg.Clock.Now(o.now)
	}
	last := hlc.At(base.Add(o.t.cfg.MaxSkew).Millis()+1) - 1
	return max(last, o.highest().Next())
}

// takeDot gives the operation its dot. All that it changes has one: who is told of that gets the key's state.
func (o *op) takeDot(touch bool) {
	if o.seq != 0 {
		o.touch = o.touch && touch
		return
	}
	o.seq, o.touch = o.t.seq.Add(1), touch
}

// place makes an entry for a key of which nothing is known. It is in the table once it is settled.
func (o *op) place() {
	if o.room == nil {
		o.room = entries.Get().(*entry)
	}
	o.e = o.room
	o.e.begin(o.k)
	o.watch = o.t.watch.list.Load()
}

// settle brings everything derived from the entry's state up to date after a change, and the table to the entry: packed
// form, fingerprint, index of owners, bytes, counts, events, the next wake. An entry that says nothing any more goes.
func (o *op) settle() {
	e, t := o.e, o.t
	print := t.cfg.Origins.Fingerprint(o.hash, &e.state)
	o.b.sum.Add(print - e.print)
	e.print = print
	if e.touch != nil && e.state.Find(e.touch.birth) == nil {
		e.touch = nil
	}
	if o.owner != "" || labelled(e.state.Births) {
		o.claim()
	}
	if e.state.IsEmpty() {
		o.reclass()
		t.counts.bytes.Add(-int64(e.cost))
		if e.packed != nil {
			o.b.removeAt(o.slot)
			t.arena(o.hash).free(e.packed, int(e.cost)-slotCost)
		}
		o.e = nil
		return
	}
	o.repack()
	o.reclass()
	o.schedule()
}

// repack writes the entry anew, where readers of what it was are not disturbed.
func (o *op) repack() {
	e := o.e
	was, cost := e.packed, int64(e.cost)
	a := o.t.arena(o.hash)
	e.pack(a)
	if e.packed == was {
		return
	}
	if was != nil {
		a.free(was, int(cost)-slotCost)
	}
	if o.t.counts.bytes.Add(int64(e.cost) - cost); was == nil {
		o.slot = o.b.insert(o.hash, e.packed)
	} else {
		o.b.slots[o.slot].e = e.packed
	}
}

// schedule has the sweeper look at the entry when something is due.
func (o *op) schedule() {
	if next := o.t.nextWake(o.e, o.at); next != o.e.wake {
		o.e.wake = next
		o.b.slots[o.slot].wake = next
		if next < o.b.next.Load() {
			o.b.next.Store(next)
		}
	}
}

func (o *op) reclass() {
	e := o.e
	now := o.classify()
	if e.unknown && now != tombstone {
		e.unknown = false
		o.t.counts.unknown.Add(-1)
	}
	o.emit(e.class, now)
	if e.class != now {
		o.t.counts.move(e.db, e.class, now)
		e.setClass(now)
	}
}

func (o *op) classify() class {
	switch {
	case len(o.e.state.Births) == 0 && o.e.state.IsEmpty():
		return absent
	case len(o.e.state.Births) == 0:
		return tombstone
	case o.visible():
		return session
	}
	return hidden
}

// emit tells watchers what the change of class, or of a session's registers, means to a reader.
func (o *op) emit(was, now class) {
	if was == session && now == hidden {
		o.t.counts.expired.Add(1)
	}
	list := o.watch
	if list == nil {
		return
	}
	seen := o.seen()
	switch {
	case was != session && now != session:
		return
	case was == session && now == hidden:
		send(list, o, Expired)
	case was == session && now != session:
		send(list, o, Destroyed)
	case was != session:
		send(list, o, Created)
	case seen.value != o.was.value:
		send(list, o, Changed)
	case seen.deadline != o.was.deadline:
		send(list, o, Touched)
	}
}
