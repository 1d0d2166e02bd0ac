package table

import (
	"slices"
	"time"

	"github.com/sessioncast/sessioncast/internal/record"
)

// After a separation longer than a tombstone is kept, absence is judged by dots (docs/ARCHITECTURE.md, "Long separations").
// Who covers what is for the engine to say; here it is carried out under the key's lock. A birth younger than a tombstone's keep
// cannot have met one that is collected, so it is never asked about.

// Past tells what its caller knows about births that a certain sender has, and that are not here, or the other way round. It is called with
// the lock of the key's bucket held: it must not use the table.
type Past interface {
	// Over reports whether the birth ended here, by a destroy that its sender may not have heard of.
	Over(b *record.Birth) bool
	// Gone reports whether a birth that is here, and that the sender lacks, ended there. It is asked once, and what it says is done.
	Gone(b *record.Birth) bool
	// Late reports whether what the sender says was under way for as long as a tombstone is kept.
	Late() bool
}

// keep is how long a tombstone is kept, but for skew and pad; 0 stands for 24 h.
func (t *Table) keep() time.Duration {
	if t.cfg.Lifetime > 0 {
		return t.cfg.Lifetime
	}
	return t.cfg.Keep
}

// Keep is how long a tombstone is kept, but for the skew, twice, and a pad.
func (t *Table) Keep() time.Duration { return record.LifeOr24h(t.keep()) }

// old reports whether a tombstone that killed b may have been collected anywhere, the cluster's time being at.
func (t *Table) old(b *record.Birth, at int64) bool {
	return b.ID.At.Millis()+t.Keep().Milliseconds() <= at
}

// withoutPast is in without the births that are not here and are over; nearly always in itself.
func (o *op) withoutPast(in *record.State, past Past) (kept *record.State, over bool) {
	if past == nil {
		return in, false
	}
	for i := range in.Births {
		if b := &in.Births[i]; o.t.old(b, o.at) && o.lacks(b) && past.Over(b) {
			o.t.counts.over.Add(1)
			rest := o.withoutPastFrom(in, i, past)
			return &rest, true
		}
	}
	return in, false
}

// withoutPastFrom copies in without its i-th birth, which is over, and those behind it that are over, too.
func (o *op) withoutPastFrom(in *record.State, i int, past Past) record.State {
	rest := in.Clone()
	rest.Births = slices.Delete(rest.Births, i, i+1)
	rest.Births = slices.DeleteFunc(rest.Births, func(b record.Birth) bool {
		return o.t.old(&b, o.at) && o.lacks(&b) && past.Over(&b)
	})
	return rest
}

// withoutGone drops the births that are not in in and ended where it comes from. That comes first: one that overrides a birth of in would have it forgotten as
// past, and then go itself.
func (o *op) withoutGone(in *record.State, past Past) {
	if past == nil || o.e == nil {
		return
	}
	n := len(o.e.state.Births)
	o.e.state.Births = slices.DeleteFunc(o.e.state.Births, func(b record.Birth) bool {
		return o.t.old(&b, o.at) && in.Find(b.ID) == nil && past.Gone(&b)
	})
	gone := n - len(o.e.state.Births)
	if gone == 0 {
		return
	}
	o.t.counts.absent.Add(uint64(gone))
	o.keepTouch()
	if o.settle(); o.e != nil {
		o.was = o.seen()
	}
}

// cameLate reports, after a merge of in, which was long under way, whether a birth of it was not kept though nothing known has killed it: it came past its end.
// Who then held its creating dot and lacked it would tell others that the session ended, and a later change may have kept it alive.
func (o *op) cameLate(in *record.State, past Past) bool {
	if past == nil {
		return false
	}
	for i := range in.Births {
		b := &in.Births[i]
		if o.lacks(b) && !record.Kills(in.Tomb, o.floor, b) && !o.kills(b) {
			return past.Late()
		}
	}
	return false
}

// kills reports whether a tombstone that is here ends b.
func (o *op) kills(b *record.Birth) bool { return o.e != nil && record.Kills(o.e.state.Tomb, 0, b) }

func (o *op) lacks(b *record.Birth) bool { return o.e == nil || o.e.state.Find(b.ID) == nil }

// DropAbsent ends the old births of keys whose hashes are from `from` up to, and not including, `to`, for which gone says so, and
// returns how many. Watchers see them destroyed. gone is called with the lock of the key's bucket held.
func (t *Table) DropAbsent(now int64, from, to uint64, gone func(k record.Key, b *record.Birth) bool) (dropped int) {
	if from >= to {
		return 0
	}
	for i := int(from >> (64 - bucketBits)); i <= int((to-1)>>(64-bucketBits)); i++ {
		b := &t.buckets[i]
		if b.n.Load() == 0 {
			continue
		}
		dropped += t.dropAbsentIn(b, now, from, to, gone)
	}
	t.counts.absent.Add(uint64(dropped))
	return dropped
}

// anyOld reports whether a birth in b may be old, without unpacking those that are the only one of their key: in a transfer to
// a node that was not away nothing is.
func (t *Table) anyOld(b *bucket, at int64) bool {
	for i := range b.slots {
		p := b.slots[i].e
		if p != nil && p.flags&hasBirth != 0 && (p.flags&hasMore != 0 || p.at.Millis()+t.Keep().Milliseconds() <= at) {
			return true
		}
	}
	return false
}

func (t *Table) dropAbsentIn(b *bucket, now int64, from, to uint64, gone func(k record.Key, b *record.Birth) bool) (dropped int) {
	var hit []slot
	var dots []logged
	now = t.believed(now)
	b.mu.Lock()
	at := t.clusterTime(now)
	if !t.anyOld(b, at) {
		b.mu.Unlock()
		return 0
	}
	absent := func(e *entry) func(record.Birth) bool {
		k := e.key()
		return func(x record.Birth) bool { return t.old(&x, at) && gone(k, &x) }
	}
	b.walk(from, func(hash uint64, e *entry) bool {
		if hash < to && !e.isFloor() && slices.ContainsFunc(e.state.Births, absent(e)) {
			hit = append(hit, slot{hash: hash, e: e.packed})
		}
		return hash < to
	})
	for _, s := range hit {
		o := op{t: t, b: b, hash: s.hash, now: now, at: at, remote: true}
		o.slot = b.indexOf(s.hash, s.e)
		o.take()
		e := o.e
		k, n := e.key(), len(e.state.Births)
		o.floor, o.was = t.floor(k.DB), o.seen()
		e.state.Births = slices.DeleteFunc(e.state.Births, absent(e))
		dropped += n - len(e.state.Births)
		o.keepTouch()
		if o.settle(); o.seq != 0 {
			dots = append(dots, logged{seq: o.seq, name: k.Name, db: k.DB, touch: true})
		}
		o.rest()
	}
	b.mu.Unlock()
	for _, d := range dots {
		t.logOwn(d.seq, d.key(), d.touch)
	}
	return dropped
}
