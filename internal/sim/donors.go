package sim

import (
	"slices"
	"time"

	"github.com/sessioncast/sessioncast/internal/dots"
	"github.com/sessioncast/sessioncast/internal/engine"
	"github.com/sessioncast/sessioncast/internal/record"
	"github.com/sessioncast/sessioncast/internal/wire"
)

// Donors that go away: a node that is synced holds all that its donors offered, or says that it does not; and who leaves waits, as
// long as it may, for who can get the sessions from it only.

// donorLeaves has a donor say goodbye in the middle of a transfer, at times.
func (w *World) donorLeaves(f *fetch) {
	if w.opts.DonorLeaves == 0 || w.healed || f.donor.leaving || w.nemesis.Float64() >= w.opts.DonorLeaves {
		return
	}
	w.logNode(f.donor, "leaves as a donor")
	w.leave(f.donor, time.Duration(w.nemesis.Int64N(int64(maxStroke/4))))
}

// startGiving tells the donor of a transfer that it begins.
func (n *Node) startGiving(f *fetch) {
	n.world.gives++
	f.given = n.world.gives
	f.donor.step(engine.GiveStarted{ID: f.given, Taker: n.origin})
}

// endGiving tells the donor that it is over, as its end of the connection would.
func (n *Node) endGiving(f *fetch) {
	if f == nil || f.given == 0 {
		return
	}
	ended, donor, life := engine.GiveEnded{ID: f.given}, f.donor, f.donorLife
	f.given = 0
	n.world.after(n.pathDelay(f), func() {
		if donor.up && donor.life == life {
			donor.machine.Step(donor.time(), ended) // its sockets keep that while it stands still
			donor.poll()
		}
	})
}

// noteOffer remembers what a node that joins was offered.
func (n *Node) noteOffer(offer []wire.Vector) {
	if n.machine.State() != wire.Joining {
		return
	}
	if n.owed == nil {
		n.owed = make(map[record.Ref]*dots.Set)
	}
	for i := range offer {
		set := offer[i].Set.Clone()
		if was := n.owed[offer[i].Origin]; was != nil {
			set.Union(was)
		}
		n.owed[offer[i].Origin] = &set
	}
}

// checkOwed is called after every poll: promise 2, nobody is synced with a part of what it was offered unless by a transfer that
// came whole, after which the rest is asked for as any gap, or without saying so.
func (n *Node) checkOwed() {
	if !n.up || n.owed == nil || n.machine.State() == wire.Joining {
		return
	}
	held := make(map[record.Ref]*dots.Set)
	offer := n.machine.Offer()
	for i := range offer {
		held[offer[i].Origin] = &offer[i].Set
	}
	lacking := 0
	for ref, set := range n.owed {
		if has := held[ref]; ref != n.self() && (has == nil || !has.Covers(set)) {
			lacking++
		}
	}
	if lacking > 0 && !n.whole && !n.told && !n.leaving {
		n.world.fail("promise 2", "%s is synced without all that it was offered of %d origins, and says nothing", nodeName(n.id), lacking)
	}
	n.owed, n.told = nil, false
}

// checkGoodbye: nobody goes while another could get the rest of the sessions from it only, before it has to.
func (n *Node) checkGoodbye() {
	w := n.world
	if !n.up || w.healed || w.now-n.leftAt >= giveWait || n.machine.State() == wire.Joining || len(n.machine.Offer()) == 0 {
		return
	}
	for _, taker := range w.ours() {
		f := taker.fetch
		if f == nil || f.donor != n || f.given == 0 || !taker.runs() || n.knowsDonorBeside(taker) {
			continue
		}
		w.fail("leave", "%s left %v after it was told to, while %s could get its sessions from there only", nodeName(n.id), w.now-n.leftAt, nodeName(taker.id))
	}
}

// How long who leaves waits at most: for peers that have not confirmed its last changes, and for who can get sessions from it only; and when it
// must have gone.
const (
	leaveWait = 2 * time.Second
	giveWait  = 8 * time.Second

	leaveLimit = leaveWait + time.Second
	giveLimit  = giveWait + time.Second
	goodbyes   = 100 * time.Millisecond // are said within less
)

// isNeeded reports whether somebody fetches from n, or joins as far as it knows.
func (n *Node) isNeeded() bool {
	return slices.ContainsFunc(n.world.ours(), func(o *Node) bool { return o.fetch != nil && o.fetch.donor == n }) ||
		slices.ContainsFunc(n.machine.Members(n.time()), func(m engine.Member) bool { return !m.Self && m.State == wire.Joining })
}

// knowsDonorBeside reports whether n knows of a synced node but the taker.
func (n *Node) knowsDonorBeside(taker *Node) bool {
	return slices.ContainsFunc(n.machine.Members(n.time()), func(m engine.Member) bool {
		return !m.Self && m.State == wire.Synced && m.Origin != taker.origin
	})
}

// checkHurry: who goes before all have everything had to.
func (n *Node) checkHurry(e engine.Event) {
	waited := n.world.now - n.leftAt
	if waited < leaveWait || e.Takers > 0 && waited < giveWait {
		n.world.fail("leave", "%s ends its drain after %v, %d peers behind and %d takers", nodeName(n.id), waited, e.Behind, e.Takers)
	}
}
