package sim

import (
	"net/netip"

	"github.com/sessioncast/sessioncast/internal/engine"
)

// modes is how the nodes of a run reach each other, where not all are in mode auto, or all in mode unicast (Options.Unicast). The dice are
// their own, and the nodes' modes change no other draw: runs without stay what they were.
type modes string

const (
	allMulticast modes = "multicast" // alone, on every node
	mixedModes   modes = "mixed"     // each node has its own; those that take addresses are told some of them

	oneInModes  = 16 // of how many runs one is one of them,
	modesChance = 11 // by this number: none of the seeds that docs/reliability.md told of was
)

var modeNames = map[engine.Mode]string{engine.ModeAuto: "auto", engine.ModeUnicast: "unicast", engine.ModeMulticast: "multicast"}

// drawModes draws whether the nodes are in other modes. Who is in mode unicast is called each 5 s only, so those who meet again are not alike as
// soon as the situation rejoin wants it. Unicast that is shut between nodes of which one uses no multicast is a cut, which other
// faults draw, and is not looked at as one that is shut.
func (o *Options) drawModes(seed uint64) {
	d := dice(seed, diceModes)
	if o.Unicast || d.IntN(oneInModes) != modesChance {
		return
	}
	if m := pick(d, allMulticast, allMulticast, mixedModes); m != mixedModes || o.Situation != rejoin {
		o.setModes(m)
	}
}

func (o *Options) setModes(m modes) {
	o.Modes = m
	if m == mixedModes {
		o.StaysShut = false
		o.Addresses = pick(dice(o.Seed, diceAddresses), allAddresses, someAddresses, oneAddress)
	}
}

// mode is that of a node, in all its lives.
func (o *Options) mode(id int) engine.Mode {
	switch {
	case o.Unicast:
		return engine.ModeUnicast
	case o.Modes == allMulticast:
		return engine.ModeMulticast
	case o.Modes == mixedModes:
		return pick(dice(o.Seed, diceMode+uint64(id)), engine.ModeAuto, engine.ModeMulticast, engine.ModeUnicast)
	}
	return engine.ModeAuto
}

// toldAddresses reports whether the nodes are told addresses as they start. Those of mode multicast do not listen.
func (o *Options) toldAddresses() bool { return o.Unicast || o.Modes == mixedModes }

// addresses is how many addresses of others the nodes of mixed modes are told. All are told that of one, through which they have to meet.
type addresses string

const (
	allAddresses  addresses = ""
	someAddresses addresses = "some" // besides, each of every other one in two
	oneAddress    addresses = "one"
)

// addrs are the addresses that the node is told, as by its configuration.
func (n *Node) addrs() (told []netip.AddrPort) {
	w := n.world
	if w.lasting || w.opts.Addresses == allAddresses {
		return w.addrs()
	}
	d, meeting := dice(w.opts.Seed, diceAddress+uint64(n.id)), w.meeting(n.other)
	for _, m := range w.nodes {
		if one := d.IntN(2) == 0 && w.opts.Addresses == someAddresses; one || m == meeting {
			told = append(told, m.addr)
		}
	}
	return told
}

// meeting is the node of its cluster whose address all are told, when the faults are over one of those that live. It uses multicast if any
// does: one in mode unicast would not learn of those in mode multicast, which call nobody. So each node calls it or is heard by it.
func (w *World) meeting(other bool) *Node {
	var all, grouped []*Node
	for _, n := range w.nodes {
		if n.other != other || w.healed && !other && !n.core {
			continue
		}
		if all = append(all, n); n.mode != engine.ModeUnicast {
			grouped = append(grouped, n)
		}
	}
	if len(grouped) > 0 {
		all = grouped
	}
	return pick(dice(w.opts.Seed, diceMeeting), all...)
}

// grouped reports whether what one node sends to the group reaches the other, as far as the network decides: who is in mode unicast neither
// sends to the group nor listens.
func (w *World) grouped(from, to *Node) bool {
	return from.mode != engine.ModeUnicast && to.mode != engine.ModeUnicast && w.net.link(from.id, to.id).deaf == 0
}

// strangers reports whether two nodes need not know each other: both use multicast alone, and it passes between them in neither direction
// (PROTOCOL.md, "Copies"). What they write reaches the other through those who hear both.
func (w *World) strangers(a, b *Node) bool {
	return a.mode == engine.ModeMulticast && b.mode == engine.ModeMulticast && !w.grouped(a, b) && !w.grouped(b, a)
}

// oneWayAtLeast keeps multicast passing in one direction between nodes that use it alone, so that they find each other.
func (w *World) oneWayAtLeast(fails func(from, to int) bool) func(from, to int) bool {
	return func(from, to int) bool {
		alone := w.nodes[from].mode == engine.ModeMulticast && w.nodes[to].mode == engine.ModeMulticast
		return fails(from, to) && !(alone && from > to && fails(to, from))
	}
}
