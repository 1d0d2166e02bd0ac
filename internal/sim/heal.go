package sim

import (
	"fmt"
	"time"

	"github.com/sessioncast/sessioncast/internal/record"
	"github.com/sessioncast/sessioncast/internal/table"
	"github.com/sessioncast/sessioncast/internal/wire"
)

// convergeWithin is promise 2's "within seconds": after the healing the core has to agree within this virtual time. It
// covers a peer found silent (4 s), a donor found silent (2 s), the slowest repeated HELLO (5 s) and challenge (5 s),
// and an epoch's end (10 s).
const convergeWithin = 30 * time.Second

// heal ends the faults. A random core of nodes lives on, or starts again; the others are dead for good.
func (w *World) heal() {
	w.healed, w.healedAt = true, w.now
	w.net.heal()
	d := dice(w.opts.Seed, diceHeal)
	spare := d.IntN(w.opts.Nodes) // one that lives in any case
	for _, n := range w.ours() {
		n.core = n.id == spare || d.IntN(10) < 7
		if n.up && (!n.core || n.leaving) {
			w.logNode(n, "dies for good: core %v", n.core)
			n.crash()
		}
	}
	for _, n := range w.ours() {
		n.comeBack()
		n.checkDots()
	}
	w.ledger.atHeal = w.join()
	w.leaveDeaf()
	w.leaveShut()
	for _, n := range w.nodes {
		switch {
		case n.up && n.paused:
			n.resume()
		case !n.up && (n.core || n.other):
			n.start()
		}
	}
	w.tellAddresses()
	w.makeRoom()
	for _, n := range w.core() {
		w.logNode(n, "is in the core, clock off by %v", n.skew)
	}
}

// makeRoom destroys every session where memory is short: nodes without room for each other's cannot agree.
func (w *World) makeRoom() {
	if w.opts.MaxBytes == 0 {
		return
	}
	for _, n := range w.core() {
		for _, k := range w.ledger.keys {
			if _, floor := k.IsFloor(); n.runs() && !floor && !isOther(k) {
				n.opDestroy(k)
			}
		}
	}
}

func (w *World) core() (core []*Node) {
	for _, n := range w.ours() {
		if n.core {
			core = append(core, n)
		}
	}
	return core
}

// join merges what the nodes that are up hold, in the observer's terms.
func (w *World) join() map[record.Key]*record.State {
	all := make(map[record.Key]*record.State)
	for _, k := range w.ledger.keys {
		sum := new(record.State)
		for _, n := range w.core() {
			var s record.State
			if n.up && n.table.Load(k, &s) {
				g := n.globalState(&s)
				w.origins.Merge(sum, &g, 0)
			}
		}
		all[k] = sum
	}
	return all
}

// converge runs until the core agrees.
func (w *World) converge() {
	begin := w.now
	next := w.now
	why := ""
	within := convergeWithin
	if w.opts.MaxBytes > 0 {
		within *= 3
	}
	w.run(w.now+within, func() bool {
		if w.now < next {
			return false
		}
		next = w.now + 20*time.Millisecond
		why = w.disagreement()
		return why == ""
	})
	if w.err == nil && why != "" {
		w.fail("promise 2", "no convergence within %v: %s", within, why)
	}
	w.stats.Converged = w.now - begin
}

// disagreement says what keeps the core from having converged, or nothing.
func (w *World) disagreement() string {
	core := w.core()
	for _, n := range core {
		if n.machine.State() != wire.Synced {
			return fmt.Sprintf("%s is not synced", nodeName(n.id))
		}
	}
	for _, n := range core[1:] {
		if why := w.differ(core[0], n); why != "" {
			return fmt.Sprintf("%s and %s: %s", nodeName(core[0].id), nodeName(n.id), why)
		}
	}
	return ""
}

func (w *World) differ(a, b *Node) string {
	ea, sa := a.table.Epoch()
	eb, sb := b.table.Epoch()
	if ea != eb || !sa || !sb {
		return fmt.Sprintf("epochs %d and %d", ea, eb)
	}
	if why := w.differInVectors(a, b); why != "" {
		return why
	}
	if a.root() == b.root() {
		return ""
	}
	return w.differInKeys(a, b)
}

func (w *World) differInKeys(a, b *Node) string {
	for _, k := range w.ledger.keys {
		if x, y := a.describe(k), b.describe(k); x != y {
			return fmt.Sprintf("key %d/%s: %s, and %s", k.DB, k.Name, x, y)
		}
	}
	return "roots"
}

func (w *World) differInVectors(a, b *Node) string {
	held := make(map[record.Ref]*wire.Vector)
	va, vb := a.machine.Offer(), b.machine.Offer()
	for i := range va {
		held[a.globalRef(va[i].Origin)] = &va[i]
	}
	if len(va) != len(vb) {
		return fmt.Sprintf("they hold dots of %d and %d origins", len(va), len(vb))
	}
	for i := range vb {
		v := held[b.globalRef(vb[i].Origin)]
		if v == nil || !v.Set.Equal(&vb[i].Set) {
			o := b.origins.Origin(vb[i].Origin)
			var x any
			if v != nil {
				x = v.Set.Ranges()
			}
			return fmt.Sprintf("of %s/%x they hold %v and %v", nodeName(int(o.Node[7])), o.Incarnation[11:14], x, vb[i].Set.Ranges())
		}
	}
	return ""
}

// checkHealed: nothing that lived in the core when it was healed is lost, and all see the same.
func (w *World) checkHealed() {
	for _, n := range w.core() {
		n.checkDots()
		n.checkOwners()
	}
	for _, k := range w.ledger.keys {
		if isOther(k) {
			continue
		}
		for _, n := range w.core() {
			if n.checkKey(k); !n.includes(k, w.ledger.atHeal[k]) && w.err == nil {
				n.broken("promise 2", k, "something that was held is lost: %s", w.describeGlobal(w.ledger.atHeal[k]))
			}
		}
		w.checkAlike(k)
		w.checkEndsTold(k)
	}
}

func (w *World) checkAlike(k record.Key) {
	if _, floor := k.IsFloor(); floor {
		return
	}
	var first table.View
	for i, n := range w.core() {
		v, ok := n.table.Get(n.wall(), k)
		if i == 0 {
			first = v
		}
		// Clocks differ: near its deadline one shows it and another hides it.
		if !ok || first.Value == nil && first.Version.IsZero() {
			continue
		}
		if string(v.Value) != string(first.Value) {
			n.broken("promise 2", k, "it shows another value than %s", nodeName(w.core()[0].id))
		}
	}
}

func (w *World) describeGlobal(s *record.State) string {
	n := &Node{origins: w.origins}
	return n.describeState(s)
}
