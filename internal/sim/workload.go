package sim

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/sessioncast/sessioncast/internal/engine"
	"github.com/sessioncast/sessioncast/internal/hlc"
	"github.com/sessioncast/sessioncast/internal/record"
	"github.com/sessioncast/sessioncast/internal/table"
)

// The workload: what applications do to sessions, on random nodes, checked at once against what the node showed
// before (promise 1).

var lifetimes = []time.Duration{
	0, 2 * time.Second, 3 * time.Second, 5 * time.Second, 20 * time.Second, time.Minute, time.Hour, 8 * time.Hour,
}

// scheduleWork spreads the operations over the time of faults, often several at one moment.
func (w *World) scheduleWork() {
	at := time.Duration(0)
	mean := float64(w.opts.Chaos) / float64(w.opts.Ops)
	for range w.opts.Ops {
		if w.work.IntN(3) > 0 {
			at += time.Duration(w.work.ExpFloat64() * mean * 1.5)
		}
		if at < w.opts.Chaos {
			w.after(at, w.operate)
		}
	}
}

// operate does one operation on one node, if that one runs.
func (w *World) operate() {
	n := w.nodes[w.work.IntN(len(w.nodes))]
	k := w.drawKey(n.other)
	op := w.drawOp()
	if !n.runs() || n.quiet {
		return
	}
	w.perform(n, k, op)
}

// perform does an operation, and perhaps another one on the same key hard behind it.
func (w *World) perform(n *Node, k record.Key, op func(*Node, record.Key)) {
	w.stats.Operations++
	op(n, k)
	n.watch.stale = true
	n.check()
	if w.err != nil || w.work.Float64() >= w.opts.Follow {
		return
	}
	life := n.life
	w.after(time.Duration(w.work.IntN(5000))*time.Microsecond, func() {
		if n.life == life && n.runs() && !w.healed {
			w.perform(n, k, w.drawOp())
		}
	})
}

func isOther(k record.Key) bool { return k.DB == otherDB || k == record.FloorKey(otherDB) }

// otherDB is where the other cluster keeps its sessions, so that none is taken for one of ours.
const otherDB = 9

func (w *World) drawKey(other bool) record.Key {
	k := record.Key{DB: uint8(w.work.IntN(w.opts.Databases)), Name: fmt.Sprintf("session-%d", w.work.IntN(w.opts.Keys))}
	if other {
		k.DB = otherDB
	}
	return k
}

func (w *World) drawOp() func(*Node, record.Key) {
	m := &w.opts.Mix
	weights := []struct {
		weight int
		op     func(*Node, record.Key)
	}{
		{m.create, (*Node).opCreate}, {m.update, (*Node).opUpdate}, {m.upsert, (*Node).opUpsert}, {m.touch, (*Node).opTouch},
		{m.shorten, (*Node).opShorten}, {m.destroy, (*Node).opDestroy}, {m.recreate, (*Node).opRecreate}, {m.flush, (*Node).opFlush},
	}
	total := 0
	for _, x := range weights {
		total += x.weight
	}
	draw := w.work.IntN(total)
	for _, x := range weights {
		if draw -= x.weight; draw < 0 {
			return x.op
		}
	}
	return nil // not reached
}

func (n *Node) opCreate(k record.Key) {
	n.put(k, table.Write{If: table.IfAbsent, Explicit: true, Due: n.drawDue()})
}

func (n *Node) opUpdate(k record.Key) {
	if n.world.opts.Fields && n.world.work.IntN(2) == 0 {
		n.opPatch(k)
		return
	}
	write := table.Write{If: table.IfPresent, Due: n.drawDue()}
	if n.world.work.IntN(3) == 0 {
		write.Life = table.LifeKeep
	}
	n.put(k, write)
}

func (n *Node) opUpsert(k record.Key) { n.put(k, table.Write{Due: n.drawDue()}) }

// opRecreate destroys a session and creates it again at once, which is a new session that must live.
func (n *Node) opRecreate(k record.Key) {
	n.opDestroy(k)
	n.put(k, table.Write{If: table.IfAbsent, Explicit: true, Due: n.drawDue()})
}

// clusterMillis is the time that expiry goes by, on this node.
func (n *Node) clusterMillis() int64 { return n.table.Time(n.wall()) }

// drawLife draws from the lifetimes, but for the first few.
func (n *Node) drawLife(from int) time.Duration {
	switch n.world.opts.Situation {
	case rejoin: // soon forgotten where nobody touches it
		return lifetimes[1+n.world.work.IntN(3)]
	case brief:
		return pick(n.world.work, 2*time.Second, 3*time.Second, time.Hour)
	}
	return lifetimes[from+n.world.work.IntN(len(lifetimes)-from)]
}

func (n *Node) drawDue() int64 {
	life := n.drawLife(0)
	if life == 0 {
		return 0
	}
	return n.clusterMillis() + life.Milliseconds()
}

// drawValue makes a value that says which key it was written to, and that no other write makes.
func (w *World) drawValue(k record.Key) []byte {
	w.ledger.values++
	size := w.work.IntN(w.opts.MaxValue + 1)
	switch {
	case w.opts.Faults.Has(LargeValues) && w.work.IntN(w.opts.oneLargeIn()) == 0:
		size = 1 + w.work.IntN(pick(w.work, 20_000, 100_000, 1<<20))
		w.stats.Faults[LargeValues]++
	case w.opts.Fields:
	case w.work.IntN(20) == 0:
		return nil
	}
	if w.opts.Fields {
		return fmt.Appendf(nil, `{"key":"%d/%s","write":%d,"a":"%s"}`, k.DB, k.Name, w.ledger.values, strings.Repeat("x", size))
	}
	v := fmt.Appendf(nil, "%d/%s#%d ", k.DB, k.Name, w.ledger.values)
	for len(v) < size {
		v = append(v, byte(w.ledger.values+len(v)))
	}
	return v
}

func (n *Node) put(k record.Key, write table.Write) {
	w := n.world
	write.Value = w.drawValue(k)
	write.Owner, write.OwnerSet = w.drawOwner()
	_, existed := n.table.Get(n.wall(), k)
	res, err := n.table.Put(n.wall(), k, &write)
	w.logNode(n, "put %s if %d explicit %v due %d, %d bytes: done %v, dot %d, %v",
		k.Name, write.If, write.Explicit, write.Due, len(write.Value), res.Done, res.Seq, err)
	if err != nil {
		n.refused(k, err, err == table.ErrDestroyed && write.If == table.Always && !write.Explicit && !existed)
		return
	}
	want := write.If == table.Always || write.If == table.IfAbsent && !existed || write.If == table.IfPresent && existed
	switch {
	case res.Existed != existed:
		n.broken("promise 1", k, "a write finds existed %v, a read just before %v", res.Existed, existed)
	case res.Done != want:
		n.broken("promise 1", k, "a write is done %v, want %v", res.Done, want)
	case !res.Done:
		return
	}
	n.wrote(k)
	n.watch.of(k).forgetTouch(write.Life == table.LifeSet)
	v, visible := n.table.Get(n.wall(), k)
	if !visible || string(v.Value) != string(write.Value) {
		n.broken("promise 1", k, "a read after a write finds %v", visible)
	}
	n.replicate(k, res.Seq, changeValue)
}

// refused checks that an operation was refused for a reason.
func (n *Node) refused(k record.Key, err error, hold bool) {
	n.world.stats.Refused++
	switch {
	case errors.Is(err, table.ErrClosed) && n.leaving, errors.Is(err, table.ErrClock) && (n.wasFar || n.misled || n.world.opts.Faults&delays != 0):
	case (errors.Is(err, table.ErrFull) || errors.Is(err, table.ErrCrowded)) && n.world.opts.MaxBytes > 0:
	case errors.Is(err, table.ErrDestroyed) && hold:
		if s := n.watch.of(k); s.hold < hlc.At(n.clusterMillis()) && !n.heldBy(k) {
			n.broken("hold", k, "refused although no hold is on")
		}
	default:
		n.broken("promise 1", k, "refused: %v", err)
	}
}

func (n *Node) heldBy(k record.Key) bool {
	var s record.State
	return n.table.Load(k, &s) && s.Tomb.Hold.Millis() >= n.clusterMillis()
}

func (n *Node) opTouch(k record.Key) {
	life := n.drawLife(1)
	n.expire(k, n.clusterMillis()+life.Milliseconds(), table.ExpireGT)
}

func (n *Node) opShorten(k record.Key) {
	life := lifetimes[1+n.world.work.IntN(3)]
	if n.world.work.IntN(6) == 0 {
		life = -time.Millisecond
	}
	n.expire(k, n.clusterMillis()+life.Milliseconds(), table.ExpireAlways)
}

func (n *Node) expire(k record.Key, due int64, cond table.ExpireCond) {
	w := n.world
	_, existed := n.table.Get(n.wall(), k)
	res, err := n.table.Expire(n.wall(), k, due, cond)
	w.logNode(n, "expire %s at %d if %d: done %v, dot %d, %v", k.Name, due, cond, res.Done, res.Seq, err)
	if err != nil {
		n.refused(k, err, false)
		return
	}
	if res.Existed != existed {
		n.broken("promise 1", k, "expire finds existed %v, a read just before %v", res.Existed, existed)
	}
	if !res.Done {
		return
	}
	n.wrote(k)
	n.readDeadline(k, due, res.Seq == 0)
	n.replicate(k, res.Seq, changeDeadline)
}

// readDeadline is promise 1 for a deadline, and notes what promise 5 has to hold this node to.
func (n *Node) readDeadline(k record.Key, due int64, local bool) {
	v, visible := n.table.Get(n.wall(), k)
	if due <= n.clusterMillis() {
		if visible {
			n.broken("promise 1", k, "a session ended at once is still there")
		}
		return
	}
	if life := n.world.opts.Lifetime; !visible || v.Due == 0 || v.Due > due || life == 0 && v.Due != due {
		n.broken("promise 1", k, "moved to end at %d, it reads %v, %d", due, visible, v.Due)
		return
	}
	var state record.State
	n.table.Load(k, &state)
	_, d := state.Winner(n.origins, n.floorSeen(k.DB))
	s := n.watch.of(k)
	s.touchDue, s.touched, s.touchAt = v.Due, v.Birth, d.Deadline.Version
	if local && d.Deadline.Due != v.Due { // a touch that the register does not tell of; else nothing was to be changed
		s.touchAt = record.Version{At: max(n.clock.Read(n.wall()), state.Highest().Next()), By: n.self()}
	}
}

func (s *seen) forgetTouch(really bool) {
	if really {
		s.touchDue, s.touchAt = 0, record.Version{}
	}
}

func (n *Node) opDestroy(k record.Key) {
	w := n.world
	hold := w.work.IntN(2) == 0
	_, existed := n.table.Get(n.wall(), k)
	res, err := n.table.Destroy(n.wall(), k, hold)
	w.logNode(n, "destroy %s hold %v: existed %v, dot %d, %v", k.Name, hold, res.Existed, res.Seq, err)
	if err != nil {
		n.refused(k, err, false)
		return
	}
	if res.Existed != existed {
		n.broken("promise 1", k, "destroy finds existed %v, a read just before %v", res.Existed, existed)
	}
	n.wrote(k)
	n.watch.of(k).forgetTouch(true)
	if _, visible := n.table.Get(n.wall(), k); visible {
		n.broken("promise 1", k, "a destroyed session is still there")
	}
	n.replicate(k, res.Seq, changeTomb)
}

func (n *Node) opFlush(k record.Key) {
	w := n.world
	seq, err := n.table.Flush(n.wall(), int(k.DB))
	w.logNode(n, "flush %d: dot %d, %v", k.DB, seq, err)
	if err != nil {
		n.refused(k, err, false)
		return
	}
	n.wrote(record.FloorKey(k.DB))
	n.checkKey(record.FloorKey(k.DB))
	for _, each := range w.ledger.keys {
		if each.DB != k.DB {
			continue
		}
		n.watch.of(each).forgetTouch(true)
		if _, visible := n.table.Get(n.wall(), each); visible {
			n.broken("promise 1", each, "a flushed session is still there")
		}
	}
	n.replicate(record.FloorKey(k.DB), seq, changeTomb)
}

// wrote enters what the operation has made into the ledger.
func (n *Node) wrote(k record.Key) {
	var s record.State
	if n.table.Load(k, &s) {
		n.world.ledger.enter(n, k, &s)
	}
	n.watch.of(k).wroteAt = max(n.watch.of(k).wroteAt, n.clock.Read(n.wall()), s.Highest().Next())
}

// checkRenewed: a touch that is replicated after all bears the stamp it was made with, so that it overrides no shortening
// made since.
func (n *Node) checkRenewed(k record.Key, d *record.Deadline) {
	if last := n.watch.of(k).wroteAt; last != 0 && d.At.Millis() > last.Millis() { // 0: written past the workload, by a test
		n.broken("promise 5", k, "a touch is replicated as of %v, the last operation was at %v", d.At, last)
	}
}

// enterDot records what a dot stands for.
func (n *Node) enterDot(k record.Key, seq uint64, kind change) (made record.State) {
	var s record.State
	n.table.Load(k, &s)
	made = n.globalState(kind.made(&s))
	n.world.ledger.dots = append(n.world.ledger.dots, dotFact{n.globalRef(n.self()), seq, k, made})
	n.entered[seq] = true
	return made
}

// noteOwn enters the dots that the table made by itself, touches that it replicated after all, and wakes the machine as
// the shell does.
func (n *Node) noteOwn() {
	high := n.table.OwnHigh()
	fresh := false
	for ; n.noted < high; n.noted++ {
		seq := n.noted + 1
		k, _, known := n.table.LogKey(n.self(), seq)
		if n.entered[seq] || !known {
			continue
		}
		var s, made record.State
		n.table.Load(k, &s)
		for i := range s.Births {
			b := s.Births[i]
			if b.Deadline.By == n.self() {
				n.checkRenewed(k, &b.Deadline)
			} else if len(s.Births) > 1 {
				continue
			} // a lone one of another's may be an end told after all
			b.Value = record.Value{}
			made.Births = append(made.Births, b)
		}
		n.world.ledger.enter(n, k, &s)
		n.world.ledger.dots = append(n.world.ledger.dots, dotFact{n.globalRef(n.self()), seq, k, n.globalState(&made)})
		fresh = true
	}
	if life := n.life; fresh {
		n.world.after(0, func() {
			if n.life == life {
				n.step(engine.Wrote{})
			}
		})
	}
}

// awaited is a write that waits for acknowledgements.
type awaited struct {
	key     record.Key
	seq     uint64
	since   time.Duration
	crashes int          // of the run, when it was made
	state   record.State // what it made, in the observer's terms
}

// change is what an operation makes of a key's state.
type change uint8

const (
	changeValue    change = iota // and the deadline, of the highest birth
	changeDeadline               // of the highest birth
	changeTomb
)

// made is the part of a state that the last operation has made.
func (c change) made(s *record.State) *record.State {
	if c == changeTomb || len(s.Births) == 0 {
		return &record.State{Tomb: s.Tomb}
	}
	b := s.Births[0]
	if c == changeDeadline {
		b.Value = record.Value{}
	}
	return &record.State{Births: []record.Birth{b}}
}

// ackTimeout is what a write waits at most.
const ackTimeout = 50 * time.Millisecond

// replicate wakes the machine, at once or a little later, and asks for acknowledgements.
func (n *Node) replicate(k record.Key, seq uint64, kind change) {
	if seq == 0 || n.world.err != nil {
		return
	}
	made := n.enterDot(k, seq, kind)
	n.noteOwn()
	if n.world.work.IntN(4) == 0 {
		life := n.life
		n.world.after(time.Duration(n.world.work.IntN(2000))*time.Microsecond, func() {
			if n.life == life {
				n.step(engine.Wrote{})
			}
		})
		return
	}
	n.step(engine.Wrote{})
	if n.world.opts.Ack == 0 || !n.runs() {
		return
	}
	n.nextID++
	n.awaits[n.nextID] = awaited{k, seq, n.world.now, n.world.crashes, made}
	n.step(engine.Await{ID: n.nextID, Seq: seq, Writes: 1, K: -1, Timeout: ackTimeout})
}
