package table

import (
	"github.com/sessioncast/sessioncast/internal/hlc"
	"github.com/sessioncast/sessioncast/internal/record"
)

// remoteLimitPercent of the memory limit is how far other nodes' records are accepted.
const remoteLimitPercent = 110

// Outcome says whether a merged state's dots may count as covered.
type Outcome uint8

// Outcomes of a Merge.
const (
	Applied    Outcome = iota // everything in it is known here now
	Incomplete                // a touch met no birth: the key's whole state is needed
	NoRoom                    // above the memory limit: only its tombstone was taken; pull it later
	Over                      // a birth in it ended here long ago, or came late and past its end, and was not taken: elsewhere it may live
)

// Merge joins what another node knows of a key. The name, and the bytes and owners in in, may lie over a buffer that
// changes later: what is taken over is copied. Tombstones and floors are applied full or not. What is due in
// a finished epoch is not inserted.
func (t *Table) Merge(now int64, k record.Key, in *record.State) Outcome {
	return t.MergeFrom(now, k, in, nil)
}

// MergeFrom is Merge of what a certain sender says, who may not have heard of what ended here, and may know of
// ends that this node has not heard of; see Past.
func (t *Table) MergeFrom(now int64, k record.Key, in *record.State, past Past) Outcome {
	if !k.Valid() {
		t.counts.invalid.Add(1)
		return Applied
	}
	if db, ok := k.IsFloor(); ok {
		t.mergeFloor(now, k, db, in)
		return Applied
	}
	var o op
	o.remote = true
	o.begin(t, now, k)
	o.withoutGone(in, past)
	in, over := o.withoutPast(in, past)
	outcome := o.merge(in)
	over = over || o.cameLate(in, past)
	o.end()
	if over && outcome == Applied {
		return Over
	}
	return outcome
}

func (t *Table) mergeFloor(now int64, k record.Key, db uint8, in *record.State) {
	var o op
	o.remote = true
	o.begin(t, now, k)
	raised := o.raiseFloor(db, in)
	o.end()
	if raised {
		t.dropKilled(now, db, true)
	}
}

func (o *op) merge(in *record.State) Outcome {
	if o.e == nil && in.IsEmpty() {
		return Applied
	}
	tombOnly := record.State{Tomb: in.Tomb}
	full := !o.hasRoom(in)
	if full {
		o.t.counts.noRoom.Add(1)
		if in = &tombOnly; in.IsEmpty() {
			return NoRoom
		}
	}
	fresh := o.e == nil
	if fresh {
		o.place()
		o.expect()
	}
	unborn := len(o.e.state.Births) == 0
	m := o.t.cfg.Origins.Merge(&o.e.state, in, o.floor)
	o.t.counts.crowded.Add(uint64(m.Crowded))
	if m.Changed {
		o.recall()
		o.collect(o.t.finished(o.at))
		if unborn {
			o.tellEnd()
		}
		o.keepTouch()
	}
	if m.Changed || fresh {
		o.settle()
	}
	switch {
	case full:
		return NoRoom
	case m.Incomplete:
		return Incomplete
	}
	return Applied
}

// expect makes room in an empty bucket for what the one before it holds. The hash spreads keys evenly, so one is empty beside a
// full one only while a transfer fills them in order.
func (o *op) expect() {
	if i := o.hash >> (64 - bucketBits); i > 0 && o.b.homes == 0 {
		o.b.expect(int(o.t.buckets[i-1].n.Load()))
	}
}

// hasRoom reports whether in fits under the limit for remote records. Only near the limit it looks closely.
func (o *op) hasRoom(in *record.State) bool {
	limit := o.t.cfg.MaxBytes
	if limit <= 0 || len(in.Births) == 0 {
		return true
	}
	limit = percentOf(limit, remoteLimitPercent)
	used := o.t.counts.bytes.Load()
	if used+atMost(len(o.k.Name), len(in.Births), valueBytes(in))+anyLabelCost(in) <= limit {
		return true
	}
	var trial record.State
	var cost int64
	if o.e != nil {
		trial, cost = o.e.state.Clone(), int64(o.e.cost)
	}
	o.t.cfg.Origins.Merge(&trial, in, o.floor)
	grow := costOf(o.k.Name, &trial) + anyLabelCost(&trial) - cost - labelCost(o.owner)
	return grow <= 0 || len(trial.Births) == 0 || used+grow <= limit
}

func valueBytes(s *record.State) (n int) {
	for i := range s.Births {
		n += len(s.Births[i].Value.Bytes) + len(s.Births[i].Value.Owner)
	}
	return n
}

// Load reads the key's whole state into into, whose Births are reused. Values are shared, never changed in place.
func (t *Table) Load(k record.Key, into *record.State) bool {
	h := t.hash(k)
	b := t.bucket(h)
	b.mu.Lock()
	defer b.mu.Unlock()
	p := b.find(h, k)
	if p == nil {
		into.Tomb, into.Births = record.Tombstone{}, into.Births[:0]
		return false
	}
	e := entries.Get().(*entry)
	p.unpack(e)
	copyState(into, &e.state)
	p.share()
	e.rest()
	return true
}

// LoadCopy is Load for who soon has no more use for the values: those that are no larger than what lies in pages are appended to buf, and what
// lies in the table may be written over where it is. It returns what buf has become.
func (t *Table) LoadCopy(k record.Key, into *record.State, buf []byte) (_ []byte, ok bool) {
	h := t.hash(k)
	b := t.bucket(h)
	b.mu.Lock()
	defer b.mu.Unlock()
	p := b.find(h, k)
	if p == nil {
		into.Tomb, into.Births = record.Tombstone{}, into.Births[:0]
		return buf, false
	}
	e := entries.Get().(*entry)
	p.unpack(e)
	copyState(into, &e.state)
	e.rest()
	for i := range into.Births {
		v := &into.Births[i].Value
		if len(v.Bytes) > maxPaged {
			p.share()
			continue
		}
		at := len(buf)
		buf = append(buf, v.Bytes...)
		v.Bytes = buf[at:len(buf):len(buf)]
	}
	return buf, true
}

// Destroyed is the stamp of the key's tombstone, 0 for none.
func (t *Table) Destroyed(k record.Key) hlc.Stamp {
	h := t.hash(k)
	b := t.bucket(h)
	b.mu.Lock()
	defer b.mu.Unlock()
	p := b.find(h, k)
	if p == nil || p.flags&hasTomb == 0 {
		return 0
	}
	var e entry
	p.unpack(&e)
	return e.state.Tomb.At
}

func copyState(to, from *record.State) {
	to.Tomb = from.Tomb
	to.Births = append(to.Births[:0], from.Births...)
}
