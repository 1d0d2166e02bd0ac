package table

import (
	"github.com/sessioncast/sessioncast/internal/hlc"
	"github.com/sessioncast/sessioncast/internal/record"
)

// label is the owner label of the value that wins in e, which is nearly always the only one; "" for none. No floor is looked at: one that has risen and has
// not come to this entry yet will, and then the entry is settled anew.
func (t *Table) label(e *entry) string {
	if !labelled(e.state.Births) {
		return ""
	}
	v, _ := e.state.Winner(t.cfg.Origins, 0)
	return v.Value.Owner
}

// labelled reports whether any birth has a label.
func labelled(births []record.Birth) bool {
	for i := range births {
		if births[i].Value.Owner != "" {
			return true
		}
	}
	return false
}

// claim brings the index of owners in line with the entry's state, of which the operation's owner was the label before. It
// is part of settle, so that whatever changes a state cannot leave it out.
func (o *op) claim() {
	t, now := o.t, o.t.label(o.e)
	if now == o.owner {
		return
	}
	if o.owner != "" {
		h := t.ownerHash(o.e.db, o.owner)
		if t.ownerShard(h).remove(pair{h, o.hash}) {
			t.counts.bytes.Add(-ownedCost)
			t.counts.owned.Add(-1)
		}
	}
	if now != "" {
		h := t.ownerHash(o.e.db, now)
		t.ownerShard(h).add(pair{h, o.hash})
		t.counts.bytes.Add(ownedCost)
		t.counts.owned.Add(1)
	}
	o.owner = now
}

// labelCost is what a label adds to the bytes counted, besides its own length.
func labelCost(owner string) int64 {
	if owner == "" {
		return 0
	}
	return ownedCost
}

// anyLabelCost is labelCost of a state.
func anyLabelCost(s *record.State) int64 {
	if labelled(s.Births) {
		return ownedCost
	}
	return 0
}

// Owned emits sessions of db that carry the owner label, about count of them, and gives the cursor to go on with: 0 starts, 0 ends.
// It takes a time in proportion to the sessions of that owner, however many others there are. A session that stays, and keeps
// the label, is emitted once. emit runs outside all locks; the name may be kept. The empty label is no label.
func (t *Table) Owned(now int64, db int, owner string, cursor uint64, count int, emit func(name string, v View)) (next uint64) {
	var found []scanned
	next = t.eachOwned(db, owner, cursor, count, func(b *bucket, hash uint64, i int) {
		now := t.believed(now)
		p := b.slots[i].e
		var v View
		if t.read(&v, p, t.floor(p.db()), now, t.clusterTime(now)) && v.Owner == owner {
			p.share()
			found = append(found, scanned{p.text(packedSize, int(p.name)), v})
		}
	})
	for _, f := range found {
		f.view.Render()
		emit(f.name, f.view)
	}
	return next
}

// eachOwned visits slots of db that have one of the hashes which the index has for an owner, each with its bucket's lock held. No lock of the index is held
// meanwhile: its lock is taken under buckets'. So whoever visits has to look whose the entry is.
func (t *Table) eachOwned(db int, owner string, cursor uint64, count int, visit func(b *bucket, hash uint64, i int)) (next uint64) {
	if owner == "" || db < 0 || db >= record.Databases || cursor > 1<<(64-scanShift)-1 {
		return 0
	}
	h := t.ownerHash(uint8(db), owner)
	count = min(max(count, 1), maxScanCount)
	var few [8]uint64
	hashes, next := t.ownerShard(h).list(h, cursor<<scanShift, count, few[:0])
	for _, hash := range hashes {
		b := t.bucket(hash)
		b.mu.Lock()
		for i := b.seek(hash); i < len(b.slots) && b.slots[i].hash == hash; i++ {
			if p := b.slots[i].e; p != nil && int(p.db()) == db {
				visit(b, hash, i)
			}
		}
		b.mu.Unlock()
	}
	return next >> scanShift
}

// Present is a stamp that is not below those of what was created up to now, by this node or by one whose clock is ahead by no more
// than the measured skew.
func (t *Table) Present(now int64) hlc.Stamp {
	return hlc.At(t.Time(now)+t.skewMS.Load()+1) - 1
}

// Logout says which sessions of an owner are to be destroyed.
type Logout struct {
	Owner  string
	Except func(name string) bool // those stay; nil: none does
	Born   hlc.Stamp              // only what was created up to then; 0: whatever is there
}

// LoggedOut is what became of a Logout.
type LoggedOut struct {
	Destroyed int    // sessions that a reader would have found
	Seq       uint64 // own dot of the last change; 0: nothing to replicate
	Next      uint64 // cursor to go on with; 0: there is nothing left
}

// DestroyOwned destroys sessions of db that carry the owner label, about count of them from cursor on, each as Destroy does, with the logout hold, and only if it still
// carries the label at that moment. So are those that have ended as this node knows and can still be merged: their users may have kept them
// alive elsewhere. A session of that owner that this node has not heard of stays.
func (t *Table) DestroyOwned(now int64, db int, l *Logout, cursor uint64, count int) (res LoggedOut, err error) {
	if t.closed.Load() {
		return res, ErrClosed
	}
	var names []string
	res.Next = t.eachOwned(db, l.Owner, cursor, count, func(b *bucket, _ uint64, i int) {
		p := b.slots[i].e
		names = append(names, p.text(packedSize, int(p.name)))
	})
	for _, name := range names {
		if l.Except != nil && l.Except(name) {
			continue
		}
		var o op
		o.begin(t, now, record.Key{DB: uint8(db), Name: name})
		if t.closed.Load() {
			o.end()
			return res, ErrClosed
		}
		if o.ownedBy(l) {
			if o.visible() {
				res.Destroyed++
			}
			o.destroy(true)
			res.Seq = max(res.Seq, o.seq)
		}
		o.end()
	}
	return res, nil
}

// ownedBy reports whether a Logout is meant for the session, of which some birth lives.
func (o *op) ownedBy(l *Logout) bool {
	if o.e == nil {
		return false
	}
	v, _ := o.e.state.Winner(o.t.cfg.Origins, o.floor)
	return v != nil && v.Value.Owner == l.Owner && (l.Born == 0 || v.ID.At <= l.Born)
}
