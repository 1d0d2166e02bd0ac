package sim

import (
	"fmt"
	"slices"
	"time"

	"github.com/sessioncast/sessioncast/internal/engine"
	"github.com/sessioncast/sessioncast/internal/wire"
)

// strikeUnicast makes unicast fail on some paths, as firewalls do: of all nodes, into one, into and out of one, or between two. Half of
// the time one of those concerned starts meanwhile.
func (w *World) strikeUnicast(length time.Duration) {
	a, b := w.nemesis.IntN(len(w.nodes)), w.nemesis.IntN(len(w.nodes))
	crosses := []func(from, to int) bool{
		func(int, int) bool { return true },
		func(_, to int) bool { return to == a },
		func(from, to int) bool { return from == a || to == a },
		func(from, to int) bool { return from == a && to == b || from == b && to == a },
	}[w.nemesis.IntN(4)]
	w.log("unicast of or to %s does not arrive for %v", nodeName(a), 2*length)
	w.stats.Faults[NoUnicast]++
	w.net.shut(+1, crosses)
	w.after(2*length, func() {
		if !w.healed {
			w.net.shut(-1, crosses)
			w.log("%v ends", NoUnicast)
		}
	})
	if n := w.nodes[a]; w.nemesis.IntN(2) == 0 && !n.other && n.runs() {
		down := time.Duration(w.nemesis.Int64N(int64(length) + 1))
		w.logNode(n, "crash, back in %v", down)
		n.crash()
		w.restartAfter(n, down)
	}
}

// leaveShut has unicast fail between two nodes of the core for good, one way or both: the others are there to converge through.
func (w *World) leaveShut() {
	core := w.core()
	if !w.opts.StaysShut || len(core) < 3 {
		return
	}
	d := dice(w.opts.Seed, diceShut)
	a, i := d.IntN(len(core)), 1+d.IntN(len(core)-1)
	from, to := core[a].id, core[(a+i)%len(core)].id
	both := d.IntN(2) == 0
	w.stats.Shut++
	w.log("unicast of %s to %s goes on failing, both ways %v", nodeName(from), nodeName(to), both)
	w.net.shut(+1, func(f, t int) bool { return f == from && t == to || both && f == to && t == from })
}

// misnamed reports whether n is wrong about unicast between it and other, where both use multicast and it passes. Who has not proved itself
// to the other is another matter.
func (w *World) misnamed(n, other *Node, m *engine.Member) bool {
	in, out := w.net.link(other.id, n.id), w.net.link(n.id, other.id)
	both := w.grouped(n, other) && w.grouped(other, n)
	return n != other && other.knows(n) && (m.ShutIn != (both && in.shut > 0) || m.ShutOut != (both && out.shut > 0))
}

// namedWithin is how long it takes at most until all know between whom unicast is shut: an idle node looks at two others each turn
// (docs/adr/0021).
func (w *World) namedWithin() time.Duration {
	return time.Duration(len(w.core())/2)*shutTurn + shutWithin
}

// misnames says who is wrong about unicast with whom, or nothing.
func (w *World) misnames() string {
	for _, n := range w.core() {
		for _, m := range n.machine.Members(n.time()) {
			if other := w.started[m.Origin]; other != nil && other.core && other.origin == m.Origin && m.State != wire.Dead && w.misnamed(n, other, &m) {
				return fmt.Sprintf("%s says of unicast with %s that it is shut in %v, out %v", nodeName(n.id), nodeName(other.id), m.ShutIn, m.ShutOut)
			}
		}
	}
	return ""
}

// knows reports whether other is a member to n.
func (n *Node) knows(other *Node) bool {
	return slices.ContainsFunc(n.machine.Members(n.time()), func(m engine.Member) bool { return m.Origin == other.origin && m.State != wire.Dead })
}

const (
	shutOneIn  = 3               // of how many runs with this fault unicast is shut once more among nodes that are synced
	shutTurn   = 8 * time.Second // in which an idle node asks two peers
	shutWithin = 9 * time.Second // after its turn came a shut is told by both sides; as soon after its end they say that all is well
)

// shutAgain shuts unicast among nodes of the healed core, all of which know each other, on some paths, one way or both: each must say so of
// those it concerns, and of nobody else, and no more when it is over.
func (w *World) shutAgain() {
	d := dice(w.opts.Seed, diceShutAgain)
	core := w.core()
	if !w.opts.Faults.Has(NoUnicast) || w.opts.toldAddresses() || w.opts.StaysDeaf || len(core) < 2 || w.err != nil || d.IntN(shutOneIn) > 0 {
		return
	}
	a, i := d.IntN(len(core)), 1+d.IntN(len(core)-1)
	from, to := core[a].id, core[(a+i)%len(core)].id
	crosses := []func(f, t int) bool{
		func(f, t int) bool { return f == from && t == to },
		func(f, t int) bool { return f == from && t == to || f == to && t == from },
		func(_, t int) bool { return t == to },
		func(f, t int) bool { return f == from || t == from },
	}[d.IntN(4)]
	w.stats.Shut++
	w.log("unicast of %s to %s is shut once more", nodeName(from), nodeName(to))
	w.net.shut(+1, crosses)
	w.namesSoon(w.namedWithin())
	w.net.shut(-1, crosses)
	w.log("unicast of %s to %s passes again", nodeName(from), nodeName(to))
	w.namesSoon(shutWithin)
}

// namesSoon waits until all say of unicast what is true, and wants that they do within a while.
func (w *World) namesSoon(within time.Duration) {
	next, why := w.now, ""
	w.run(w.now+within, func() bool {
		if w.now < next {
			return false
		}
		next = w.now + 100*time.Millisecond
		why = w.misnames()
		return why == ""
	})
	if w.err == nil && why != "" {
		w.fail("members", "after %v: %s", within, why)
	}
}

const (
	inTransit = 4 * time.Second // a frame that takes longer says nothing of the present
	heardOf   = time.Second     // who was heard within it is there

	fullLength = wire.Overhead + 60 // bytes at least; one that is not full has 8 and two numbers in its body
)

// noteHeard notes full heartbeats of nodes that were synced when this one started and are so still.
func (n *Node) noteHeard(p *packet) {
	w, from := n.world, p.sender
	if from == nil || from.other != n.other || p.life != from.life || !from.up || from.synced > n.startedAt || from.leaving ||
		p.sent < from.synced || w.now-p.sent > inTransit || !saysState(p.data) || n.far != 0 || from.far != 0 || n.wasFar || from.wasFar {
		return
	}
	if off := from.clock.Read(from.wall()).Millis() - n.wall(); max(off, -off) > maxSkew.Milliseconds() {
		return
	}
	n.heard[from] = n.time()
}

// saysState reports whether the frame is a full heartbeat for everybody: others are shorter.
func saysState(frame []byte) bool {
	var h wire.Header
	return wire.ParseHeader(frame, &h) == nil && h.Type == wire.TypeHeartbeat && !h.Addressed && len(frame) >= fullLength
}

// checkAlone: nobody who hears a synced node is synced by himself.
func (n *Node) checkAlone(e *engine.Event) {
	if !e.Member.Origin.IsZero() || n.machine.Counters().FetchesFailed > 0 { // with transfers that fail, nobody is left to ask
		return
	}
	for _, other := range n.world.nodes {
		at, heard := n.heard[other]
		if heard && other.up && !other.leaving && other.synced <= n.startedAt && n.time().Sub(at) < heardOf {
			n.world.fail("promise 2", "%s is synced by itself, though it hears %s, which was synced before it began", nodeName(n.id), nodeName(other.id))
		}
	}
}
