package sim

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/sessioncast/sessioncast/internal/engine"
	"github.com/sessioncast/sessioncast/internal/record"
	"github.com/sessioncast/sessioncast/internal/seal"
)

// World is one run: nodes, network, clock, faults and what was observed.
type World struct {
	opts  Options
	now   time.Duration
	queue queue
	net   *network
	nodes []*Node // of both clusters
	byIP  map[netip.AddrPort]*Node

	work    *rand.Rand
	nemesis *rand.Rand
	forgery *rand.Rand

	healed   bool
	healedAt time.Duration
	alarmed  bool // death watches were ended although all live
	lasting  bool // multicast goes on failing after the healing
	crashes  int
	gives    uint64 // transfers that began
	started  map[record.Origin]*Node
	delays   []time.Duration // scratch
	free     []*packet
	captured []capture // datagrams of the past, for replays

	filter func(from, to *Node, frame []byte, multicast bool) bool // of scenarios: false keeps a frame off the network

	origins *record.Origins // of the observer: no node's
	ledger  ledger
	nonces  nonces
	trace   *trace
	err     error
	stats   Stats
}

// Stats say what a run covered.
type Stats struct {
	Nodes      int
	Virtual    time.Duration
	Operations int
	Refused    int // operations that their node refused
	Datagrams  int
	Bytes      int
	AckChecks  int // answers to writers whose holders were counted
	Killed     int // writers that died right after one
	Told       int // members that had told what they had made, as an answer says
	Acked      int // writes confirmed by as many peers as were asked for
	Checks     int
	Owned      int            // sessions found by their owner
	Faults     map[Faults]int // how often each kind struck
	Converged  time.Duration  // after healing
	Acquainted time.Duration  // after that, until all know all in good standing
	Shut       int            // runs whose unicast goes on failing between two nodes to the end
	Deafened   int            // runs whose multicast goes on failing to the end
}

// capture is a datagram as it was sent.
type capture struct {
	data      []byte
	from      netip.AddrPort
	multicast bool
}

// packet is a datagram on its way to one node.
type packet struct {
	to        *Node
	from      netip.AddrPort
	data      []byte
	multicast bool
	garbage   bool // nobody who has the key made it: it must change nothing
	sender    *Node
	life      int // of the sender
	sent      time.Duration
}

// maxCaptured is how many datagrams are kept for replays.
const maxCaptured = 200

// attacker is where forged datagrams come from; nothing may ever be sent there.
var attacker = netip.MustParseAddrPort("10.66.6.6:4001")

func newWorld(o Options, tr *trace) *World {
	w := &World{
		opts:    o,
		byIP:    make(map[netip.AddrPort]*Node),
		work:    dice(o.Seed, diceWork),
		nemesis: dice(o.Seed, diceNemesis),
		forgery: dice(o.Seed, diceForgery),
		origins: new(record.Origins),
		started: make(map[record.Origin]*Node),
		trace:   tr,
	}
	w.stats.Faults = make(map[Faults]int)
	w.ledger.init(o.Databases)
	others := 0
	if o.Faults.Has(OtherCluster) {
		others = 1 + dice(o.Seed, diceHeal).IntN(2)
		w.stats.Faults[OtherCluster]++
	}
	w.net = newNetwork(dice(o.Seed, diceNetwork), o.Nodes+others, o.Rules)
	for i := range o.Nodes + others {
		w.addNode(i, i >= o.Nodes)
	}
	w.stats.Nodes = o.Nodes
	return w
}

// keyring is the cluster's, or the other one's.
func keyring(other bool) *seal.Keyring {
	key := seal.Key{1}
	if other {
		key[0] = 2
	}
	ring, err := seal.NewKeyring("", key)
	if err != nil {
		panic(err)
	}
	return ring
}

func (w *World) addNode(i int, other bool) {
	n := &Node{
		world:   w,
		id:      i,
		other:   other,
		addr:    netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(i + 1)}), 4001),
		mode:    w.opts.mode(i),
		keyring: keyring(other),
		dice:    dice(w.opts.Seed, 1000+uint64(i)),
		timerAt: never,
	}
	w.nodes = append(w.nodes, n)
	w.byIP[n.addr] = n
}

// ours are the nodes of the cluster under test.
func (w *World) ours() []*Node { return w.nodes[:w.opts.Nodes] }

func (w *World) originName(ref record.Ref) string {
	o := w.origins.Origin(ref)
	return fmt.Sprintf("%s/%x", nodeName(int(o.Node[7])), o.Incarnation[11:14])
}

// after does something later.
func (w *World) after(d time.Duration, do func()) {
	w.queue.push(event{at: w.now + d, do: do})
}

// fail ends the run with the first promise that was broken.
func (w *World) fail(promise, format string, args ...any) {
	if w.err == nil {
		w.err = fmt.Errorf("%v: %s: %s", w.now, promise, fmt.Sprintf(format, args...))
		w.log("FAIL %v", w.err)
	}
}

// run lets virtual time pass until it is until, or something fails, or stop says so.
func (w *World) run(until time.Duration, stop func() bool) {
	for w.err == nil && !w.queue.empty() && w.queue.peek() <= until {
		e := w.queue.pop()
		w.now = e.at
		switch {
		case e.packet != nil:
			e.packet.to.arrive(e.packet)
		case e.timer != nil:
			e.timer.timer(e.at)
		default:
			e.do()
		}
		if stop != nil && stop() {
			return
		}
	}
	if w.err == nil {
		w.now = max(w.now, until)
	}
}

// transmit puts a frame of n on the network.
func (w *World) transmit(n *Node, data []byte, to netip.AddrPort) {
	w.stats.Datagrams++
	w.stats.Bytes += len(data)
	if w.nonces.check(w, n, data); w.err != nil {
		return
	}
	if w.trace != nil {
		w.traceFrame(n, data, to)
	}
	w.capture(data, n.addr, !to.IsValid())
	if to.IsValid() {
		if to == attacker {
			w.fail("promise 7", "node %d answers a stranger", n.id)
		}
		if peer := w.byIP[to]; peer != nil && peer != n {
			w.route(n, peer, data, false)
		}
		return
	}
	for _, peer := range w.nodes {
		if peer != n {
			w.route(n, peer, data, true)
		}
	}
}

func (w *World) route(from, to *Node, data []byte, multicast bool) {
	if w.filter != nil && !w.filter(from, to, data, multicast) {
		return
	}
	if multicast && !w.grouped(from, to) || !multicast && w.net.link(from.id, to.id).shut > 0 {
		w.net.lost++
		return
	}
	w.delays = w.net.arrivals(w.delays[:0], w.now, from.id, to.id, len(data))
	for _, d := range w.delays {
		if l := w.net.link(from.id, to.id); multicast {
			l.group = max(l.group, w.now+d)
		}
		p := w.newPacket(to, from.addr, data, multicast)
		p.sender, p.life, p.sent = from, from.life, w.now
		if w.opts.CorruptRate > 0 && !w.healed && w.forgery.Float64() < w.opts.CorruptRate {
			p.data[w.forgery.IntN(len(p.data))] ^= 1 << w.forgery.IntN(8)
			p.garbage = true
			w.stats.Faults[Corrupt]++
		}
		w.queue.push(event{at: w.now + d, packet: p})
	}
}

// newPacket is a datagram at its receiver. Who is in mode unicast has no socket for the group, whatever somebody repeats to it.
func (w *World) newPacket(to *Node, from netip.AddrPort, data []byte, multicast bool) *packet {
	var p *packet
	if n := len(w.free); n > 0 {
		p, w.free = w.free[n-1], w.free[:n-1]
	} else {
		p = new(packet)
	}
	*p = packet{to: to, from: from, data: append(p.data[:0], data...), multicast: multicast && to.mode != engine.ModeUnicast}
	return p
}

func (w *World) release(p *packet) { w.free = append(w.free, p) }

// capture keeps the datagram for a replay, perhaps in place of an earlier one.
func (w *World) capture(data []byte, from netip.AddrPort, multicast bool) {
	if w.opts.ReplayRate == 0 && w.opts.ForgePerSec == 0 || w.healed {
		return
	}
	slot := len(w.captured)
	if slot < maxCaptured {
		w.captured = append(w.captured, capture{})
	} else if slot = w.forgery.IntN(4 * maxCaptured); slot >= maxCaptured {
		return
	}
	c := &w.captured[slot]
	*c = capture{append(c.data[:0], data...), from, multicast}
}

// replay delivers a datagram of the past to anyone.
func (w *World) replay() {
	if len(w.captured) == 0 {
		return
	}
	c := w.captured[w.forgery.IntN(len(w.captured))]
	to := w.nodes[w.forgery.IntN(len(w.nodes))]
	from := c.from
	if w.forgery.IntN(3) == 0 {
		from = w.nodes[w.forgery.IntN(len(w.nodes))].addr
	}
	w.stats.Faults[Replay]++
	w.queue.push(event{at: w.now, packet: w.newPacket(to, from, c.data, c.multicast)})
}

// forge delivers a datagram that nobody with the key has made.
func (w *World) forge() {
	d := w.forgery
	data := make([]byte, d.IntN(1500))
	for i := range data {
		data[i] = byte(d.Uint32())
	}
	if len(w.captured) > 0 && d.IntN(4) > 0 {
		c := w.captured[d.IntN(len(w.captured))].data
		switch d.IntN(3) {
		case 0:
			data = append([]byte(nil), c[:d.IntN(len(c))]...)
		case 1:
			data = append(append([]byte(nil), c...), byte(d.Uint32()))
		default: // a true header before noise
			data = append(append([]byte(nil), c[:min(len(c), 42)]...), data...)
		}
	}
	p := w.newPacket(w.nodes[d.IntN(len(w.nodes))], attacker, data, d.IntN(2) == 0)
	p.garbage = true
	w.stats.Faults[Forge]++
	w.queue.push(event{at: w.now, packet: p})
}

// addrs are the addresses of our nodes, where they find each other without multicast.
func (w *World) addrs() (list []netip.AddrPort) {
	for _, n := range w.nodes {
		list = append(list, n.addr)
	}
	return list
}
