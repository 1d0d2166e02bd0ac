package model

import (
	"errors"
	"fmt"
)

// What checkAbsence finds.
var (
	errBack    = errors.New("a session that was destroyed is back")
	errDropped = errors.New("a session is dropped that nobody destroyed, and that nowhere came to its end")
	errLost    = errors.New("all repaired, yet a session is lost that nobody destroyed, and that nowhere came to its end")
)

// view is what a reader at a node would see.
type view struct {
	visible bool
	data    ID
	promise int16
	births  int // alive ones, to tell the traces of concurrent creation
}

// ghost is the specification: what a node would show if it never forgot anything it was ever told. It is
// computed from the ops alone, by the plain meaning of design 3, and shares no code with the merge. Data alone may be
// forgotten with the session (limit 1 in the package comment), so data is judged by what the node has.
func (w *World) ghost(s *State, n int) view {
	return w.ghostOf(s, n, s.Node[n].Known)
}

// ghostOf is the same of some dots, at a node's time.
func (w *World) ghostOf(s *State, n int, known Dots) view {
	nd := &s.Node[n]
	alive := w.ghostAlive(s, known)
	var v view
	var dl Deadline
	known.each(func(of Dots) {
		op := s.Ops[of.index()]
		if op.Kind == opTomb || op.Of != 0 || !alive.has(op.B.ID) {
			return
		}
		if op.Kind == opBirth && nd.Have.has(of) && v.data.less(op.B.Data) {
			v.data = op.B.Data
		}
		d := op.B.DL
		if op.Kind == opTouch {
			d.ID = op.Touched
		}
		if dl.ID.less(d.ID) {
			dl = d
		}
	})
	v.births = alive.n
	v.promise = dl.Promise
	if t := nd.Last; alive.has(t.Birth) && dl.ID.less(t.At) && dl.Promise != never {
		v.promise = max(v.promise, t.Due)
	}
	v.visible = v.births > 0 && (v.promise == never || w.time(s, n) < v.promise+w.Skew)
	return v
}

// ids is a small set of births, in no order.
type ids struct {
	n  int
	id [12]ID
}

func (l *ids) has(id ID) bool {
	for _, x := range l.id[:l.n] {
		if x == id {
			return true
		}
	}
	return false
}

func (l *ids) add(id ID) {
	if !l.has(id) && l.n < len(l.id) {
		l.id[l.n] = id
		l.n++
	}
}

// dropLowest keeps the highest classLimit.
func (l *ids) dropLowest() {
	for l.n > classLimit {
		low := 0
		for i := range l.id[:l.n] {
			if l.id[i].less(l.id[low]) {
				low = i
			}
		}
		l.n--
		l.id[low] = l.id[l.n]
	}
}

// ghostAlive lists the births that no tombstone among the known ops kills, the highest of each class.
func (w *World) ghostAlive(s *State, known Dots) (alive ids) {
	var t, hold Stamp
	known.each(func(d Dots) {
		if op := s.Ops[d.index()]; op.Kind == opTomb {
			t, hold = max(t, op.T), max(hold, op.Hold)
		}
	})
	var weak ids
	known.each(func(d Dots) {
		switch op := s.Ops[d.index()]; {
		case op.Kind != opBirth || op.B.ID.S <= t:
		case !op.B.Upsert:
			alive.add(op.B.ID)
		case op.B.ID.S > hold:
			weak.add(op.B.ID)
		}
	})
	alive.dropLowest()
	weak.dropLowest()
	for _, id := range weak.id[:weak.n] {
		alive.add(id)
	}
	return alive
}

// view is what the state itself shows.
func (w *World) view(s *State, n int) view {
	nd := &s.Node[n]
	d, _ := nd.Key.deadline()
	return view{visible: w.visible(s, n), data: nd.Key.data(), promise: d.Promise, births: int(nd.Key.N)}
}

// checkGhost: what a node shows is what it was told, whatever it has forgotten since (promises 2, 3 and 5).
func (w *World) checkGhost(s *State, n int) error {
	m, g := w.view(s, n), w.ghost(s, n)
	if own := w.ghostOf(s, n, s.Node[n].Saw); m.visible && own.births > 0 && !own.visible {
		return fmt.Errorf("n%d shows a session after the end of one that was later, as it saw (%v, want %v)", n, m, own)
	}
	if s.Forgot && g.births > 1 {
		return nil // two births, one purged before the other came: the fingerprints' work, see checkConverged
	}
	switch {
	case m.visible && !g.visible && w.untold(s, n):
	case m.visible && !g.visible:
		return fmt.Errorf("n%d shows a session that is destroyed or expired by what it was told (%v, want %v)", n, m, g)
	case !m.visible && g.visible:
		return fmt.Errorf("n%d hides a session that lives by what it was told (%v, want %v)", n, m, g)
	case m.visible && m.data != g.data:
		return fmt.Errorf("n%d shows data %v, was told %v", n, m.data, g.data)
	case m.visible && m.promise != g.promise && s.Node[n].Local.Birth == (ID{}):
		return fmt.Errorf("n%d promises %d, was told %d", n, m.promise, g.promise)
	}
	return nil
}

// untold: what n shows has an end that another node remembers, and can tell only when it meets it: it had forgotten the end before it
// heard of so long a lifetime (limit 2).
func (w *World) untold(s *State, n int) bool {
	d, _ := s.Node[n].Key.deadline()
	for m := range w.Nodes {
		end := &s.Node[m].Ended
		if m != n && d.ID.less(end.DL.ID) && d.Due-d.ID.S.tick() > end.Span {
			return true
		}
	}
	return false
}

// checkKeptAlive is promise 5 between nodes: where one node's user keeps the session alive by that node's own
// reckoning, a node that was told the same does not hide it.
func (w *World) checkKeptAlive(s *State, n int) error {
	nd := &s.Node[n]
	if !w.visible(s, n) || s.Now+w.Clock[n] >= nd.due() {
		return nil
	}
	if s.Forgot && w.ghost(s, n).births > 1 {
		return nil // as in checkGhost
	}
	for m := range w.Nodes {
		if s.Node[m].Known == nd.Known && !w.visible(s, m) {
			return fmt.Errorf("n%d hides a session alive until %d at n%d", m, nd.due(), n)
		}
	}
	return nil
}

// check judges one state. Where births have no lifetime of their own, after a separation longer than a tombstone's until
// logout wins over life: then what is hidden may have been destroyed or come to its end elsewhere (checkAbsence). Limit 1 is
// beyond these rules.
func (w *World) check(s *State) error {
	if w.Pulls {
		if err := w.checkAbsence(s); err != nil {
			return err
		}
	}
	if w.NoLife && s.Parted {
		if w.Pulls {
			return w.checkConverges(s)
		}
		return nil
	}
	for n := range w.Nodes {
		if err := w.checkGhost(s, n); err != nil {
			return err
		}
		if err := w.checkKeptAlive(s, n); err != nil {
			return err
		}
	}
	return w.checkConverges(s)
}

// checkDestroyed is the heart of promise 3: a tombstone covers every birth really made before it, anywhere, but for
// those whose stamp was raised above the clock and which the destroyer had not seen (the documented limit).
func (w *World) checkDestroyed(before *State, n int, t Stamp) error {
	nd := &before.Node[n]
	for _, op := range before.Ops {
		if op == nil || op.Kind != opBirth {
			continue
		}
		raised := op.B.ID.S > op.HLC
		if id := op.B.ID; id.S > t && (!raised || nd.Key.find(id) != nil) {
			return fmt.Errorf("destroy at n%d (T=%d) misses birth %v made before it", n, t, id)
		}
	}
	return nil
}

// checkConverges is promise 2: from here, with everything repaired, all nodes are equal, in more than one order
// of repairing.
func (w *World) checkConverges(s *State) error {
	for _, order := range []int{0, 1} {
		c := *s
		w.converge(&c, order)
		if err := w.checkConverged(&c); err != nil {
			return err
		}
		if !w.Pulls {
			continue
		}
		if err := w.checkReunited(s, &c); err != nil {
			return err
		}
	}
	return nil
}

// converge lets every node fetch every dot that some live node holds: by value from the lowest holder, or by the op
// itself first and then by value from the highest.
func (w *World) converge(c *State, order int) {
	for n := range w.Nodes {
		if p := c.Node[n].Snap; p != nil && p.Read {
			c.Forgot = true // what a transfer that broke off brought is here without its dots: the fingerprints' work
		}
		c.Node[n].Joining, c.Node[n].Snap = false, nil
	}
	for again, round := true, 0; again && round < 8; round++ {
		again = false
		for n := range w.Nodes {
			again = w.fetchAll(c, n, order) || again
		}
	}
	var hlc Stamp
	for n := range w.Nodes { // equal epochs
		hlc = max(hlc, at(w.time(c, n)), c.Node[n].HLC)
	}
	for n := range w.Nodes {
		if c.Node[n].HLC = hlc; !w.InsertDue {
			w.collect(c, n)
		}
	}
}

func (w *World) fetchAll(c *State, n, order int) (did bool) {
	var held Dots
	for h := range w.Nodes {
		held |= w.shown(&c.Node[h])
	}
	(held &^ c.Node[n].Cov).each(func(d Dots) {
		did = order == 1 && w.deliver(c, n, d) || did
		for i := range w.Nodes {
			h := i
			if order == 1 {
				h = w.Nodes - 1 - i
			}
			did = w.repair(c, n, h, d) || did
		}
	})
	for i := 0; i < w.Nodes && w.Pulls; i++ {
		h := i
		if order == 1 {
			h = w.Nodes - 1 - i
		}
		did = w.pull(c, n, h) || did
	}
	return did
}

// checkConverged compares at equal epochs. Where a node purged the key while a dot was still missing somewhere (cut off for
// longer than the promise and the grace), equal intervals do not yet make equal states: the fingerprints differ, the
// buckets are merged, and that must be enough. In every other trace equal intervals are equal states.
func (w *World) checkConverged(c *State) error {
	if w.NoLife && c.Parted && !w.Pulls {
		return nil
	}
	if w.equal(c) {
		return w.checkAll(c)
	}
	if !c.Forgot && !c.Parted && !w.Heals {
		return fmt.Errorf("all repaired, yet %s", w.keys(c))
	}
	for range 2 {
		for n := range w.Nodes {
			w.heal(c, n, (n+1)%w.Nodes)
		}
	}
	if w.Heals || w.Pulls && !w.Forgetful { // an end, or a destroy, that this brought to light is a change as any other
		w.converge(c, 0)
	}
	if !w.equal(c) {
		return fmt.Errorf("all repaired and healed, yet %s", w.keys(c))
	}
	return w.checkAll(c)
}

func (w *World) checkAll(c *State) error {
	if w.NoLife && c.Parted {
		return nil
	}
	for n := range w.Nodes {
		if err := w.checkGhost(c, n); err != nil {
			return fmt.Errorf("all repaired: %w", err)
		}
		if err := w.checkEnds(c, n); err != nil {
			return fmt.Errorf("all repaired: %w", err)
		}
	}
	return nil
}

// checkEnds: in the end every node shows what lives by all that living nodes saw, whoever has forgotten what since.
func (w *World) checkEnds(c *State, n int) error {
	var saw Dots
	for m := range w.Nodes {
		saw |= c.Node[m].Saw
	}
	if m, g := w.view(c, n), w.ghostOf(c, n, saw); g.births > 0 && m.visible != g.visible {
		return fmt.Errorf("n%d shows a session: %v, by all that was seen %v", n, m, g)
	}
	return nil
}

func (w *World) equal(c *State) bool {
	for n := 1; n < w.Nodes; n++ {
		if c.Node[n].Key != c.Node[0].Key || c.Node[n].Cov != c.Node[0].Cov {
			return false
		}
	}
	return true
}

func (w *World) keys(c *State) (out string) {
	for n := range w.Nodes {
		out += fmt.Sprintf("n%d at %d holds %+v cov %x; ", n, w.time(c, n), c.Node[n].Key, c.Node[n].Cov)
	}
	return out
}
