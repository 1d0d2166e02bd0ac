package node

import (
	"slices"
	"time"

	"github.com/sessioncast/sessioncast/internal/engine"
	"github.com/sessioncast/sessioncast/internal/wire"
)

const (
	sweepInterval = 250 * time.Millisecond
	clockInterval = time.Second
)

// housekeeper hides and forgets what expired, and watches the clocks.
func (n *Node) housekeeper() {
	sweep, clocks := time.NewTicker(sweepInterval), time.NewTicker(clockInterval)
	defer sweep.Stop()
	defer clocks.Stop()
	steps := newStepWatch(n.started.UnixMilli())
	for {
		select {
		case <-n.ctx.Done():
			return
		case <-sweep.C:
			now := time.Now()
			n.coarse.Store(now.UnixMilli())
			doubted := steps.doubted()
			steps.look(now.UnixMilli(), now.Sub(n.started))
			if doubted != steps.doubted() {
				n.watchClocks(&steps, n.Members())
			}
			for n.table.Sweep(steps.believed()) && n.ctx.Err() == nil {
			}
		case <-clocks.C:
			n.watchClocks(&steps, n.Members())
		}
	}
}

// watchClocks adds the measured skew to what hides sessions, and stops this node from writing while its clock is ahead of
// the others' by more than the limit, or has stepped and they have not confirmed it yet, rather than let it win every
// conflict (design: clocks).
func (n *Node) watchClocks(steps *stepWatch, members []engine.Member) {
	var peers []time.Duration
	var skew time.Duration
	for _, m := range members {
		if m.Self || m.State != wire.Synced {
			continue
		}
		peers = append(peers, m.Offset)
		skew = max(skew, m.Offset.Abs())
	}
	n.table.SetSkew(min(skew, maxSkew))
	steps.confirm(peers)
	wall := time.Now().UnixMilli()
	lead := time.Duration(n.clock.Read(wall).Millis()-wall) * time.Millisecond
	ahead, stampsAhead := judge(peers, lead)
	n.table.SetAhead(ahead)
	n.table.SetQuarantine(len(peers) > 0 && (steps.doubted() || stampsAhead > maxSkew))
}

// judge says how far this node's wall clock, and the clock that its stamps come from, are ahead of the median of all.
// Peers can move the hybrid clock no further than the limit ahead of the wall clock, and then it is they who are judged.
// Where it is further ahead, it has followed a wall clock of this node's own that was set back since: it is a clock of
// its own then, and has a voice, since that may as well have been the right one.
func judge(peers []time.Duration, lead time.Duration) (wallAhead, stampsAhead time.Duration) {
	clocks := append([]time.Duration{0}, peers...)
	if lead <= maxSkew {
		lead = 0
	} else {
		clocks = append(clocks, lead)
	}
	wallAhead = -median(clocks)
	return wallAhead, wallAhead + lead
}

// median of offsets; of two in the middle the one nearer to zero, so that a pair of nodes does not accuse itself.
func median(offsets []time.Duration) time.Duration {
	slices.Sort(offsets)
	lo, hi := offsets[(len(offsets)-1)/2], offsets[len(offsets)/2]
	if lo.Abs() < hi.Abs() {
		return lo
	}
	return hi
}
