package sim

import "time"

// What a few runs do beside, or in place of, the ordinary draws. The dice are their own: other runs stay what they were.

// drawRare makes some runs into those.
func (o *Options) drawRare(seed uint64) {
	d := dice(seed, diceRare)
	if d.IntN(12) == 0 {
		o.Faults |= Crash
		o.DonorDies = pick(d, 0.05, 0.3)
	}
	if l := dice(seed, diceDonor); l.IntN(12) == 0 {
		o.Faults |= Leaves
		o.DonorLeaves = pick(l, 0.05, 0.3)
		o.Nodes = pick(l, 2, 2, 3, o.Nodes)
	}
	switch draw := d.IntN(200); {
	case draw < 10:
		o.Faults |= Crash | Leaves
		o.Rolling = time.Duration(pick(d, 200, 700, 2000)) * time.Millisecond
	case draw < 13:
		o.Faults |= Loss | LargeValues
		o.Faults &^= SlowLink | Corrupt | Replay | Forge
		o.Large, o.Rules.loss = 2, pick(d, 0.02, 0.1, 0.2)
		o.Nodes, o.Ops, o.Chaos = min(o.Nodes, 4), min(o.Ops, 40), min(o.Chaos, 8*time.Second)
	case draw == 13 && d.IntN(2) == 0:
		o.drawHours(2 + d.IntN(2))
	}
}

// drawHours stretches a run, few operations and rare faults, over so many hours.
func (o *Options) drawHours(hours int) {
	o.Nodes, o.Ops, o.Keys = min(o.Nodes, 3), min(o.Ops, 60), min(o.Keys, 8)
	o.Faults &^= LargeValues | Replay | Forge | Corrupt | FarClock
	o.Faults |= Isolate | Pause | Crash
	o.Chaos = time.Duration(hours) * time.Hour
	o.Interval, o.MaxStroke = o.Chaos/16, o.Chaos/2
}

// roll restarts every node of ours in turn, some by a goodbye and some by a crash, the next so long after the one before.
func (w *World) roll() {
	if w.opts.Rolling == 0 {
		return
	}
	begin := time.Duration(w.nemesis.Int64N(int64(w.opts.Chaos)))
	for i, n := range w.ours() {
		w.after(begin+time.Duration(i)*w.opts.Rolling, func() { w.restart(n) })
	}
}

func (w *World) restart(n *Node) {
	if w.healed || !n.runs() || n.leaving {
		return
	}
	down := time.Duration(w.nemesis.Int64N(int64(time.Second)))
	if w.nemesis.IntN(2) == 0 {
		w.logNode(n, "leaves in its turn, back in %v", down)
		w.leave(n, down)
		return
	}
	w.stats.Faults[Crash]++
	w.logNode(n, "crash in its turn, back in %v", down)
	n.crash()
	w.restartAfter(n, down)
}

// donorDies has a donor crash in the middle of a transfer, at times.
func (w *World) donorDies(f *fetch) {
	if w.opts.DonorDies == 0 || w.healed || w.nemesis.Float64() >= w.opts.DonorDies {
		return
	}
	w.stats.Faults[Crash]++
	w.logNode(f.donor, "dies as a donor")
	f.donor.crash()
	w.restartAfter(f.donor, time.Duration(w.nemesis.Int64N(int64(maxStroke/4))))
}

// oneLargeIn is of how many values one is large.
func (o *Options) oneLargeIn() int {
	if o.Large > 0 {
		return o.Large
	}
	return 20
}
