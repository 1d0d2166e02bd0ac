package model

// deliver merges one op as it was pushed, however late. What cannot be applied in full does not cover its dot.
func (w *World) deliver(s *State, n int, d Dots) bool {
	nd, op := &s.Node[n], s.Ops[d.index()]
	if nd.Cov.has(d) {
		return false
	}
	nd.hear(op.HLC)
	covered := true
	switch op.Kind {
	case opBirth:
		nd.Key.mergeBirth(op.B, w.Rules)
	case opTomb:
		nd.Key.mergeTomb(op.T, op.Until, op.Hold, w.Rules)
	case opTouch:
		covered = w.deliverTouch(nd, op)
	}
	if covered {
		nd.Cov |= d
		nd.Known |= d
		nd.Have |= d
	}
	w.merged(s, n)
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

// merged is what follows every merge: judge the result, then square the local touch with it.
func (w *World) merged(s *State, n int) {
	if !w.InsertDue {
		w.collect(s, n)
	}
	w.settle(s, n)
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
	nd, h := &s.Node[n], &s.Node[from]
	if n == from || nd.Cov.has(d) || s.Ops[d.index()] == nil {
		return false
	}
	if !w.shown(h).has(d) && !w.NothingWhenIgnorant {
		return false
	}
	nd.hear(at(w.time(s, from)))
	nd.Key.merge(&h.Key, w.Rules)
	nd.Cov |= d
	if !w.RepairCoversOne {
		nd.Cov |= h.Cov
	}
	nd.Known |= d | h.Known
	nd.Have |= h.Have
	w.merged(s, n)
	return true
}

// heal merges the whole state of a bucket whose fingerprints differ.
func (w *World) heal(s *State, n, from int) {
	nd, h := &s.Node[n], &s.Node[from]
	nd.hear(at(w.time(s, from)))
	nd.Key.merge(&h.Key, w.Rules)
	nd.Known |= h.Known
	nd.Have |= h.Have
	w.merged(s, n)
}

// restart loses all; a new incarnation waits for a snapshot.
func (w *World) restart(s *State, n int) bool {
	if s.Origins >= maxOrigins {
		return false
	}
	s.Node[n] = Node{Origin: s.Origins, Joining: true}
	s.Origins++
	return true
}

// snapStart asks a donor: records and intervals are as of now.
func (w *World) snapStart(s *State, n, from int) bool {
	nd, h := &s.Node[n], &s.Node[from]
	if n == from || !nd.Joining || nd.Snap != nil || h.Joining {
		return false
	}
	nd.Snap = &Snapshot{Donor: uint8(from), Key: h.Key, Cov: h.Cov, Known: h.Known, Have: h.Have}
	return true
}

// snapEnd merges the streamed records into what came live meanwhile, and claims the intervals of the start.
func (w *World) snapEnd(s *State, n int) bool {
	nd := &s.Node[n]
	if nd.Snap == nil {
		return false
	}
	snap := *nd.Snap
	if donor := &s.Node[snap.Donor]; w.SnapshotClaimsEnd {
		snap.Cov, snap.Known = donor.Cov, donor.Known
	}
	nd.Snap, nd.Joining = nil, false
	nd.Key.merge(&snap.Key, w.Rules)
	nd.Cov |= snap.Cov
	nd.Known |= snap.Known
	nd.Have |= snap.Have
	w.merged(s, n)
	return true
}
