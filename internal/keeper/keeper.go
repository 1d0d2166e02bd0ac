// Package keeper is a node's housekeeping without its clock: it hides and forgets what expired, and judges how far this
// node's clock can be trusted.
//
// A Keeper is pure: its caller looks at the clocks and hands the readings in, so that the simulation runs the same code as
// a node. It is not safe for concurrent use; the table it works on is shared with all.
package keeper

import (
	"slices"
	"time"

	"github.com/sessioncast/sessioncast/internal/engine"
	"github.com/sessioncast/sessioncast/internal/hlc"
	"github.com/sessioncast/sessioncast/internal/table"
	"github.com/sessioncast/sessioncast/internal/wire"
)

// Interval is how often Look and Sweep are to be called.
const Interval = 250 * time.Millisecond

// judgeInterval is how often the clocks are judged at least: each peer says once a second what its clock is.
const judgeInterval = time.Second

// Keeper keeps the house of one node.
type Keeper struct {
	table  *table.Table
	clock  *hlc.Clock
	limit  time.Duration // how far clocks may be apart
	steps  stepWatch
	judged time.Duration // when the clocks were judged last, on the monotonic clock
}

// New makes the keeper of a table and the clock that it shares; limit is the allowed skew, wall the node's clock in Unix
// milliseconds as it starts.
func New(t *table.Table, c *hlc.Clock, limit time.Duration, wall int64) *Keeper {
	return &Keeper{table: t, clock: c, limit: limit, steps: newStepWatch(limit, wall)}
}

// Look takes in what the clocks say: wall in Unix milliseconds, mono since the node was opened. Members are asked for
// when the clocks have to be judged.
func (k *Keeper) Look(wall int64, mono time.Duration, members func() []engine.Member) {
	doubted := k.steps.doubted()
	k.steps.look(wall, mono)
	if doubted != k.steps.doubted() || mono >= k.judged+judgeInterval {
		k.judged = mono
		k.judge(members())
	}
}

// Sweep hides and forgets what expired, by the time that is believed. It works in bounded steps: true means that there
// is more to do at once.
func (k *Keeper) Sweep() (more bool) { return k.table.Sweep(k.steps.believed()) }

// judge adds the measured skew to what hides sessions, and stops this node from writing while its clock is ahead of
// the others' by more than the limit, or has stepped and they have not confirmed it yet, rather than let it win every
// conflict (design: clocks).
func (k *Keeper) judge(members []engine.Member) {
	var peers []time.Duration
	var skew time.Duration
	for _, m := range members {
		if m.Self || m.State != wire.Synced {
			continue
		}
		peers = append(peers, m.Offset)
		skew = max(skew, m.Offset.Abs())
	}
	k.table.SetSkew(min(skew, k.limit))
	k.steps.confirm(peers)
	lead := time.Duration(k.clock.Read(k.steps.wall).Millis()-k.steps.wall) * time.Millisecond
	ahead, stampsAhead := judge(peers, lead, k.limit)
	k.table.SetAhead(ahead)
	k.table.SetQuarantine(len(peers) > 0 && (k.steps.doubted() || stampsAhead > k.limit))
}

// judge says how far this node's wall clock, and the clock that its stamps come from, are ahead of the median of all.
// Peers can move the hybrid clock no further than the limit ahead of the wall clock, and then it is they who are judged.
// Where it is further ahead, it has followed a wall clock of this node's own that was set back since: it is a clock of
// its own then, and has a voice, since that may as well have been the right one.
func judge(peers []time.Duration, lead, limit time.Duration) (wallAhead, stampsAhead time.Duration) {
	clocks := append([]time.Duration{0}, peers...)
	if lead <= limit {
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
