package model

// deliver merges one op as it was pushed, however late. What cannot be applied in full does not cover its dot.
func (w *World) deliver(s *State, n int, d Dots) bool {
	nd, op := &s.Node[n], s.Ops[d.index()]
	if nd.Cov.has(d) || w.Pulls && !w.RepairOld && w.old(s, n, op.HLC) {
		return false
	}
	nd.hear(op.HLC)
	covered, had := true, nd.Key.N
	switch op.Kind {
	case opBirth:
		if w.ended(s, n, &op.B, w.held(nd), op.Ctx) {
			covered = w.RefusalCovers
		} else {
			nd.Key.mergeBirth(op.B, w.Rules)
		}
	case opTomb:
		nd.Key.mergeTomb(op.T, op.Until, op.Hold, w.Rules)
	case opTouch:
		covered = w.deliverTouch(nd, op)
	}
	if covered {
		nd.Cov |= d
		nd.Known |= d | op.Of
		nd.Have |= d
		nd.Saw |= d | op.Of
	}
	w.merged(s, n, had)
	return covered
}

func (w *World) deliverTouch(nd *Node, op *Op) bool {
	switch b := nd.Key.find(op.B.ID); {
	case b != nil:
		b.mergeDeadline(op.B.DL, op.B.Latest, op.B.Span)
	case nd.Key.killed(op.B.ID, op.B.Weak, w.Rules):
	case w.TouchMakesStub:
		nd.Key.mergeBirth(op.B, w.Rules)
	default:
		return w.TouchCoversEarly
	}
	return true
}

// merged is what follows every merge into a key that had so many births: judge the result, by what has ended here as well, then
// square the local touch with it.
func (w *World) merged(s *State, n int, had uint8) {
	w.tellTomb(s, n)
	if !w.InsertDue {
		w.collect(s, n)
	}
	if had == 0 {
		w.tellEnd(s, n)
	}
	w.settle(s, n)
}

// tellTomb tells a tombstone that is remembered again where something has come that it kills, under its own stamp, with a new dot. It is kept
// as long as one made now.
func (w *World) tellTomb(s *State, n int) {
	nd := &s.Node[n]
	past := Key{T: nd.Past.T, Hold: nd.Past.Hold}
	kills := false
	for i := range nd.Key.B[:nd.Key.N] {
		kills = kills || past.killed(nd.Key.B[i].ID, nd.Key.B[i].Weak, Rules{})
	}
	if !kills || nd.Seq >= maxSeq {
		return
	}
	until := w.until(max(past.T, at(w.time(s, n))), past.Hold)
	if w.TombToldAsOld {
		until = w.until(past.T, past.Hold)
	}
	nd.Key.mergeTomb(past.T, until, past.Hold, w.Rules)
	s.issue(n, Op{Kind: opTomb, T: past.T, Until: until, Hold: past.Hold})
}

// tellEnd writes an end that is remembered into what comes after it and is older, under the end's own stamp, with a new dot. What has
// births already overrides all that the end does.
func (w *World) tellEnd(s *State, n int) {
	nd := &s.Node[n]
	d, of := nd.Key.deadline()
	end := nd.Ended
	if of == (ID{}) || !d.ID.less(end.DL.ID) || nd.Seq >= maxSeq || nd.Key.killed(end.Birth, end.Weak, w.Rules) && !w.EndOutlivesDestroy {
		return
	}
	told := end.DL
	if w.EndNewStamp {
		told.ID = w.stamp(s, n)
	}
	b := nd.Key.find(of)
	w.put(b, told)
	op := touchOp(b, end.DL.ID)
	op.Of = s.maker(end)
	s.issue(n, op)
}

// withMakers is a set and the dots whose ends its dots tell.
func (s *State) withMakers(set Dots) Dots {
	all := set
	set.each(func(d Dots) { all |= s.Ops[d.index()].Of })
	return all
}

// maker is the dot that made an end, for the judge.
func (s *State) maker(end End) Dots {
	for i, op := range s.Ops {
		if op != nil && op.Of == 0 && op.B.ID == end.Birth && op.B.DL.ID == end.DL.ID {
			return 1 << i
		}
	}
	return 0
}

// shown is what a node says it knows.
func (w *World) shown(nd *Node) Dots {
	if w.PrefixOnly {
		return nd.Cov.prefixes()
	}
	return nd.Cov
}

// repair takes the whole current state of the key from a holder, or its "nothing", and covers every dot of the key that
// the holder covers: whose effect came along must be known to have come, or no one asks for it once its origin is dead.
func (w *World) repair(s *State, n, from int, d Dots) bool {
	nd, h, before := &s.Node[n], &s.Node[from], s.Node[n]
	if n == from || nd.Cov.has(d) || s.Ops[d.index()] == nil {
		return false
	}
	if !w.shown(h).has(d) && !w.NothingWhenIgnorant {
		return false
	}
	young := h.Cov &^ w.oldDots(s, from, h.Cov)
	if h.Cov.has(d) && !young.has(d) && !w.RepairOld { // "pull"
		return false
	}
	nd.hear(at(w.time(s, from)))
	refused := w.mergeKey(s, n, from, w.held(nd), h.Cov)
	if refused && !w.RefusalCovers {
		w.merged(s, n, before.Key.N)
		return nd.Key != before.Key
	}
	nd.Cov |= d
	if !w.RepairCoversOne {
		nd.Cov |= young
	}
	nd.Known |= d
	w.merged(s, n, before.Key.N)
	return true
}

// heal merges the whole state of a bucket whose fingerprints differ.
func (w *World) heal(s *State, n, from int) {
	nd, h := &s.Node[n], &s.Node[from]
	had := nd.Key.N
	nd.hear(at(w.time(s, from)))
	w.mergeKey(s, n, from, w.held(nd), h.Cov)
	w.merged(s, n, had)
}

// restart loses all; a new incarnation waits for a snapshot. That the last who held the dot of an old destroy does not die while its
// effect is elsewhere without it is what absence relies on where nobody remembers (limit 4).
func (w *World) restart(s *State, n int) bool {
	if s.Origins >= maxOrigins {
		return false
	}
	was := s.Node[n]
	s.Node[n] = Node{Origin: s.Origins, Joining: true}
	if w.Pulls && w.Forgetful && w.strandedAt(s, s.Now-w.Life) {
		s.Node[n] = was
		return false
	}
	s.Origins++
	return true
}
