package node

import (
	"time"

	"github.com/sessioncast/sessioncast/internal/keeper"
)

// housekeeper hides and forgets what expired, and watches the clocks.
func (n *Node) housekeeper() {
	tick := time.NewTicker(keeper.Interval)
	defer tick.Stop()
	k := keeper.New(n.table, n.clock, maxSkew, n.started.UnixMilli())
	for {
		select {
		case <-n.ctx.Done():
			return
		case <-tick.C:
			now := time.Now()
			n.coarse.Store(now.UnixMilli())
			k.Look(now.UnixMilli(), now.Sub(n.started), n.Members())
			for k.Sweep() && n.ctx.Err() == nil {
			}
		}
	}
}
