package sim

import (
	"fmt"
	"slices"
	"time"

	"github.com/sessioncast/sessioncast/internal/engine"
	"github.com/sessioncast/sessioncast/internal/record"
	"github.com/sessioncast/sessioncast/internal/wire"
)

// What convergence alone would hide: a core that agrees may still take one of its nodes for dead, keep it set aside, or
// hear of changes only at the next heartbeat.

const (
	// acquaintedWithin is how long after the convergence all know all again. The share of lost datagrams, by which receivers are
	// set aside, is taken over 30 heartbeats; then it takes three looks.
	acquaintedWithin = time.Minute

	copiesSettle = 8 * time.Second         // after multicast has ended it is clear who needs copies
	roadsTold    = 1500 * time.Millisecond // each full heartbeat says who is not heard by multicast: who uses none is sent copies from the first one on
	freshWithin  = 300 * time.Millisecond  // beyond the paths' delay, until a change has reached all by multicast or copies
	freshSpread  = 600 * time.Millisecond  // at most between two nodes' writes
	alarmLasts   = 200 * time.Millisecond  // a doubt is examined for 24 ms
	alarmDelay   = 3 * time.Millisecond    // of the paths, at which every probe is answered in time
)

// aftermath looks at the healed core once more.
func (w *World) aftermath() {
	w.getAcquainted()
	w.shutAgain()
	w.falseAlarms()
	w.freshWrites()
	w.leftovers()
}

// getAcquainted waits until all of the core know all of it as what they are.
func (w *World) getAcquainted() {
	begin, next, why := w.now, w.now, ""
	w.run(w.now+acquaintedWithin, func() bool {
		if w.now < next {
			return false
		}
		next = w.now + 100*time.Millisecond
		why = w.estranged()
		return why == "" && w.misnames() == ""
	})
	shut, more := w.misnames(), begin+w.namedWithin()-w.now
	switch {
	case w.err != nil:
	case why == "" && shut != "" && more > 0:
		w.namesSoon(more)
	case why+shut != "":
		w.fail("members", "after %v: %s%s", acquaintedWithin, why, shut)
	}
	w.stats.Acquainted = w.now - begin
}

// estranged says who does not know whom as a member in good standing, or nothing.
func (w *World) estranged() string {
	for _, n := range w.core() {
		known := make(map[record.Origin]engine.Member)
		for _, m := range n.machine.Members(n.time()) {
			known[m.Origin] = m
		}
		for _, other := range w.core() {
			if m, is := known[other.origin]; other != n && !w.net.apart(n.id, other.id) && !w.strangers(n, other) && (!is || w.slighted(n, other, &m)) {
				return fmt.Sprintf("%s knows %s (%v) as %+v", nodeName(n.id), nodeName(other.id), is, m)
			}
		}
	}
	return ""
}

// slighted reports whether other is less to n than it should be, or costs it more.
func (w *World) slighted(n, other *Node, m *engine.Member) bool {
	needless := m.Copies && n.mode != engine.ModeUnicast && w.grouped(n, other)
	astray := m.Addr != other.addr // of a replay's sender, until it is heard from where it is
	return astray || m.State != wire.Synced || m.ViaOthers || m.Aside || m.Killed || m.Left || needless
}

// falseAlarms ends connections of the death watch while everyone lives: nobody is taken for dead.
func (w *World) falseAlarms() {
	if w.opts.Rules.delay+w.opts.Rules.jitter > alarmDelay {
		return
	}
	w.alarmed = true
	for _, n := range w.core() {
		for _, k := range n.kept {
			w.after(startWait, func() { n.step(engine.WatchBroken{Origin: k.Origin}) })
		}
	}
	w.run(w.now+alarmLasts, nil)
	w.alarmed = false
}

// checkDeath: nobody is dead who answers.
func (w *World) checkDeath(n *Node, e *engine.Event) {
	dead := w.started[e.Member.Origin]
	if w.alarmed && e.State == wire.Dead && dead != nil && dead.core && dead.origin == e.Member.Origin && (dead.knows(n) || !w.strangers(n, dead)) {
		w.fail("members", "%s takes %s for dead, which answers", nodeName(n.id), nodeName(dead.id))
	}
}

// groupEnds is when multicast has ended, the healing where it goes on failing. To who is not reached any more that is when the last
// that was sent before has come, which may wait for long in a slow link: until then it hears the group (PROTOCOL.md, "Copies").
func (w *World) groupEnds() time.Duration {
	ends := w.healedAt
	for _, from := range w.core() {
		for _, to := range w.core() {
			if l := w.net.link(from.id, to.id); from != to && l.deaf > 0 {
				ends = max(ends, l.group)
			}
		}
	}
	return ends
}

// freshWrites has every node write, whose change all the others have to hold soon.
func (w *World) freshWrites() {
	if w.opts.MaxBytes > 0 { // room may be short
		return
	}
	w.opts.Faults &^= LargeValues
	if w.opts.StaysDeaf {
		w.run(max(w.now, w.groupEnds()+copiesSettle), nil)
	}
	if w.opts.Modes == mixedModes {
		w.run(w.now+roadsTold, nil)
	}
	for _, n := range w.core() {
		if w.err == nil && n.runs() {
			n.opUpsert(w.drawKey(false))
		}
		w.run(w.now+time.Duration(w.work.Int64N(int64(freshSpread))), nil)
	}
	w.run(w.now+freshWithin+4*(w.opts.Rules.delay+w.opts.Rules.jitter), nil)
	if w.err == nil {
		w.checkFresh()
	}
}

// leftoversWithin is how long an item that stopped arriving is asked for before it is given up.
const leftoversWithin = 10 * time.Second

// transient is what a machine holds for a while only, and returns to nothing once all have everything.
var transient = []string{"items being assembled", "bytes being assembled", "items being sent in fragments", "dots to repair",
	"keys to push", "changes by key", "control frames", "writers that wait"}

// leftovers: nothing that was begun is kept for ever.
func (w *World) leftovers() {
	why := ""
	w.run(w.now+leftoversWithin, func() bool {
		why = w.left()
		return why == ""
	})
	if w.err == nil && why != "" {
		w.fail("promise 8", "%s, though all hold everything for %v", why, leftoversWithin)
	}
}

func (w *World) left() string {
	for _, n := range w.core() {
		for _, s := range n.machine.Sizes() {
			if s.N > 0 && slices.Contains(transient, s.What) {
				return fmt.Sprintf("%s still holds %d %s", nodeName(n.id), s.N, s.What)
			}
		}
	}
	return ""
}

// checkFresh: everyone holds everyone's changes.
func (w *World) checkFresh() {
	for _, n := range w.core() {
		high := n.table.OwnHigh()
		for _, m := range w.core() {
			ref, known := m.origins.Lookup(n.origin)
			if m == n || high == 0 || w.net.apart(n.id, m.id) || w.strangers(n, m) {
				continue
			}
			if !known || !m.covers(ref, high) {
				w.fail("members", "%s has not heard of dot %d of %s after %v", nodeName(m.id), high, nodeName(n.id), freshWithin)
			}
		}
	}
}

// covers reports whether the node says that it holds the dot.
func (n *Node) covers(ref record.Ref, seq uint64) bool {
	for _, v := range n.machine.Offer() {
		if v.Origin == ref {
			return v.Set.Contains(seq)
		}
	}
	return false
}

// leaveDeaf has multicast fail on some paths of the core for good, as on networks that do not carry it, while unicast works.
// Where nobody could find anybody, the nodes are told the addresses, as their operator would.
func (w *World) leaveDeaf() {
	core := w.core()
	if !w.opts.StaysDeaf || len(core) < 2 {
		return
	}
	d := dice(w.opts.Seed, diceDeaf)
	a, b := core[d.IntN(len(core))].id, core[d.IntN(len(core))].id
	some := d.Uint64()
	kind := d.IntN(5)
	w.lasting = d.IntN(2) == 0 || kind < 2 || len(core) == 2 // of two, nobody else could introduce them
	w.stats.Deafened++
	w.log("multicast goes on failing: kind %d, %s, %s, told the addresses: %v", kind, nodeName(a), nodeName(b), w.lasting)
	fails := []func(from, to int) bool{
		func(int, int) bool { return true },
		func(from, to int) bool { return some>>((7*from+to)%64)&1 == 0 },
		func(_, to int) bool { return to == a },
		func(from, _ int) bool { return from == a },
		func(from, to int) bool { return from == a && to == b || from == b && to == a },
	}[kind]
	if kind < 4 || len(core) == 2 {
		fails = w.oneWayAtLeast(fails)
	}
	w.net.deafen(+1, fails)
}

// tellAddresses tells them to all of the core, also to who stood still until now, where the faults' end changes them.
func (w *World) tellAddresses() {
	if !w.lasting && w.opts.Addresses == allAddresses {
		return
	}
	for _, n := range w.core() {
		if n.runs() {
			n.step(engine.Seeds{Addrs: n.addrs()})
		}
	}
}
