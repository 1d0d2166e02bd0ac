package sim

import (
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
