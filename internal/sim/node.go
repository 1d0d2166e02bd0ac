package sim

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/sessioncast/sessioncast/internal/dots"
	"github.com/sessioncast/sessioncast/internal/engine"
	"github.com/sessioncast/sessioncast/internal/hlc"
	"github.com/sessioncast/sessioncast/internal/keeper"
	"github.com/sessioncast/sessioncast/internal/record"
	"github.com/sessioncast/sessioncast/internal/seal"
	"github.com/sessioncast/sessioncast/internal/table"
)

// Node is a machine in the network with what runs on it, if anything does.
type Node struct {
	world   *World
	id      int
	other   bool // of the other cluster
	addr    netip.AddrPort
	mode    engine.Mode
	keyring *seal.Keyring
	dice    *rand.Rand
	skew    time.Duration
	far     time.Duration // what the clock is off by besides, beyond the limit
	wasFar  bool          // in this life
	farEnd  time.Duration

	life    int // grows with each start and crash: what belongs to an earlier one is void
	up      bool
	paused  bool
	pauses  int
	leaving bool
	leftAt  time.Duration // when it began to leave
	core    bool          // lives on after the healing
	quiet   bool          // nobody uses it at present

	origin  record.Origin
	origins *record.Origins
	refs    []record.Ref // the world's, by this node's
	clock   *hlc.Clock
	table   *table.Table
	machine *engine.Machine
	keeper  *keeper.Keeper
	out     engine.Output

	startedAt time.Duration

	timerAt   time.Duration // of the earliest timer in the queue
	busyUntil time.Duration // of a slow node
	inbox     []*packet
	inboxSize int
	spins     int // polls that left the deadline where it is, in the past

	fetch  *fetch
	whole  bool                     // the last transfer to this node came whole
	owed   map[record.Ref]*dots.Set // what donors offered since it began to join
	told   bool                     // that it lacks some of that
	awaits map[uint64]awaited
	asked  map[uint64]asked
	nextID uint64

	noted   uint64          // own dots up to here are in the ledger,
	entered map[uint64]bool // those among them by their operations
	watch   watcher
	kept    []engine.Watch      // the death watches
	heard   map[*Node]time.Time // by this run, of nodes that were synced before it began
	synced  time.Duration       // since when it is; never: it is not
	misled  bool                // by far clocks, as it came
}

const (
	never     = time.Duration(math.MaxInt64)
	maxSpins  = 500 // polls that leave the deadline in the past, beyond which the node must be going round in circles
	startWait = 100 * time.Microsecond
)

// time is what time.Now says on the node.
func (n *Node) time() time.Time { return moment(n.world.now, n.skew+n.far) }

// wall is the node's wall clock in Unix milliseconds.
func (n *Node) wall() int64 { return n.time().UnixMilli() }

// start runs a new incarnation, which knows nothing.
func (n *Node) start() {
	w := n.world
	n.life++
	n.up, n.paused, n.leaving = true, false, false
	n.wasFar = n.far != 0
	n.origin.Node = record.NodeID{0: byte(n.id*37 + 1), 7: byte(n.id)} // their order is not that of the ids
	binary.BigEndian.PutUint64(n.origin.Incarnation[:8], uint64(n.wall())<<16)
	binary.BigEndian.PutUint64(n.origin.Incarnation[6:], n.dice.Uint64())
	binary.BigEndian.PutUint64(n.origin.Incarnation[10:], n.dice.Uint64())
	w.started[n.origin] = n
	n.origins, n.clock, n.refs = new(record.Origins), new(hlc.Clock), nil
	n.out, n.kept = engine.Output{}, nil
	n.whole, n.owed, n.told = false, nil, false
	n.awaits, n.asked = make(map[uint64]awaited), make(map[uint64]asked)
	n.noted, n.entered = 0, make(map[uint64]bool)
	n.timerAt, n.busyUntil = never, 0
	n.table = n.newTable()
	n.keeper, n.startedAt = keeper.New(n.table, maxSkew, n.wall()), w.now
	n.heard, n.synced, n.misled = make(map[*Node]time.Time), never, false
	n.watch.reset()
	cfg := engine.Config{
		Self: n.origin, Name: nodeName(n.id), Origins: n.origins, Clock: n.clock, Table: n.table, Keyring: n.keyring,
		Ack: w.opts.Ack, MaxPayload: w.opts.Payload, MaxSkew: maxSkew, Mode: n.mode,
	}
	binary.BigEndian.PutUint64(cfg.Seed[:], n.dice.Uint64())
	var err error
	if n.machine, err = engine.New(cfg); err != nil {
		w.fail("setup", "engine.New: %v", err)
		return
	}
	n.machine.Step(n.time(), engine.OwnAddress{Addr: n.addr})
	if w.opts.toldAddresses() || w.lasting {
		n.machine.Step(n.time(), engine.Seeds{Addrs: n.addrs()})
	}
	w.logNode(n, "starts as %x/%x, %s", n.origin.Node[:4], n.origin.Incarnation[15:], modeNames[n.mode])
	n.poll()
}

func (n *Node) newTable() *table.Table {
	return table.New(table.Config{
		Self: n.origin, Origins: n.origins, Clock: n.clock, MaxSkew: maxSkew,
		Lifetime: n.world.opts.Lifetime, Keep: n.world.opts.Keep, Hold: n.world.opts.LogoutHold, MaxBytes: n.world.opts.MaxBytes,
		Forgetful: n.world.opts.Forgetful,
	})
}

// keep does the node's housekeeping, as the shell does.
func (n *Node) keep() {
	n.look()
	for n.keeper.MaySweep() && n.table.Sweep(n.wall()) {
	}
	n.watch.stale = true
}

// look has the keeper judge the clocks, which the shell does also as soon as the node is synced.
func (n *Node) look() {
	n.noteMisled()
	n.keeper.Look(n.clock.Read(0), n.wall(), n.world.now-n.startedAt, n.machine.Members(n.time()))
}

func (n *Node) root() uint64 { return n.table.Root() }

// self is the node's own origin, in its own terms.
func (n *Node) self() record.Ref { return n.origins.Intern(n.origin) }

func nodeName(id int) string {
	if id >= 26 {
		return fmt.Sprint("node-", id)
	}
	return "node-" + string(rune('a'+id))
}

// crash loses everything but the network address.
func (n *Node) crash() {
	n.life++
	n.world.crashes++
	n.up, n.paused = false, false
	n.world.breakWatches(n.origin)
	n.machine, n.table = nil, nil
	n.dropFetch()
	n.flushInbox()
}

func (n *Node) flushInbox() {
	for _, p := range n.inbox {
		n.world.release(p)
	}
	n.inbox, n.inboxSize = n.inbox[:0], 0
}

// runs reports whether the node executes anything at present.
func (n *Node) runs() bool { return n.up && !n.paused }

// arrive takes a datagram from the network: into the socket's buffer when the node has no time for it.
func (n *Node) arrive(p *packet) {
	w := n.world
	if !n.up || w.healed && p.sender != nil && p.life != p.sender.life {
		w.release(p)
		return
	}
	if n.paused || n.busyUntil > w.now {
		n.wait(p)
		return
	}
	n.take(p)
	n.poll()
	n.rest()
}

// socketOverhead is what the kernel charges for a datagram beside its bytes.
const socketOverhead = 256

func (n *Node) wait(p *packet) {
	size := len(p.data) + socketOverhead
	if n.inboxSize+size > n.world.opts.SocketBytes {
		n.world.stats.Faults[SmallBuffer]++
		n.world.release(p)
		return
	}
	n.inbox = append(n.inbox, p)
	n.inboxSize += size
}

// rest makes a slow node busy for a while, after which it takes what waits.
func (n *Node) rest() {
	cost := n.world.opts.NodeCost
	if cost == 0 || n.world.healed || n.id%3 != 0 {
		return
	}
	n.busyUntil = n.world.now + cost
	life := n.life
	n.world.after(cost, func() {
		if n.life == life {
			n.drain(1)
		}
	})
}

// drain takes up to limit waiting datagrams.
func (n *Node) drain(limit int) {
	if !n.runs() || len(n.inbox) == 0 {
		return
	}
	taken := min(limit, len(n.inbox))
	for _, p := range n.inbox[:taken] {
		n.inboxSize -= len(p.data) + socketOverhead
		n.take(p)
		if !n.up {
			return
		}
	}
	n.inbox = append(n.inbox[:0], n.inbox[taken:]...)
	n.poll()
	n.rest()
}

// take hands a datagram to the machine.
func (n *Node) take(p *packet) {
	w := n.world
	if p.garbage {
		n.takeGarbage(p)
	} else {
		n.noteHeard(p)
		n.machine.Step(n.time(), engine.Datagram{Data: p.data, From: p.from, Multicast: p.multicast})
	}
	w.release(p)
	n.check()
}

// timer is a timer of the queue; only the latest set counts.
func (n *Node) timer(at time.Duration) {
	if at != n.timerAt {
		return
	}
	n.timerAt = never
	if n.runs() {
		n.poll()
		n.check()
	}
}

// step hands the machine anything but a datagram.
func (n *Node) step(in engine.Input) {
	if n.runs() {
		n.machine.Step(n.time(), in)
		n.poll()
		n.check()
	}
}

// poll carries out what the machine wants to be done.
func (n *Node) poll() {
	w := n.world
	if w.err != nil || !n.runs() {
		return
	}
	life := n.life
	n.machine.Poll(n.time(), &n.out)
	n.noteSpin()
	for i := range n.out.Frames {
		w.transmit(n, n.out.Frames[i].Data, n.out.Frames[i].To)
	}
	if n.out.Watching != nil {
		n.kept = n.out.Watching.List
	}
	for _, f := range n.out.Fetches {
		n.startFetch(f)
	}
	for _, e := range n.out.Events {
		n.takeEvent(e)
	}
	n.checkOwed()
	for _, a := range n.out.Acked {
		n.takeAcked(a)
	}
	if n.life == life {
		n.setTimer()
	}
}

func (n *Node) noteSpin() {
	if d := n.machine.Deadline(); d.IsZero() || d.After(n.time()) {
		n.spins = 0
	} else if n.spins++; n.spins > maxSpins {
		n.world.fail("promise 8", "%s spins: %d polls, and its deadline is still %v ago", nodeName(n.id), n.spins, n.time().Sub(d))
	}
}

func (n *Node) setTimer() {
	d := n.machine.Deadline()
	if d.IsZero() {
		return
	}
	at := max(n.world.now+time.Microsecond, n.world.now+d.Sub(n.time()))
	if at < n.timerAt {
		n.timerAt = at
		n.world.queue.push(event{at: at, timer: n})
	}
}

func (n *Node) takeEvent(e engine.Event) {
	n.world.logNode(n, "event %d state %v member %s", e.Kind, e.State, e.Member.Name)
	switch e.Kind {
	case engine.EventJoining:
		n.synced = never
	case engine.EventSynced:
		n.look()
		n.checkAlone(&e)
		n.synced = n.world.now
	case engine.EventIncomplete:
		n.told = true
	case engine.EventHurried:
		n.checkHurry(e)
	case engine.EventLeft:
		n.checkGoodbye()
		n.crash()
	case engine.EventDivergence:
		n.checkDivergence(e.Member)
	case engine.EventMember:
		n.world.checkDeath(n, &e)
	}
}

// checkDivergence: a divergence heals, which would hide whatever made it. State that came without its dot is no fault:
// a repair shows a key as it is, and its holder may die, or be cut off, before it can send the later dots that this shows;
// or a transfer broke off. Nor is a tombstone that is over: of two that put its end off, for the sake of clocks that seem to be behind, one may have
// the rest from a third that does not, and has collected it.
func (n *Node) checkDivergence(with engine.Member) {
	w := n.world
	peer := w.byIP[with.Addr]
	if peer == nil || !peer.up || n.strange() || peer.strange() {
		return
	}
	for _, k := range w.ledger.keys {
		if a, b := n.describeKept(k), peer.describeKept(k); a != b && !w.changedBeyond(k, n, peer) && len(w.ledger.of(k).astray) == 0 {
			w.fail("promise 2", "%s has the same dots as %s and not the same state of key %d/%s: %s, and %s",
				nodeName(n.id), with.Name, k.DB, k.Name, a, b)
		}
	}
}

// changedBeyond reports whether a dot of the key, or of its database's floor, is not held by both of two nodes.
func (w *World) changedBeyond(k record.Key, a, b *Node) bool {
	held := [2]map[record.Ref]*dots.Set{a.held(), b.held()}
	for i := range w.ledger.dots {
		d := &w.ledger.dots[i]
		if d.key != k && d.key != record.FloorKey(k.DB) {
			continue
		}
		x, y := held[0][d.origin], held[1][d.origin]
		if x == nil || !x.Contains(d.seq) || y == nil || !y.Contains(d.seq) {
			return true
		}
	}
	return false
}
