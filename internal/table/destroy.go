package table

import (
	"sync/atomic"

	"github.com/sessioncast/sessioncast/internal/hlc"
	"github.com/sessioncast/sessioncast/internal/record"
)

// Limits of the tombstones that this node makes for keys it has never heard of: their create may be on the way, but a
// client that destroys made-up names must not fill every node's memory.
const (
	MaxUnknownTombs      = 65_536
	UnknownTombsPerSec   = 1000
	UnknownTombsBurst    = 4096
	unknownIntervalMicro = 1_000_000 / UnknownTombsPerSec
	unknownBurstMicro    = UnknownTombsBurst * unknownIntervalMicro
	unknownSlackMicro    = 1_000_000 // concurrent callers' readings differ by less than this; a clock that was set back by more
)

// Destroy ends a session for good. hold asks for the logout hold, which a session with a lifetime then gets. A key
// that is not known here is destroyed too, within limits, and gets the hold where the table is partial: it may be one.
func (t *Table) Destroy(now int64, k record.Key, hold bool) (res Result, err error) {
	if err := checkKey(k); err != nil {
		return res, err
	}
	var o op
	o.begin(t, now, k)
	if t.closed.Load() {
		o.end()
		return res, ErrClosed
	}
	if res.Existed = o.visible(); res.Existed {
		res.Before = o.show()
	}
	o.destroy(hold)
	res.Seq, res.Done = o.seq, o.seq != 0
	o.end()
	return res, nil
}

func (o *op) destroy(hold bool) {
	if o.e == nil && !o.admitUnknown() {
		o.t.counts.unknownDropped.Add(1)
		return
	}
	t := o.t
	tomb := record.Tombstone{At: o.destroyStamp()}
	if hold && t.cfg.Hold > 0 && (o.e != nil && o.hasLifetime() || o.e == nil && t.Partial()) {
		tomb.Hold = tomb.At.Add(t.cfg.Hold)
	} else if o.held() && o.e.state.Tomb.Hold <= tomb.At { // a hold up to the tombstone is none; nobody's destroy ends another's hold
		tomb.Hold = tomb.At.Next()
	}
	tomb.Until = record.TombUntil(tomb.At, tomb.Hold, t.keep(), t.cfg.MaxSkew)
	if o.e == nil {
		o.place()
		o.e.unknown = true
		t.counts.unknown.Add(1)
	}
	t.cfg.Origins.Merge(&o.e.state, &record.State{Tomb: tomb}, o.floor)
	o.takeDot(false)
	o.settle()
}

// held reports whether a logout hold is on the key.
func (o *op) held() bool { return o.e != nil && o.t.cfg.Clock.Read(o.now) <= o.e.state.Tomb.Hold }

func (o *op) admitUnknown() bool {
	return o.t.counts.unknown.Load() < MaxUnknownTombs && o.t.unknown.allow(o.now)
}

// limiter is a token bucket as one number: the moment, in microseconds, when it will be full again.
type limiter struct{ full atomic.Int64 }

func (l *limiter) allow(nowMS int64) bool {
	now := nowMS * 1000
	for {
		was := l.full.Load()
		next := max(was, now) + unknownIntervalMicro
		if next > now+unknownBurstMicro+unknownSlackMicro {
			next = now + unknownBurstMicro // the clock was set back: as if just emptied, or it were shut until the clock is there again
		}
		if next > now+unknownBurstMicro {
			return false
		}
		if l.full.CompareAndSwap(was, next) {
			return true
		}
	}
}

// Flush destroys every session of db, here at once, elsewhere as the floor arrives. It takes a time in proportion to
// the sessions held. It starts no logout hold. Watchers get a Destroyed event for each session.
func (t *Table) Flush(now int64, db int) (seq uint64, err error) {
	if db < 0 || db >= record.Databases {
		return 0, ErrKeyTooLong
	}
	above := t.highestBirth(uint8(db))
	k := record.FloorKey(uint8(db))
	var o op
	o.begin(t, now, k)
	if t.closed.Load() {
		o.end()
		return 0, ErrClosed
	}
	o.floor = above
	o.raiseFloor(uint8(db), &record.State{Tomb: record.Tombstone{At: o.destroyStamp()}})
	o.takeDot(false)
	seq = o.seq
	o.b.mu.Unlock()
	o.rest()
	t.dropKilled(now, uint8(db), false)
	t.logOwn(seq, k, false)
	return seq, nil
}

// highestBirth is the highest stamp that a floor of db must exceed to kill everything this node holds.
func (t *Table) highestBirth(db uint8) hlc.Stamp {
	var highest hlc.Stamp
	t.each(func(_ *bucket, _ uint64, e *entry) {
		if e.db == db && len(e.state.Births) > 0 {
			highest = max(highest, e.state.Births[0].ID.At)
		}
	})
	return highest
}

// raiseFloor merges a floor's state into its entry and publishes it, under the floor key's lock. Only the stamp
// counts: a floor is never collected and holds nothing.
func (o *op) raiseFloor(db uint8, in *record.State) (raised bool) {
	floor := record.State{Tomb: record.Tombstone{At: in.Tomb.At}}
	if floor.Tomb.At == 0 {
		return false
	}
	if o.e == nil {
		o.place()
	}
	o.floor = 0
	if !o.t.cfg.Origins.Merge(&o.e.state, &floor, 0).Changed {
		return false
	}
	o.settle()
	o.t.floors[db].Store(uint64(o.e.state.Tomb.At))
	return true
}

// dropKilled removes what the floor of db has killed, bucket by bucket. Readers and writers see the floor before.
func (t *Table) dropKilled(now int64, db uint8, remote bool) {
	now = t.believed(now)
	var hit []slot
	var dots []logged
	for i := range t.buckets {
		b := &t.buckets[i]
		if b.n.Load() == 0 {
			continue
		}
		b.mu.Lock()
		floor := t.floor(db)
		hit, dots = b.underFloor(hit[:0], db, floor), dots[:0]
		for _, s := range hit {
			o := op{t: t, b: b, hash: s.hash, now: now, at: t.clusterTime(now), floor: floor, remote: remote}
			o.slot = b.indexOf(s.hash, s.e)
			o.take()
			o.refresh()
			if o.keepTouch() {
				o.settle()
				dots = append(dots, logged{seq: o.seq, name: o.e.name, db: o.e.db, touch: true})
			}
			o.rest()
		}
		b.mu.Unlock()
		for _, d := range dots {
			t.logOwn(d.seq, d.key(), d.touch)
		}
	}
}

// underFloor lists the entries to which a floor matters: it kills a birth of theirs, or may have taken the promise
// that a local touch relied on.
func (b *bucket) underFloor(hit []slot, db uint8, floor hlc.Stamp) []slot {
	b.walk(0, func(hash uint64, e *entry) bool {
		n := len(e.state.Births)
		if e.db == db && n > 0 && (e.state.Births[n-1].ID.At <= floor || e.touch != nil) {
			hit = append(hit, slot{hash: hash, e: e.packed})
		}
		return true
	})
	return hit
}

// each visits every entry under its bucket's lock.
func (t *Table) each(visit func(b *bucket, hash uint64, e *entry)) {
	for i := range t.buckets {
		b := &t.buckets[i]
		if b.n.Load() == 0 {
			continue
		}
		b.mu.Lock()
		b.walk(0, func(hash uint64, e *entry) bool {
			visit(b, hash, e)
			return true
		})
		b.mu.Unlock()
	}
}
