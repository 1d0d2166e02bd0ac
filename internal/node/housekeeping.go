package node

import (
	"time"

	"github.com/sessioncast/sessioncast/internal/keeper"
)

// housekeeper hides and forgets what expired, and watches the clocks.
func (n *Node) housekeeper() {
	tick := time.NewTicker(keeper.Interval)
	defer tick.Stop()
	for {
		select {
		case <-n.ctx.Done():
			return
		case <-tick.C:
			n.coarse.Store(n.Now().UnixMilli())
			n.core.Lock()
			now := n.lookAtClocks()
			sweep := n.core.keeper.MaySweep()
			n.core.Unlock()
			for sweep && n.table.Sweep(now.UnixMilli()) && n.ctx.Err() == nil {
			}
		}
	}
}

// lookAtClocks has the keeper judge them. The core is locked.
func (n *Node) lookAtClocks() (now time.Time) {
	stamped := n.clock.Read(0)
	now = n.Now()
	n.core.keeper.Look(stamped, now.UnixMilli(), now.Sub(n.started), n.core.machine.Members(now))
	return now
}
