package sim

import (
	"time"

	"github.com/sessioncast/sessioncast/internal/wire"
)

// Clocks beyond the limit: one node at a time, so that the others are most. Such a node may refuse writes, and hide its
// sessions for as long as it cannot know better; it may not forget what the others keep, and none of them may suffer.

var farJumps = []time.Duration{time.Hour, -time.Hour, 24 * time.Hour, -24 * time.Hour}

// farSettles is how long after its return a clock may still be doubted, by a node that has nobody to ask. What it stamped while it was ahead keeps a node
// from writing for longer: until it is started again.
const farSettles = 65 * time.Second

// delays are the faults that can make every peer's clock look slow for a moment.
const delays = Reorder | Replay | Pause | SlowLink | SlowNode | SmallBuffer

// fewestForFar is the least cluster in which the others can outvote a clock.
const fewestForFar = 3

func (w *World) strikeFar(length time.Duration) {
	n := w.victim()
	for _, m := range w.ours() {
		if m.far != 0 || m.wasFar && w.now < m.farEnd+5*time.Second { // its peers may hold it against others yet
			return
		}
	}
	if n == nil || w.opts.Nodes < fewestForFar {
		return
	}
	w.stats.Faults[FarClock]++
	n.goFar(pick(w.nemesis, farJumps...))
	if w.opts.Situation == farStart || w.nemesis.IntN(4) == 0 { // and nobody saw it jump
		n.crash()
		n.start()
	}
	w.after(length, func() {
		if !w.healed {
			n.comeBack()
		}
	})
}

func (n *Node) goFar(by time.Duration) {
	n.far, n.wasFar = by, true
	n.world.logNode(n, "clock jumps to %v off", n.skew+n.far)
	n.poll()
}

func (n *Node) comeBack() {
	if n.far == 0 {
		return
	}
	n.far, n.farEnd = 0, n.world.now
	n.world.logNode(n, "clock is back at %v off", n.skew)
	n.poll()
}

// strange reports whether the node's clock is, or a moment ago was, beyond the limit.
func (n *Node) strange() bool {
	return n.far != 0 || n.wasFar && n.world.now < n.farEnd+farSettles || n.misled
}

// noteMisled notes that a node which is no member yet hears more members whose clocks are far than others. It goes by them, and cannot know better, for as
// long as it hears one.
func (n *Node) noteMisled() {
	far, right := 0, 0
	for _, m := range n.machine.Members(n.time()) {
		p := n.world.started[m.Origin]
		switch {
		case m.Self || p == nil || m.State != wire.Synced && m.State != wire.Leaving:
		case p.far != 0 || p.wasFar && n.world.now < p.farEnd+farSettles:
			far++
		default:
			right++
		}
	}
	if n.synced == never && far > right {
		n.misled = true
	} else if far == 0 {
		n.misled = false
	}
}

// misread are the faults after which a clock may be taken for another: it was another when it was read, or what it said came
// late by way of the network.
const misread = Jump | FarClock | Reorder | Replay | SlowLink | SlowNode

// readsClocks reports whether nothing but its own pauses keeps the node from knowing what its peers' clocks are off by.
func (n *Node) readsClocks() bool { return n.world.opts.Faults&misread == 0 }

// readingError is how wrong a reading of a peer's clock may be.
const readingError = 1200 * time.Millisecond

// trueSkew is how far, in milliseconds, any clock of its cluster is from this node's, and what a reading of it may add.
func (n *Node) trueSkew() int64 {
	most := time.Duration(0)
	for _, m := range n.world.nodes {
		if m.other == n.other {
			most = max(most, (m.skew - n.skew).Abs())
		}
	}
	return (most + readingError).Milliseconds()
}

// trueMillis is the time that all clocks are within half of the limit of, but for far ones.
func (w *World) trueMillis() int64 { return epochMillis + w.now.Milliseconds() }

// forgetMillis is the latest moment for which the node may have forgotten what ended by it.
func (n *Node) forgetMillis() int64 {
	late := n.world.trueMillis() + (max(n.skew, 0) + maxSkew).Milliseconds() // its hybrid clock may be so far ahead of its own
	if n.wasFar {                                                            // its clock may be behind, while it went by the others' before
		return late
	}
	return min(n.clusterMillis(), late)
}

// lateMillis is the time up to which nothing need be held any more. Where this node may go by a clock that is behind, the others may have
// forgotten by theirs; and what datagrams say that were under way for a minute and more may set it back behind what it forgot before, as
// may a clock that jumps back within the limit.
func (n *Node) lateMillis() int64 {
	late, far := max(n.clusterMillis(), n.watch.forgotBy, min(n.watch.wentBy, n.world.trueMillis())), false
	for _, m := range n.world.ours() {
		far = far || m.strange()
	}
	for _, m := range n.world.ours() {
		if far && m.up {
			late = max(late, n.world.trueMillis(), m.forgetMillis())
		}
	}
	return late
}
