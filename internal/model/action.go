package model

import (
	"fmt"
	"strings"
)

// Act is the kind of an action. Those before actTick are local operations.
type Act uint8

const (
	actUpsert   Act = iota // SET
	actReset               // SET by a connection that has seen the key missing
	actSetBrief            // an upsert with a short lifetime
	actCreate              // SET NX
	actBrief               // SET NX with a short lifetime
	actWrite               // update of the data alone
	actTouch
	actShorten
	actPersist
	actDestroy
	actTick // time passes by one
	actLeap // time passes to the next moment something is hidden or collected
	actRestart
	actSnapStart
	actSnapRead
	actSnapEnd
	actDeliver
	actRepair
	numActs
)

var actNames = [numActs]string{"sets", "sets-anew", "sets-brief", "creates", "creates-brief", "writes", "touches", "shortens", "persists", "destroys",
	"tick", "leap", "restarts", "asks", "reads", "joins", "gets", "repairs"}

// Action is one step of the cluster.
type Action struct {
	Act  Act
	Node uint8
	Peer uint8
	Dot  Dots
}

// String gives the form that Parse reads: "n0 creates", "n1 gets 0.0", "n1 repairs 0.0 from n2", "leap".
func (a Action) String() string {
	switch i := uint8(a.Dot.index()); a.Act {
	case actTick, actLeap:
		return actNames[a.Act]
	case actDeliver:
		return fmt.Sprintf("n%d gets %d.%d", a.Node, i/maxSeq, i%maxSeq)
	case actRepair:
		return fmt.Sprintf("n%d repairs %d.%d from n%d", a.Node, i/maxSeq, i%maxSeq, a.Peer)
	case actSnapStart:
		return fmt.Sprintf("n%d asks n%d", a.Node, a.Peer)
	}
	return fmt.Sprintf("n%d %s", a.Node, actNames[a.Act])
}

// Parse reads one action.
func Parse(line string) (a Action, err error) {
	f := strings.Fields(line)
	if len(f) == 1 {
		f = []string{"n0", f[0]}
	}
	a.Act = numActs
	for i, name := range actNames {
		if len(f) > 1 && f[1] == name {
			a.Act = Act(i)
		}
	}
	var o, seq uint8
	switch a.Act {
	case numActs:
		return a, fmt.Errorf("no action in %q", line)
	case actDeliver:
		_, err = fmt.Sscanf(line, "n%d gets %d.%d", &a.Node, &o, &seq)
		a.Dot = dot(o, seq)
	case actRepair:
		_, err = fmt.Sscanf(line, "n%d repairs %d.%d from n%d", &a.Node, &o, &seq, &a.Peer)
		a.Dot = dot(o, seq)
	case actSnapStart:
		_, err = fmt.Sscanf(line, "n%d asks n%d", &a.Node, &a.Peer)
	default:
		_, err = fmt.Sscanf(f[0], "n%d", &a.Node)
	}
	return a, err
}

// Apply does an action. ok is false where it does not apply; err is a broken promise.
func (w *World) Apply(s *State, a Action) (ok bool, err error) {
	before := *s
	n := int(a.Node)
	if a.Act < actTick && !s.Node[n].canWrite() {
		return false, nil
	}
	if !w.act(s, n, a) {
		return false, nil
	}
	s.Spent[a.Act]++
	w.bury(s)
	if !w.InsertDue || a.Act == actTick || a.Act == actLeap {
		for m := range w.Nodes {
			w.collect(s, m)
		}
	}
	return true, w.checkStep(&before, s, a)
}

func (w *World) act(s *State, n int, a Action) bool {
	switch a.Act {
	case actUpsert:
		return w.upsert(s, n, false, w.TTL)
	case actReset:
		return w.upsert(s, n, true, w.TTL)
	case actSetBrief:
		return w.upsert(s, n, false, w.ShortTTL)
	case actCreate:
		return w.create(s, n)
	case actBrief:
		return w.createBrief(s, n)
	case actWrite:
		return w.write(s, n, 0)
	case actTouch:
		return w.touch(s, n)
	case actShorten:
		return w.shorten(s, n)
	case actPersist:
		return w.persist(s, n)
	case actDestroy:
		return w.destroy(s, n)
	case actTick:
		if w.overdue(s) || w.stranded(s) {
			return false
		}
		s.Now += max(1, w.Tick)
		return true
	case actLeap:
		return w.leap(s)
	case actRestart:
		return w.restart(s, n)
	case actSnapStart:
		return w.snapStart(s, n, int(a.Peer))
	case actSnapRead:
		return w.snapRead(s, n)
	case actSnapEnd:
		return w.snapEnd(s, n)
	case actDeliver:
		return s.Ops[a.Dot.index()] != nil && w.deliver(s, n, a.Dot)
	}
	return w.repair(s, n, int(a.Peer), a.Dot)
}

// leap advances to the next moment at which a node hides or collects something.
func (w *World) leap(s *State) bool {
	next := never
	for n := range w.Nodes {
		nd := &s.Node[n]
		d, of := nd.Key.deadline()
		var events []int16
		for i := range nd.Key.B[:nd.Key.N] {
			events = append(events, w.keepUntil(&nd.Key, &nd.Key.B[i]))
		}
		if of != (ID{}) && d.Promise != never {
			events = append(events, w.hideAt(d.Promise))
		}
		if nd.Key.T > 0 {
			events = append(events, w.epochEnd(nd.Key.Until))
		}
		for _, e := range events {
			if left := e - (s.Now + w.Clock[n]); left > 0 && e > w.time(s, n) {
				next = min(next, left)
			}
		}
	}
	if next >= never/2 || w.overdue(s) || w.stranded(s) {
		return false
	}
	s.Now += next
	return true
}

// checkStep judges an action by what its caller was promised.
func (w *World) checkStep(before, s *State, a Action) error {
	n := int(a.Node)
	nd := &s.Node[n]
	own := ID{O: nd.Origin}
	switch a.Act {
	case actUpsert, actReset, actSetBrief, actCreate, actBrief, actWrite:
		if d := nd.Key.data(); !w.visible(s, n) || d.O != own.O || d == before.Node[n].Key.data() {
			return fmt.Errorf("n%d does not read its own write", n)
		}
	case actTouch, actShorten:
		if !w.visible(s, n) || nd.due() == before.Node[n].due() {
			return fmt.Errorf("n%d does not read its own deadline", n)
		}
	case actDestroy:
		if w.visible(s, n) {
			return fmt.Errorf("n%d still shows what it destroyed", n)
		}
		return w.checkDestroyed(before, n, s.Ops[dot(nd.Origin, nd.Seq-1).index()].T)
	}
	return nil
}
