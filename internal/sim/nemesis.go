package sim

import (
	"time"

	"github.com/sessioncast/sessioncast/internal/engine"
)

// The nemesis draws, at intervals, what goes wrong next. Each stroke ends by itself or with the healing.

type stroke struct {
	kind   Faults
	strike func(w *World, length time.Duration)
}

var strokes = []stroke{
	{OneWay, (*World).strikeOneWay},
	{Partition, (*World).strikePartition},
	{Isolate, (*World).strikeIsolate},
	{Crash, (*World).strikeCrash},
	{Pause, (*World).strikePause},
	{Jump, (*World).strikeJump},
	{Leaves, (*World).strikeLeave},
	{StreamBreak, (*World).strikeWatch},
	{FarClock, (*World).strikeFar},
	{NoMulticast, (*World).strikeMulticast},
	{NoUnicast, (*World).strikeUnicast},
}

// maxStroke is how long a partition, a pause or a node's absence lasts at most, unless the options say more.
const maxStroke = 12 * time.Second

// unleash sets up the faults that last and begins to draw the others.
func (w *World) unleash() {
	if w.healed {
		return
	}
	w.spoilLinks()
	w.spoilClocks()
	w.roll()
	w.separate()
	w.surviveAlone()
	w.everyAbout(w.opts.Interval, w.strike)
	if w.opts.ForgePerSec > 0 {
		w.everyAbout(time.Duration(float64(time.Second)/w.opts.ForgePerSec), w.forge)
	}
	if w.opts.ReplayRate > 0 {
		w.everyAbout(time.Duration(float64(time.Millisecond)/w.opts.ReplayRate), w.replay)
	}
}

// everyAbout does something at intervals of mean length d, until the healing.
func (w *World) everyAbout(d time.Duration, do func()) {
	w.after(time.Duration(w.nemesis.ExpFloat64()*float64(d)), func() {
		if !w.healed {
			do()
			w.everyAbout(d, do)
		}
	})
}

func (w *World) spoilLinks() {
	for i := range w.net.links {
		l := &w.net.links[i]
		if w.opts.LinkLoss > 0 && w.nemesis.IntN(6) == 0 {
			l.loss = w.opts.LinkLoss
			w.stats.Faults[LinkLoss]++
		}
		if w.opts.SlowRate > 0 && w.nemesis.IntN(6) == 0 {
			l.bandwidth = w.opts.SlowRate
			l.extra = time.Duration(w.nemesis.Int64N(int64(200 * time.Millisecond)))
			w.stats.Faults[SlowLink]++
		}
	}
}

// drawSkew is a clock's error within the limit.
func (w *World) drawSkew() time.Duration {
	limit := int64(w.opts.SkewLimit)
	if limit == 0 {
		return 0
	}
	return time.Duration(w.nemesis.Int64N(2*limit) - limit)
}

func (w *World) spoilClocks() {
	if !w.opts.Faults.Has(Skew) {
		return
	}
	for _, n := range w.nodes {
		n.skew = w.drawSkew()
		w.stats.Faults[Skew]++
	}
}

func (w *World) strike() {
	var may []stroke
	for _, s := range strokes {
		if w.opts.Faults.Has(s.kind) {
			may = append(may, s)
		}
	}
	if len(may) == 0 {
		return
	}
	s := may[w.nemesis.IntN(len(may))]
	length := time.Duration(w.nemesis.Float64() * w.nemesis.Float64() * float64(max(w.opts.MaxStroke, maxStroke)))
	if w.opts.Keep > 0 && w.nemesis.IntN(4) == 0 {
		length += w.opts.Keep + 2*maxSkew // longer than tombstones are kept
	}
	s.strike(w, length)
}

// cutFor closes links and opens them again after a while.
func (w *World) cutFor(kind Faults, length time.Duration, crosses func(from, to int) bool) {
	w.stats.Faults[kind]++
	w.net.cut(+1, crosses)
	w.after(length, func() {
		if !w.healed {
			w.net.cut(-1, crosses)
			w.log("%v ends", kind)
		}
	})
}

func (w *World) strikeOneWay(length time.Duration) {
	a, b := w.nemesis.IntN(len(w.nodes)), w.nemesis.IntN(len(w.nodes))
	w.log("one way: %s hears nothing of %s for %v", nodeName(b), nodeName(a), length)
	w.cutFor(OneWay, length, func(from, to int) bool { return from == a && to == b })
}

func (w *World) strikePartition(length time.Duration) {
	side := w.nemesis.Uint64()
	oneWay := w.nemesis.IntN(4) == 0
	w.log("partition %b, one way %v, for %v", side&(1<<len(w.nodes)-1), oneWay, length)
	w.cutFor(Partition, length, func(from, to int) bool {
		a, b := side>>from&1, side>>to&1
		return a != b && (!oneWay || a == 0)
	})
}

func (w *World) strikeIsolate(length time.Duration) {
	alone := w.nemesis.IntN(len(w.nodes))
	w.log("isolated: %s for %v", nodeName(alone), length)
	w.cutFor(Isolate, length, func(from, to int) bool { return from == alone || to == alone })
}

// strikeMulticast makes multicast reach nobody, or leaves single nodes or pairs out, as bad switches do.
func (w *World) strikeMulticast(length time.Duration) {
	a, b := w.nemesis.IntN(len(w.nodes)), w.nemesis.IntN(len(w.nodes))
	crosses := []func(from, to int) bool{
		func(int, int) bool { return true },
		func(_, to int) bool { return to == a },
		func(from, _ int) bool { return from == a },
		func(from, to int) bool { return from == a && to == b },
	}[w.nemesis.IntN(4)]
	w.log("multicast of or to %s does not arrive for %v", nodeName(a), length)
	w.stats.Faults[NoMulticast]++
	w.net.deafen(+1, crosses)
	w.after(2*length, func() {
		if !w.healed {
			w.net.deafen(-1, crosses)
			w.log("%v ends", NoMulticast)
		}
	})
}

// victim is one of our nodes that is up and running, or nil.
func (w *World) victim() *Node {
	n := w.nodes[w.nemesis.IntN(w.opts.Nodes)]
	if !n.runs() {
		return nil
	}
	return n
}

func (w *World) strikeCrash(length time.Duration) {
	n := w.victim()
	if n == nil {
		return
	}
	w.stats.Faults[Crash]++
	w.logNode(n, "crash, back in %v", length)
	n.crash()
	w.restartAfter(n, length)
}

func (w *World) restartAfter(n *Node, length time.Duration) {
	life := n.life
	w.after(length, func() {
		if !w.healed && n.life == life {
			n.start()
		}
	})
}

func (w *World) strikePause(length time.Duration) {
	n := w.victim()
	if n == nil {
		return
	}
	w.stopFor(n, length)
}

func (w *World) stopFor(n *Node, length time.Duration) {
	w.stats.Faults[Pause]++
	w.logNode(n, "stopped for %v", length)
	n.paused = true
	n.pauses++
	life := n.life
	w.after(length, func() {
		if n.life == life {
			n.resume()
		}
	})
}

func (n *Node) resume() {
	if !n.paused {
		return
	}
	n.paused = false
	n.world.logNode(n, "resumes")
	if n.world.opts.Situation == survivor {
		n.wake()
		return
	}
	n.drain(len(n.inbox))
	n.poll()
}

func (w *World) strikeJump(time.Duration) {
	n := w.victim()
	if n == nil {
		return
	}
	w.stats.Faults[Jump]++
	n.skew = w.drawSkew()
	w.logNode(n, "clock jumps to %v off", n.skew)
	n.poll()
}

func (w *World) strikeLeave(length time.Duration) {
	n := w.victim()
	if n == nil || n.leaving {
		return
	}
	w.logNode(n, "leaves, back in %v", length)
	w.leave(n, length)
}

// leave has a node say goodbye, and come back so long after it must have gone.
func (w *World) leave(n *Node, down time.Duration) {
	w.stats.Faults[Leaves]++
	n.leaving, n.leftAt = true, w.now
	life, pauses := n.life, n.pauses
	n.step(engine.Leave{})
	stays := func() bool { return n.life == life && n.pauses == pauses && !w.healed && n.up }
	back := func() {
		if !w.healed && !n.up {
			n.start()
		}
	}
	w.after(leaveLimit, func() {
		if !stays() || n.isNeeded() {
			return
		}
		w.after(goodbyes, func() { // it may have found out just now
			if stays() && !n.isNeeded() {
				w.fail("leave", "%s has not left after %v, though nobody needs it", nodeName(n.id), leaveLimit)
			}
		})
	})
	w.after(giveLimit, func() {
		if stays() {
			w.fail("leave", "%s has not left after %v", nodeName(n.id), giveLimit)
		}
	})
	w.after(leaveLimit+down, func() {
		if n.up && n.leaving { // it waits still
			w.after(giveLimit-leaveLimit, back)
			return
		}
		back()
	})
}
