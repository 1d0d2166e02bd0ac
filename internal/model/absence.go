package model

// old reports whether something stamped so may have been destroyed by a tombstone that is collected by now: who is told
// nothing of it can conclude nothing from that.
func (w *World) old(s *State, n int, t Stamp) bool {
	return w.Pulls && w.time(s, n) >= t.tick()+w.Life
}

// oldDots is the part of a set that was made so long ago.
func (w *World) oldDots(s *State, n int, set Dots) (old Dots) {
	set.each(func(d Dots) {
		if op := s.Ops[d.index()]; op != nil && w.old(s, n, op.HLC) {
			old |= d
		}
	})
	return old
}

// held is what a node covers, or is about to cover by the transfer under way.
func (w *World) held(nd *Node) Dots {
	if nd.Snap != nil && !w.RefuseByHeld {
		return nd.Cov | nd.Snap.Claim
	}
	return nd.Cov
}

// ended reports whether a birth that arrives from who covers ctx, and is not here, ended here before that could hear of it:
// it is old, its creating dot is held, and the sender lacks something old that is held here.
func (w *World) ended(s *State, n int, b *Birth, held, ctx Dots) bool {
	nd := &s.Node[n]
	if w.NoRefusal || !w.old(s, n, b.ID.S) || nd.Key.find(b.ID) != nil {
		return false
	}
	return held.has(b.Dot) && w.oldDots(s, n, held)&^ctx != 0
}

// mergeKey merges what node from holds, who covers ctx, without what has ended here. Of that the judge takes the node as not told.
func (w *World) mergeKey(s *State, n, from int, held, ctx Dots) (refused bool) {
	nd, h := &s.Node[n], &s.Node[from]
	kept, known := h.Key, h.Known
	kept.N, kept.B = 0, [2 * classLimit]Birth{}
	for i := range h.Key.B[:h.Key.N] {
		b := &h.Key.B[i]
		if w.ended(s, n, b, held, ctx) {
			refused = true
			known &^= s.dotsOf(known, b.ID)
			continue
		}
		kept.B[kept.N] = *b
		kept.N++
	}
	nd.Key.merge(&kept, w.Rules)
	nd.Known |= known
	nd.Have |= h.Have & known
	nd.Saw |= s.withMakers(h.Have & known)
	return refused
}

// dotsOf is the part of a set that changes a birth.
func (s *State) dotsOf(set Dots, id ID) (of Dots) {
	set.each(func(d Dots) {
		if op := s.Ops[d.index()]; op != nil && op.Kind != opTomb && op.B.ID == id {
			of |= d
		}
	})
	return of
}

// dropAbsent ends what the donor covers and lacks.
func (w *World) dropAbsent(s *State, n int, theirs *Key, offer Dots) {
	nd := &s.Node[n]
	old := nd.Key
	for i := range old.B[:old.N] {
		b := &old.B[i]
		if theirs.find(b.ID) != nil || !w.AbsenceAlways && !w.old(s, n, b.ID.S) || !offer.has(b.Dot) && !w.AbsenceDiscards {
			continue
		}
		nd.forget(s, b.ID)
		if !s.Expired.has(b.Dot) && !w.destroyed(s, b) {
			s.Wrong |= b.Dot
		}
	}
}

// destroyed: somebody made a tombstone that kills b.
func (w *World) destroyed(s *State, b *Birth) bool {
	for _, op := range s.Ops {
		if op != nil && op.Kind == opTomb && (b.ID.S <= op.T || b.Weak && b.ID.S <= op.Hold) {
			return true
		}
	}
	return false
}

// snapStart asks a donor: intervals are as of now, records as of when they are read. A second donor goes on where the first broke off.
func (w *World) snapStart(s *State, n, from int) bool {
	nd, h := &s.Node[n], &s.Node[from]
	if n == from || h.Joining || !nd.Joining && !w.Pulls {
		return false
	}
	p := &Snapshot{Donor: uint8(from), Origin: h.Origin, Cov: h.Cov, Claim: h.Cov, Old: w.oldDots(s, n, h.Cov)}
	p.Judged = w.AbsenceAlways || w.oldDots(s, n, h.Cov&^nd.Cov) != 0 && !w.NoAbsence
	if was := nd.Snap; was != nil {
		if was.Origin == p.Origin {
			return false
		}
		p.Judged, p.Read, p.Brought, p.Claim, p.Old = was.Judged, was.Read, was.Brought, p.Claim&was.Claim, was.Old
		if w.ClaimAny {
			p.Claim, p.Old = h.Cov|was.Claim, was.Old|w.oldDots(s, n, h.Cov)
		}
	}
	nd.Snap = p
	return true
}

// snapRead merges the streamed records into what came live meanwhile.
func (w *World) snapRead(s *State, n int) bool {
	nd := &s.Node[n]
	if nd.Snap == nil || nd.Snap.Read {
		return false
	}
	snap, had := *nd.Snap, nd.Key.N
	h := &s.Node[snap.Donor]
	if h.Origin != snap.Origin { // it has died
		return false
	}
	w.mergeKey(s, n, int(snap.Donor), nd.Cov, snap.Cov)
	if snap.Judged {
		w.dropAbsent(s, n, &h.Key, snap.Cov)
	}
	snap.Read, snap.Brought, nd.Snap = true, h.Cov, &snap
	w.merged(s, n, had)
	return true
}

// snapEnd claims the intervals of the start, of all donors: but what is old by now where absence was not judged.
func (w *World) snapEnd(s *State, n int) bool {
	nd := &s.Node[n]
	if nd.Snap == nil {
		return false
	}
	if !nd.Snap.Read && !w.snapRead(s, n) {
		return false
	}
	snap := *nd.Snap
	if w.SnapshotClaimsEnd {
		snap.Claim = s.Node[snap.Donor].Cov
	}
	nd.Snap, nd.Joining = nil, false
	if !w.NoAbsence {
		snap.Claim &^= w.aged(s, n, &snap)
	}
	s.Forgot = s.Forgot || snap.Brought&^(snap.Claim|nd.Cov) != 0 // their effect is here without them: the fingerprints' work
	nd.Cov |= snap.Claim
	nd.Known |= snap.Claim
	w.merged(s, n, nd.Key.N)
	return true
}

// aged is what a transfer does not cover: what is old by now and absence was not judged for. What became old while it ran may have been
// forgotten before it was read, where its like was not looked for.
func (w *World) aged(s *State, n int, snap *Snapshot) Dots {
	old := w.oldDots(s, n, snap.Claim)
	if snap.Judged && !w.AgedCounts {
		return old &^ snap.Old
	}
	if snap.Judged {
		return 0
	}
	return old
}

// pull is a transfer from beginning to end.
func (w *World) pull(s *State, n, from int) bool {
	if s.Node[from].Cov&^s.Node[n].Cov == 0 || !w.snapStart(s, n, from) {
		return false
	}
	return w.snapEnd(s, n)
}

// bury remembers, for the judge, what each node saw killed; where nodes are Forgetful, of what it was told of.
func (w *World) bury(s *State) {
	for _, op := range s.Ops {
		if op == nil || op.Kind != opBirth || op.B.Dot != op.Dot {
			continue
		}
		for n := range w.Nodes {
			if nd := &s.Node[n]; (nd.Cov.has(op.Dot) || !w.Forgetful) && nd.Key.killed(op.B.ID, op.B.Weak, Rules{}) {
				nd.Buried |= op.Dot
			}
		}
	}
}

// checkAbsence judges a separation longer than a tombstone is kept: what a node was told of and saw destroyed does not come
// back to it, and nothing is dropped that nobody destroyed and that nowhere came to its end.
func (w *World) checkAbsence(s *State) error {
	var buried Dots
	for n := range w.Nodes {
		buried = s.Node[n].Buried
		if err := w.checkBuried(s, n, buried); err != nil {
			return err
		}
	}
	if s.Wrong != 0 {
		return errDropped
	}
	return nil
}

func (w *World) checkBuried(s *State, n int, buried Dots) error {
	k := &s.Node[n].Key
	for i := range k.B[:k.N] {
		if buried.has(k.B[i].Dot) {
			return errBack
		}
	}
	return nil
}

// checkReunited is checkAbsence after everything was repaired: nothing that any living node saw destroyed is left anywhere, and what
// was held and nowhere destroyed nor at its end is everywhere.
func (w *World) checkReunited(before, c *State) error {
	var buried Dots
	for n := range w.Nodes {
		buried |= before.Node[n].Buried
	}
	for n := range w.Nodes {
		if err := w.checkBuried(c, n, buried); err != nil {
			return err
		}
	}
	for n := range w.Nodes {
		k := &before.Node[n].Key
		for i := range k.B[:k.N] {
			b := &k.B[i]
			if c.Expired.has(b.Dot) || w.destroyed(c, b) {
				continue
			}
			for m := range w.Nodes {
				if c.Node[m].Key.find(b.ID) == nil {
					return errLost
				}
			}
		}
	}
	return w.checkAbsence(c)
}

// stranded: what a transfer that broke off brought of a destroy is here, its dot died with all who held it, and another node has
// the birth. Where nobody remembers, nothing but the comparison of fingerprints, of which there are twenty a minute, tells them apart (limit 4).
func (w *World) stranded(s *State) bool {
	return w.Pulls && w.Forgetful && w.strandedAt(s, never)
}

// strandedAt looks at the destroys made before a time.
func (w *World) strandedAt(s *State, before int16) bool {
	var held, known Dots
	for n := range w.Nodes {
		held, known = held|s.Node[n].Cov, known|s.Node[n].Known
	}
	for i, tomb := range s.Ops {
		if tomb == nil || tomb.Kind != opTomb || tomb.HLC.tick() > before || held.has(1<<i) || !known.has(1<<i) {
			continue
		}
		for n := range w.Nodes {
			k := &s.Node[n].Key
			for j := range k.B[:k.N] {
				if b := &k.B[j]; !s.Node[n].Known.has(1<<i) && (b.ID.S <= tomb.T || b.Weak && b.ID.S <= tomb.Hold) {
					return true
				}
			}
		}
	}
	return false
}

// overdue: a node has taken a destroy for as long as a tombstone is kept, and not the creation, while another has both. That the
// dots known in a part of the cluster reach all of that part in this time is what absence relies on where nobody remembers (limit 3).
func (w *World) overdue(s *State) bool {
	if !w.Pulls || !w.Forgetful {
		return false
	}
	for _, tomb := range s.Ops {
		if tomb == nil || tomb.Kind != opTomb {
			continue
		}
		for _, op := range s.Ops {
			if op == nil || op.Kind != opBirth || op.B.Dot != op.Dot || op.B.ID.S > max(tomb.T, tomb.Hold) {
				continue
			}
			if both, one := w.covers(s, tomb.Dot, op.Dot); both && one {
				return true
			}
		}
	}
	return false
}

// covers reports whether some node saw b's birth killed, and whether another covers a, which killed it, alone.
func (w *World) covers(s *State, a, b Dots) (both, one bool) {
	for n := range w.Nodes {
		cov := s.Node[n].Cov
		both = both || s.Node[n].Buried.has(b)
		one = one || cov.has(a) && !cov.has(b)
	}
	return both, one
}
