package sim

import (
	"fmt"
	"time"

	"github.com/sessioncast/sessioncast/internal/engine"
	"github.com/sessioncast/sessioncast/internal/hlc"
	"github.com/sessioncast/sessioncast/internal/record"
	"github.com/sessioncast/sessioncast/internal/wire"
)

// Who logs a user out everywhere waits until the others have told what they had made before that (engine.Await.Told), so that it can end that
// too. In some runs nodes wait so now and then, and whoever counts as having told must have.

const (
	oneInTold   = 16 // of how many runs one is one of them,
	toldChance  = 12 // by this number: none of the seeds that docs/reliability.md tells of is
	toldEach    = 500 * time.Millisecond
	toldTimeout = 1500 * time.Millisecond
)

func (o *Options) drawTold(seed uint64) { o.Told = dice(seed, diceTold).IntN(oneInTold) == toldChance }

// scheduleTold has random nodes wait all the time.
func (w *World) scheduleTold() {
	if !w.opts.Told {
		return
	}
	d := dice(w.opts.Seed, diceToldWhen)
	for at := time.Duration(0); at < w.opts.Chaos; at += time.Duration(d.Int64N(int64(2 * toldEach))) {
		n := w.nodes[d.IntN(len(w.nodes))]
		w.after(at, n.askWhatIsMade)
	}
}

// asked is a wait until the others have told what they had made up to a stamp.
type asked struct {
	stamp hlc.Stamp
	since time.Duration
}

func (n *Node) askWhatIsMade() {
	if !n.runs() || n.quiet || n.other || n.world.healed {
		return
	}
	n.nextID++
	a := asked{n.table.Present(n.wall()), n.world.now}
	n.asked[n.nextID] = a
	n.step(engine.Await{ID: n.nextID, K: engine.AckAll, Timeout: toldTimeout, Told: a.stamp})
}

// takeTold holds an answer against what was made: of as many members as it counts nothing from up to the stamp is missing.
func (n *Node) takeTold(a *asked, got engine.Acked) {
	w := n.world
	w.logNode(n, "told of what is made up to %v: by %d peers", a.stamp, got.Peers)
	if w.now > a.since+toldTimeout+slack && !w.opts.Faults.Has(Pause) {
		w.fail("told", "%s: an answer after %v", nodeName(n.id), w.now-a.since)
		return
	}
	told, lacks := 0, ""
	for _, m := range n.machine.Members(n.time()) {
		if m.Self || m.State != wire.Synced {
			continue
		}
		if missing := n.lacksOf(m.Origin, a.stamp); missing != "" {
			lacks += "; " + missing
			continue
		}
		told++
	}
	if told < got.Peers {
		w.fail("told", "%s: %d peers have told what they had made up to %v, but only of %d is nothing missing%s", nodeName(n.id), got.Peers, a.stamp, told, lacks)
		return
	}
	w.stats.Told += got.Peers
}

// lacksOf says what a member had made up to the stamp that is not here; empty: nothing.
func (n *Node) lacksOf(o record.Origin, upTo hlc.Stamp) string {
	ref := n.world.origins.Intern(o)
	for i := range n.world.ledger.dots {
		f := &n.world.ledger.dots[i]
		if f.origin != ref || len(f.made.Births) == 0 { // a tombstone is stamped ahead
			continue
		}
		b := &f.made.Births[0]
		if max(b.Value.At, b.Deadline.At) > upTo || n.holds(o, &awaited{key: f.key, seq: f.seq, state: f.made}) {
			continue
		}
		return fmt.Sprintf("dot %d of %s, %s", f.seq, memberText(n.world.started[o]), f.key.Name)
	}
	return ""
}

func memberText(n *Node) string {
	if n == nil {
		return "an unknown run"
	}
	return nodeName(n.id)
}
