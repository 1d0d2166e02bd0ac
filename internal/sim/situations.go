package sim

import "time"

// Situations that the ordinary draws meet too seldom: some runs are made into one of them. They are small, so that they cost
// little. The dice are their own: other runs stay what they were.
type situation string

const (
	flood     situation = "flood"     // nodes fill their small memories by themselves, and then learn what the others hold
	apart     situation = "apart"     // parts are separated for longer than tombstones are kept, again and again
	farStart  situation = "far-start" // nodes start with clocks far beyond the limit, among sessions that end sooner
	oneInThat           = 12          // of how many runs one is one of them
)

// rejoin is apart, drawn in its place: for less than tombstones are kept, for longer than what ended is, and with nothing else that delays
// changes, so that all have to be alike soon.
const rejoin situation = "rejoin"

// brief is apart, drawn in its place: both parts write sessions that the other has not heard of, with lives of seconds and of an hour, and have
// forgotten what ended when they meet.
const brief situation = "brief"

var situations = []situation{flood, apart, farStart}

func (o *Options) drawSituation(seed uint64) {
	d := dice(seed, diceSituation)
	if d.IntN(oneInThat) != 0 {
		return
	}
	o.DonorDies, o.DonorLeaves, o.Rolling, o.Large = 0, 0, 0, 0
	o.Faults &^= LargeValues | Replay | Forge | Corrupt | SlowNode | Jump
	switch o.Situation = pick(d, situations...); o.Situation {
	case flood:
		o.Faults = o.Faults&^(Crash|Leaves|FarClock|NoMulticast) | Isolate
		o.Nodes, o.Ops, o.Keys = 3+d.IntN(3), 250, 40
		o.Chaos, o.MaxStroke, o.Interval = 15*time.Second, 15*time.Second, 500*time.Millisecond
		o.MaxBytes, o.MaxValue = int64(pick(d, 5000, 20_000)), pick(d, 1000, 5000)
		o.Keep = 0
	case apart:
		o.Faults &^= Crash | Leaves | FarClock | NoMulticast | Isolate | Partition | Pause | OneWay
		o.Nodes, o.Keys, o.Ops = 2+d.IntN(2), pick(d, 1, 2, 4), 300
		o.Keep, o.Lifetime, o.MaxBytes = time.Duration(pick(d, 2, 4))*time.Second, 0, 0
		o.Chaos, o.Interval = 160*time.Second, 2*time.Second
		o.Mix.touch, o.Mix.destroy, o.Mix.flush = 10, 3, 0
		if d.IntN(3) == 0 {
			o.Situation, o.Keys, o.Ops = rejoin, 1+d.IntN(2), 600
			o.Faults &= Skew | OtherCluster | SmallPayload
			o.Keep, o.Follow = rejoinKeep, 0
			o.Mix = mix{create: 1, update: 3, upsert: 3, touch: 30}
		} else if d.IntN(4) == 0 {
			o.Situation, o.Keys, o.Ops = brief, 200, 600
			o.Keep = rejoinKeep
			o.Mix = mix{create: 1, update: 1, upsert: 6, touch: 1, shorten: 1}
		}
	case farStart:
		o.Faults = o.Faults&^(OtherCluster|Isolate|Partition|OneWay|Crash|Leaves) | FarClock // the others are most
		o.Nodes, o.Ops, o.MaxBytes = 3+d.IntN(2), 250, 0
		o.Chaos, o.Interval = 30*time.Second, 2*time.Second
		if d.IntN(3) == 0 { // while the others are still joining
			o.Faults |= StreamBreak
			o.Boot, o.StreamBreaks, o.Interval = false, 0.8, 300*time.Millisecond
		}
	}
}

const (
	togetherLeast, togetherMost = 2 * time.Second, 10 * time.Second
	beyondKeep, beyondKeepMost  = 2*maxSkew + 12*time.Second, 2*maxSkew + 32*time.Second // the end of an epoch comes up to 10 s later

	rejoinKeep   = beyondKeepMost + 10*time.Second
	rejoinWithin = 1800 * time.Millisecond // they hear of each other within one second; repairs in vain are given up after two, which would hide why
)

// separate cuts two parts off from each other, each time they were together for a while.
func (w *World) separate() {
	if s := w.opts.Situation; s != apart && s != rejoin && s != brief {
		return
	}
	d := dice(w.opts.Seed, diceSeparate)
	between := func(least, most time.Duration) time.Duration {
		return least + time.Duration(d.Int64N(int64(most-least)))
	}
	for at := between(togetherLeast, togetherMost); at < w.opts.Chaos; at += between(togetherLeast, togetherMost) {
		length := between(beyondKeep, beyondKeepMost)
		switch w.opts.Situation {
		case apart:
			length += w.opts.Keep
		case rejoin:
			at += rejoinWithin
		}
		alone, quiet := d.IntN(w.opts.Nodes), d.IntN(3)
		w.after(at, func() { w.separateFor(length, alone, quiet) })
		at += length
	}
}

// separateFor cuts one node off. In some separations nothing is done on that one, or on the others, which then have nothing to tell that
// the other part lacks.
func (w *World) separateFor(length time.Duration, alone, quiet int) {
	if w.healed {
		return
	}
	w.log("apart: %s for %v, quiet %d", nodeName(alone), length, quiet)
	for _, n := range w.nodes {
		n.quiet = quiet == 1 && n.id == alone || quiet == 2 && n.id != alone
	}
	w.cutFor(Isolate, length, func(from, to int) bool { return from == alone || to == alone })
	w.after(length, func() { w.hush(w.opts.Situation == rejoin) })
	if w.opts.Situation == rejoin {
		w.after(length+rejoinWithin, w.checkRejoined)
	}
}

// hush keeps users away from all nodes, or lets them come.
func (w *World) hush(quiet bool) {
	for _, n := range w.nodes {
		n.quiet = quiet
	}
}

// checkRejoined: changes that are young enough to be repaired one by one are, and what lives on one side does on the other, whatever
// ended there.
func (w *World) checkRejoined() {
	if w.healed {
		return
	}
	w.hush(false)
	for _, n := range w.ours()[1:] {
		if why := w.differInVectors(w.nodes[0], n); why != "" {
			w.fail("promise 2", "%v after a separation %s and %s do not hold the same: %s", rejoinWithin, nodeName(0), nodeName(n.id), why)
		}
	}
}
