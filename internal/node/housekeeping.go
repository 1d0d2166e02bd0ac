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
	for {
		select {
		case <-n.ctx.Done():
			return
		case now := <-sweep.C:
			n.coarse.Store(now.UnixMilli())
			for n.table.Sweep(now.UnixMilli()) && n.ctx.Err() == nil {
			}
		case <-clocks.C:
			n.watchClocks(n.Members())
		}
	}
}

// watchClocks adds the measured skew to what hides sessions, and stops this node from writing while its own clock is
// ahead of the others' by more than the limit, rather than let it win every conflict (design: clocks).
func (n *Node) watchClocks(members []engine.Member) {
	offsets := []time.Duration{0}
	var skew time.Duration
	for _, m := range members {
		if m.Self || m.State != wire.Synced {
			continue
		}
		offsets = append(offsets, m.Offset)
		skew = max(skew, m.Offset.Abs())
	}
	n.table.SetSkew(min(skew, maxSkew))
	ahead := -median(offsets)
	n.table.SetAhead(ahead)
	n.table.SetQuarantine(ahead > maxSkew)
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
