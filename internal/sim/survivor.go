package sim

import "time"

// survivor: one node stands still while all others lose their memory and start again, so that it alone holds what was done before. The others
// know none of it, write the same sessions anew, with short lives and long ones, and forget what ends; then it goes on where it stopped.
const survivor situation = "survivor"

const (
	oneSurvivesIn               = 24 // of how many runs one is made into this one, unless it is another situation
	standsStill, standsStillFor = 15 * time.Second, 90 * time.Second
	diesWithin, backWithin      = 2 * time.Second, 5 * time.Second

	wakeBatch = 64                   // datagrams that a node takes at once, at most, as it reads what waited in its socket,
	wakePause = 2 * time.Millisecond // and how long that takes at most
)

func (o *Options) drawSurvivor(seed uint64) {
	d := dice(seed, diceSurvivor)
	if o.Situation != "" || d.IntN(oneSurvivesIn) != 0 {
		return
	}
	o.Situation = survivor
	o.DonorDies, o.DonorLeaves, o.Rolling, o.Large = 0, 0, 0, 0
	o.Faults &^= LargeValues | Replay | Forge | Corrupt | SlowNode | Jump | FarClock | Leaves | Isolate | Partition | OneWay
	o.Faults |= Crash | Pause
	o.Nodes, o.Keys, o.Ops = 2+d.IntN(3), pick(d, 2, 4, 8), pick(d, 150, 400)
	o.MaxBytes, o.Keep = 0, 0
	o.Chaos, o.Interval, o.MaxStroke = 160*time.Second, 15*time.Second, 0
	o.Boot = true
}

// surviveAlone has all nodes but one lose their memory while that one stands still, each time they were together for a while.
func (w *World) surviveAlone() {
	if w.opts.Situation != survivor {
		return
	}
	d := dice(w.opts.Seed, diceSurvives)
	between := func(least, most time.Duration) time.Duration {
		return least + time.Duration(d.Int64N(int64(most-least)))
	}
	for at := between(togetherLeast, togetherMost); at < w.opts.Chaos; at += between(togetherLeast, togetherMost) {
		length, still := between(standsStill, standsStillFor), d.IntN(w.opts.Nodes)
		w.after(at, func() { w.standStill(w.nodes[still], length) })
		for _, n := range w.ours() {
			dies, back := between(0, diesWithin), between(0, backWithin)
			if n.id != still {
				w.after(at+dies, func() { w.kill(n, back) })
			}
		}
		at += length
	}
}

func (w *World) standStill(n *Node, length time.Duration) {
	if !w.healed && n.runs() {
		w.stopFor(n, length)
	}
}

func (w *World) kill(n *Node, back time.Duration) {
	if w.healed || !n.up {
		return
	}
	w.stats.Faults[Crash]++
	w.logNode(n, "crash, back in %v", back)
	n.crash()
	w.restartAfter(n, back)
}

// wake is what a process does that was stopped and goes on: whichever of its timers and its readers is first, and the readers take what waited in
// the socket, which is the oldest that found room, a few datagrams at a time, while others arrive behind.
func (n *Node) wake() {
	life, w := n.life, n.world
	if n.dice.IntN(2) == 0 {
		n.keep()
	}
	if n.dice.IntN(2) == 0 {
		n.poll()
	}
	if n.life != life || !n.up {
		return
	}
	pause := time.Duration(n.dice.Int64N(int64(wakePause)))
	n.busyUntil = w.now + pause
	w.after(pause, func() {
		if n.life != life || !n.runs() {
			return
		}
		n.drain(1 + n.dice.IntN(wakeBatch))
		if n.life == life && n.runs() && len(n.inbox) > 0 {
			n.wake()
		}
	})
}
