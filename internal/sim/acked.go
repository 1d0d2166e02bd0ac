package sim

import (
	"time"

	"github.com/sessioncast/sessioncast/internal/engine"
	"github.com/sessioncast/sessioncast/internal/hlc"
	"github.com/sessioncast/sessioncast/internal/record"
)

// takeAcked is promise 4: what was acknowledged is held by as many others as it says, so the writer may die now. And
// sometimes it does.
func (n *Node) takeAcked(a engine.Acked) {
	w := n.world
	if wait, ok := n.asked[a.ID]; ok {
		delete(n.asked, a.ID)
		if n.up { // else an answer before this one killed it
			n.takeTold(&wait, a)
		}
		return
	}
	await, ok := n.awaits[a.ID]
	if !ok {
		w.fail("promise 4", "%s: an answer to no question: %d", nodeName(n.id), a.ID)
		return
	}
	delete(n.awaits, a.ID)
	w.logNode(n, "acked dot %d: %d peers, met %v", await.seq, a.Peers, a.Met)
	if w.now > await.since+ackTimeout+slack && !w.opts.Faults.Has(Pause) {
		w.fail("promise 4", "%s: dot %d is answered after %v", nodeName(n.id), await.seq, w.now-await.since)
	}
	if a.Met && (a.Peers < w.opts.Ack || a.Peers == 0) {
		w.fail("promise 4", "%s: dot %d is told to be confirmed as asked, by %d of %d", nodeName(n.id), await.seq, a.Peers, w.opts.Ack)
	}
	if a.Peers == 0 {
		return
	}
	holders := 0
	for _, m := range w.nodes {
		if m != n && m.other == n.other && m.up && m.holds(n.origin, &await) {
			holders++
		}
	}
	if holders+w.crashes-await.crashes < a.Peers {
		n.broken("promise 4", await.key, "dot %d is confirmed by %d peers, held by %d", await.seq, a.Peers, holders)
		return
	}
	w.stats.AckChecks++
	if a.Met {
		w.stats.Acked++
	}
	if a.Met && !w.healed && w.opts.Faults.Has(Crash) && w.nemesis.IntN(4) == 0 {
		w.doom(n)
	}
}

// slack is how late a timer may be: datagrams are handled one by one and take no time.
const slack = time.Millisecond

// doom crashes a node as soon as its step is over.
func (w *World) doom(n *Node) {
	life := n.life
	w.after(0, func() {
		if n.life == life && !w.healed {
			w.stats.Faults[Crash]++
			w.stats.Killed++
			w.logNode(n, "dies right after an acknowledged write")
			n.crash()
			w.restartAfter(n, maxStroke/4)
		}
	})
}

// holds reports whether the node has everything that the write of another made.
func (n *Node) holds(writer record.Origin, a *awaited) bool {
	ref, known := n.origins.Lookup(writer)
	if !known {
		return false
	}
	for _, v := range n.machine.Offer() {
		if v.Origin == ref && v.Set.Contains(a.seq) {
			return n.includes(a.key, &a.state)
		}
	}
	return false
}

// includes reports whether merging state, which is in the observer's terms, would add nothing that can still be seen.
func (n *Node) includes(k record.Key, state *record.State) bool {
	var s record.State
	n.table.Load(k, &s)
	mine := n.globalState(&s)
	now := n.lateMillis()
	if t := &state.Tomb; mine.Tomb.At < t.At && (t.Until == 0 || t.Until > now) {
		return false
	}
	for i := range state.Births {
		if !n.includesBirth(k, &mine, &state.Births[i]) {
			return false
		}
	}
	return true
}

func (n *Node) includesBirth(k record.Key, mine *record.State, b *record.Birth) bool {
	if record.Kills(mine.Tomb, n.floorSeen(k.DB), b) || b.Latest <= n.lateMillis() || crowded(mine) || n.world.ledger.of(k).crowded[b.ID] ||
		n.world.ledger.of(k).collected(b.ID.At, n.lateMillis()) || n.world.flushed(k, b.ID.At) ||
		n.world.ledger.of(k).expired[b.ID] && b.ID.At.Millis()+n.table.Keep().Milliseconds() <= n.lateMillis() {
		return true
	}
	for i := range mine.Births {
		m := &mine.Births[i]
		if m.ID == b.ID {
			o := n.world.origins
			return !o.Adds(&m.Value, &b.Value) && !o.Later(b.Deadline.Version, m.Deadline.Version)
		}
	}
	return false
}

// flushed reports whether any node has made a floor above the birth. Whoever repairs the birth's dot knowing that floor
// has nothing to send, and the floor comes with a dot of its own.
func (w *World) flushed(k record.Key, id hlc.Stamp) bool {
	for _, t := range w.ledger.of(record.FloorKey(k.DB)).tombs {
		if id <= t.At {
			return true
		}
	}
	return false
}
