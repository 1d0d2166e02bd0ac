package model

// hear moves the HLC to a frame header's. Stamps inside records never do.
func (nd *Node) hear(h Stamp) { nd.HLC = max(nd.HLC, h) }

// stamp draws a local stamp: above the HLC's last and above all in the key's local state. What is raised
// for the key does not move the HLC.
func (w *World) stamp(s *State, n int) ID {
	nd := &s.Node[n]
	nd.HLC = max(at(s.Now+w.Clock[n]), nd.HLC+1)
	st := nd.HLC
	if !w.StampByClock {
		st = max(st, nd.highest()+1)
	}
	return ID{st, nd.Origin}
}

func (nd *Node) highest() Stamp { return max(nd.Key.highest(), nd.Local.At.S) }

// issue gives an op its dot and remembers it; its own node covers it.
func (s *State) issue(n int, op Op) {
	nd := &s.Node[n]
	op.Dot, op.HLC, op.At = dot(nd.Origin, nd.Seq), nd.HLC, s.Now
	op.Ctx = nd.Cov | op.Dot
	nd.Seq++
	nd.Cov |= op.Dot
	nd.Known |= op.Dot | op.Of
	nd.Have |= op.Dot
	nd.Saw |= op.Dot | op.Of
	s.Ops[op.Dot.index()] = &op
}

// canWrite bounds the model: a node has dots left and is no joiner.
func (nd *Node) canWrite() bool { return !nd.Joining && nd.Seq < maxSeq-1 }

func (w *World) current(s *State, n int) *Birth {
	return s.Node[n].Key.current(w.time(s, n), w.hideAt(0))
}

func (w *World) freshDeadline(id, birth ID, ttl int16) Deadline {
	due := min(id.S.tick()+ttl, w.cap(birth))
	return Deadline{ID: id, Due: due, Promise: due}
}

// put writes a deadline register where it is issued, and works out how long its effect must be remembered: as long as
// any promise it overrides may run. One that this node knows counts by itself; one made concurrently elsewhere it cannot
// know, but that is bounded by the longest lifetime (span) the birth was ever given, from this write on.
func (w *World) put(b *Birth, d Deadline) {
	now, latest := d.ID.S.tick(), d.Promise
	span := d.Due - now
	if d.Promise == never {
		span, latest = w.Life, 0
		if w.PersistForgotten {
			span = 0
		}
	}
	if b.Span = max(b.Span, span); !w.ShortenByOldPromise {
		latest = max(latest, min(now+b.Span, w.cap(b.ID)))
	}
	b.mergeDeadline(d, latest, b.Span)
}

// touchOp carries a deadline register of a birth, and not its data.
func touchOp(b *Birth, touched ID) Op {
	return Op{Kind: opTouch, Touched: touched, B: Birth{ID: b.ID, Dot: b.Dot, Weak: b.Weak, DL: b.DL, Latest: b.Latest, Span: b.Span}}
}

// upsert is SET without NX or XX: it updates what lives, is refused in a hold, and else gives birth, weakly
// unless (seen) this connection has read the key as missing on a node that knows the tombstone.
func (w *World) upsert(s *State, n int, seen bool, ttl int16) bool {
	nd := &s.Node[n]
	if w.visible(s, n) {
		return !seen && w.write(s, n, ttl)
	}
	known := nd.Key.T > 0
	if known && !seen && at(w.time(s, n)) <= nd.Key.Hold {
		return false
	}
	return (known || !seen) && w.birth(s, n, Birth{Weak: !seen && !w.UpsertExplicit, Upsert: !seen}, ttl)
}

// create is SET NX, or an insert of an adapter that knows what it does.
func (w *World) create(s *State, n int) bool {
	return !w.visible(s, n) && w.birth(s, n, Birth{}, w.TTL)
}

// createBrief is a creation with a short lifetime.
func (w *World) createBrief(s *State, n int) bool {
	return !w.visible(s, n) && w.birth(s, n, Birth{}, w.ShortTTL)
}

func (w *World) birth(s *State, n int, b Birth, ttl int16) bool {
	id := w.stamp(s, n)
	b.ID, b.Data, b.Dot = id, id, dot(id.O, s.Node[n].Seq)
	w.put(&b, w.freshDeadline(id, id, ttl))
	s.Node[n].Key.mergeBirth(b, w.Rules)
	s.issue(n, Op{Kind: opBirth, B: b})
	return true
}

// write updates the current birth: data, and the deadline too where it comes with a lifetime. The whole birth is shipped.
func (w *World) write(s *State, n int, ttl int16) bool {
	if !w.visible(s, n) {
		return false
	}
	id, b := w.stamp(s, n), w.current(s, n)
	if b.Data.less(id) {
		b.Data = id
	}
	if ttl > 0 {
		w.put(b, w.freshDeadline(id, b.ID, ttl))
	}
	s.issue(n, Op{Kind: opBirth, B: *b})
	w.settle(s, n)
	return true
}

// touch extends the deadline: locally within the promise of the birth it goes to, else for all, with a pad.
func (w *World) touch(s *State, n int) bool {
	nd := &s.Node[n]
	if !w.visible(s, n) {
		return false
	}
	id, b := w.stamp(s, n), w.current(s, n)
	d := w.freshDeadline(id, b.ID, w.TTL)
	if d.Due <= nd.due() {
		return false
	}
	won, of := nd.Key.deadline()
	if d.Due <= won.Promise && of == b.ID || w.TouchAlwaysLocal {
		nd.Local = Touch{Birth: b.ID, At: id, Due: d.Due}
		nd.Last = nd.Local
		return true
	}
	nd.Local = Touch{}
	w.putTouch(s, n, b, d, id)
	return true
}

func (w *World) putTouch(s *State, n int, b *Birth, d Deadline, touched ID) {
	d.Promise = min(d.Due+w.Pad, w.cap(b.ID))
	w.put(b, d)
	s.issue(n, touchOp(b, touched))
}

// shorten is an EXPIRE below the present deadline: it promises no more than it says.
func (w *World) shorten(s *State, n int) bool {
	nd := &s.Node[n]
	if !w.visible(s, n) {
		return false
	}
	id, b := w.stamp(s, n), w.current(s, n)
	d := w.freshDeadline(id, b.ID, w.ShortTTL)
	if d.Due >= nd.due() {
		return false
	}
	w.put(b, d)
	s.issue(n, touchOp(b, id))
	w.settle(s, n)
	return true
}

// persist takes the deadline away (TTL -1).
func (w *World) persist(s *State, n int) bool {
	nd := &s.Node[n]
	if !w.visible(s, n) || nd.due() == never || !w.NoLife {
		return false
	}
	id, b := w.stamp(s, n), w.current(s, n)
	d := Deadline{ID: id, Due: never, Promise: never}
	w.put(b, d)
	s.issue(n, touchOp(b, id))
	w.settle(s, n)
	return true
}

// destroy makes a tombstone, whether the key is known here or not.
func (w *World) destroy(s *State, n int) bool {
	nd := &s.Node[n]
	seen := nd.highest()
	own := w.stamp(s, n)
	t := at(nd.HLC.tick()+w.Skew) + counterMax
	switch {
	case w.DestroyByOwnClock:
		t = own.S
	case !w.DestroyBlind:
		t = max(t, seen+1)
	}
	var hold Stamp
	if w.Hold > 0 {
		hold = t.plus(w.Hold)
	}
	until := w.until(t, hold)
	nd.Key.mergeTomb(t, until, hold, w.Rules)
	s.issue(n, Op{Kind: opTomb, T: t, Until: until, Hold: hold})
	w.settle(s, n)
	return true
}

// until is past the purge of every birth that the tombstone or its hold could have to kill.
func (w *World) until(t, hold Stamp) int16 {
	switch {
	case w.CollectEarly:
		return t.tick() + 2*w.Skew
	case w.UntilWithoutHold:
		return t.tick() + w.Life + 2*w.Skew
	}
	return max(t, hold).tick() + w.Life + w.grace()
}

// settle squares a local touch with the state after any change of it: gone with its birth, discarded by a
// newer register, re-issued under its own stamp where the promise no longer covers it.
func (w *World) settle(s *State, n int) {
	nd := &s.Node[n]
	t := nd.Local
	if t.Birth == (ID{}) {
		return
	}
	b := nd.Key.find(t.Birth)
	d, _ := nd.Key.deadline()
	stale := d.ID.S > t.At.S || d.ID.S == t.At.S && !d.ID.less(t.At)
	switch {
	case b == nil, stale && !w.ShortenKeepsTouch:
		nd.Local = Touch{}
	case t.Due <= d.Promise || w.TouchAlwaysLocal:
	case w.TouchNotReissued || nd.Seq >= maxSeq:
		nd.Local = Touch{}
	default:
		id := t.At
		if w.ReissueNewStamp || w.ShortenKeepsTouch {
			id = w.stamp(s, n)
		}
		nd.Local = Touch{}
		w.putTouch(s, n, b, Deadline{ID: id, Due: t.Due}, t.At)
	}
}
