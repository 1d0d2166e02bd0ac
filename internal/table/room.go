package table

import "github.com/sessioncast/sessioncast/internal/record"

// createLimitPercent of the memory limit is how far new sessions are made. The rest is for those that are there to grow, and
// for what the peers made before they knew.
const createLimitPercent = 95

// SetCrowded refuses new sessions because most members of the cluster are nearly full: they would be without room for them.
func (t *Table) SetCrowded(on bool) { t.crowded.Store(on) }

// SetPartial tells that the cluster holds sessions that this table lacks, because its node joins or has no room for all: a key that
// is not known here may be a session.
func (t *Table) SetPartial(on bool) { t.partial.Store(on) }

// Partial reports whether the cluster may hold sessions that this table lacks.
func (t *Table) Partial() bool { return t.partial.Load() }

// Knows reports whether it is certain what a reader finds: the session is there, or was destroyed.
func (t *Table) Knows(now int64, k record.Key) bool {
	if !t.Partial() {
		return true
	}
	if _, ok := t.Get(now, k); ok {
		return true
	}
	var s record.State
	return t.Load(k, &s) && s.Tomb.At != 0 && len(s.Births) == 0
}

// percentOf is so many hundredths of limit.
func percentOf(limit, percent int64) int64 { return limit/100*percent + limit%100*percent/100 }

// fits checks that so many bytes more may be written here. Shrinking always may.
func (t *Table) fits(grow int64, creates bool) error {
	limit := t.cfg.MaxBytes
	if creates {
		limit = percentOf(limit, createLimitPercent)
	}
	switch {
	case grow <= 0:
		return nil
	case limit > 0 && t.counts.bytes.Load()+grow > limit:
		t.counts.refused.Add(1)
		return ErrFull
	case creates && t.crowded.Load():
		t.counts.refused.Add(1)
		return ErrCrowded
	}
	return nil
}

// Room sums up what several writes need, for callers that make all of them or none. The zero value is ready to use.
type Room struct {
	grow    int64
	creates bool
}

// Weigh adds what w needs, or says why it would be refused, and changes nothing.
func (t *Table) Weigh(now int64, k record.Key, w *Write, r *Room) error {
	if err := t.checkWrite(k, w); err != nil {
		return err
	}
	if t.closed.Load() {
		return ErrClosed
	}
	var o op
	o.begin(t, now, k)
	defer o.end()
	exists := o.visible()
	if err := o.checkHold(w, exists); err != nil {
		return err
	}
	r.grow += max(0, o.growth(w, exists))
	r.creates = r.creates || !exists
	return nil
}

// Fits checks that there is room for all that was weighed. The writes are then made with Write.Weighed.
func (t *Table) Fits(r *Room) error { return t.fits(r.grow, r.creates) }
