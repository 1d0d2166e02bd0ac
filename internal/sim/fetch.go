package sim

import (
	"errors"
	"time"

	"github.com/sessioncast/sessioncast/internal/engine"
	"github.com/sessioncast/sessioncast/internal/table"
	"github.com/sessioncast/sessioncast/internal/transfer"
	"github.com/sessioncast/sessioncast/internal/wire"
)

// fetch is a state transfer under way: internal/transfer at both ends, and a virtual connection between them.
type fetch struct {
	ask       engine.Fetch
	donor     *Node
	donorLife int
	source    *transfer.Donor
	taker     *transfer.Taker
	got       transfer.Progress // so far
	given     uint64            // what the donor calls the transfer; 0: it has not begun
	stalls    int
}

var (
	errRefused = errors.New("sim: connection refused")
	errBroken  = errors.New("sim: connection broken")
	errWrong   = errors.New("sim: another node answers")
)

// A stalled connection tries again after stallWait and breaks after maxStalls.
const (
	stallWait = 100 * time.Millisecond
	maxStalls = 20
)

func (n *Node) startFetch(ask engine.Fetch) {
	w := n.world
	w.logNode(n, "fetch %d from %v, cursor %x, compare %v", ask.ID, ask.To, ask.Cursor, ask.Compare)
	f := &fetch{ask: ask, donor: w.byIP[ask.To]}
	n.dropFetch()
	n.fetch = f
	if f.donor == nil || f.donor == n {
		n.later(f, w.opts.Rules.delay, func() { n.endFetch(f, errRefused) })
		return
	}
	n.later(f, 3*n.pathDelay(f), func() { n.connect(f) })
}

func (n *Node) dropFetch() {
	n.endGiving(n.fetch)
	n.fetch = nil
}

func (n *Node) pathDelay(f *fetch) time.Duration {
	return n.world.opts.Rules.delay + n.world.net.link(n.id, f.donor.id).extra + 10*time.Microsecond
}

// later does something unless the fetch is over by then or its node is not what it was.
func (n *Node) later(f *fetch, d time.Duration, do func()) {
	life := n.life
	n.world.after(d, func() {
		if n.life == life && n.fetch == f {
			do()
		}
	})
}

// blocked reports whether nothing moves on the connection, and has it tried again or broken.
func (n *Node) blocked(f *fetch, again func()) bool {
	w := n.world
	if n.runs() && f.donor.runs() && w.net.open(n.id, f.donor.id) && w.net.open(f.donor.id, n.id) {
		f.stalls = 0
		return false
	}
	if f.stalls++; f.stalls > maxStalls && n.runs() {
		n.endFetch(f, errBroken)
		return true
	}
	n.later(f, stallWait, again)
	return true
}

func (n *Node) connect(f *fetch) {
	if !f.donor.up {
		n.endFetch(f, errRefused)
		return
	}
	if n.blocked(f, func() { n.connect(f) }) {
		return
	}
	if f.donor.origin != f.ask.Donor || f.donor.other != n.other {
		n.endFetch(f, errWrong)
		return
	}
	f.donorLife = f.donor.life
	if err := n.pull(f); err != nil {
		n.endFetch(f, err)
		return
	}
	n.carry(f)
}

// pull sends the request through its byte form and sets up both ends.
func (n *Node) pull(f *fetch) error {
	d := f.donor
	f.taker = transfer.NewTaker(n.table, n.origins)
	f.taker.PartBits = table.PartBitsMin + int(f.ask.ID%3) // other tables are too small for finer ones
	body := f.taker.Pull(nil, n.clock.Read(n.wall()), f.ask.Cursor, f.ask.Compare)
	var pull wire.StreamPull
	decoder := wire.Decoder{Origins: d.origins}
	if _, err := decoder.StreamPull(body, &pull); err != nil {
		n.world.fail("transfer", "the donor cannot parse a pull: %v", err)
		return err
	}
	f.source = transfer.NewDonor(d.table, d.origins, &pull, d.machine.State(), d.machine.Offer())
	f.source.SetMarks(d.machine.Marks())
	n.startGiving(f)
	f.source.BatchBytes = min(f.source.BatchBytes, n.world.opts.StreamBatch)
	return nil
}

// carry brings the next message from the donor.
func (n *Node) carry(f *fetch) {
	w := n.world
	if f.donor.life != f.donorLife {
		n.endFetch(f, errBroken)
		return
	}
	if n.blocked(f, func() { n.carry(f) }) {
		return
	}
	if w.opts.StreamBreaks > 0 && !w.healed && w.nemesis.Float64() < w.opts.StreamBreaks {
		w.stats.Faults[StreamBreak]++
		n.endFetch(f, errBroken)
		return
	}
	if w.donorDies(f); f.donor.life != f.donorLife {
		n.endFetch(f, errBroken)
		return
	}
	if w.donorLeaves(f); f.donor.life != f.donorLife {
		n.endFetch(f, errBroken)
		return
	}
	d := f.donor
	// Both ends run and reach each other.
	n.noteDonated(d)
	typ, body, more := f.source.Next(nil, d.clock.Read(d.wall()))
	wait := n.pathDelay(f)
	if !w.healed {
		wait += time.Duration(float64(len(body)) / w.opts.StreamRate * float64(time.Second))
	}
	n.travel(f, wait, func() { n.receive(f, typ, body, more) })
}

// travelStep is by how much a message travels at a time: one that is on its way when the network is healed is as fast as those after it.
const travelStep = time.Second

func (n *Node) travel(f *fetch, wait time.Duration, arrive func()) {
	if wait > travelStep && !n.world.healed {
		n.later(f, travelStep, func() { n.travel(f, wait-travelStep, arrive) })
		return
	}
	n.later(f, min(wait, travelStep), arrive)
}

// receive takes a message that arrived.
func (n *Node) receive(f *fetch, typ wire.StreamType, body []byte, more bool) {
	if n.paused {
		n.later(f, stallWait, func() { n.receive(f, typ, body, more) })
		return
	}
	w := n.world
	got, err := f.taker.Take(typ, body, n.wall())
	n.watch.stale, f.got = true, got
	switch {
	case err != nil:
		w.fail("transfer", "node %d cannot take %v: %v", n.id, typ, err)
		return
	case typ == wire.StreamTypeOffer:
		n.noteOffer(got.Offer)
		n.step(engine.FetchStarted{ID: f.ask.ID, Offer: got.Offer, Marks: got.Marks})
		if n.up && n.fetch == f {
			if absence, ok := n.machine.Absence(f.ask.ID); ok {
				f.taker.Judge(absence)
			}
		}
	case typ == wire.StreamTypeChunk:
		n.step(engine.FetchProgress{ID: f.ask.ID, Cursor: got.Cursor})
	}
	w.logNode(n, "fetch %d: %v, %d bytes, cursor %x", f.ask.ID, typ, len(body), got.Cursor)
	switch {
	case n.fetch != f || !n.up: // replaced or crashed meanwhile
	case got.Done:
		n.dropFetch()
		n.whole = !got.NoRoom
		n.step(engine.FetchDone{ID: f.ask.ID, NoRoom: got.NoRoom, Dropped: got.Dropped})
		n.checkDots()
	case !more:
		w.fail("transfer", "a transfer ends without an end")
	default:
		n.carry(f)
	}
}

func (n *Node) endFetch(f *fetch, err error) {
	if n.paused {
		n.later(f, stallWait, func() { n.endFetch(f, err) })
		return
	}
	n.world.logNode(n, "fetch %d: %v", f.ask.ID, err)
	n.dropFetch()
	n.whole = false
	n.step(engine.FetchDone{ID: f.ask.ID, Err: err, NoRoom: f.got.NoRoom, Dropped: f.got.Dropped})
}
