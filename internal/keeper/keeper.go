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

// hearsay is how old what a peer said of its clock may be: of longer ago it may have been said before a clock stepped.
const hearsay = 4 * time.Second

// Keeper keeps the house of one node.
type Keeper struct {
	table *table.Table
	limit time.Duration // how far clocks may be apart
	steps stepWatch

	stampsAhead bool // of the others' clocks, beyond the limit
	blind       bool // nobody has told this node the time yet, and it may hear soon
	late        time.Duration
	heard       time.Duration // when, on the monotonic clock, peers told the time last,
	unsaid      time.Duration // and when somebody was there last who had not told it, and nobody who had
	judged      bool          // its clock has been held against the others', or there were none
	settled     bool          // it has been a member since: it is not only the others' clocks that count
}

// New makes the keeper of a table; limit is the allowed skew, wall the node's clock in Unix milliseconds as it starts.
func New(t *table.Table, limit time.Duration, wall int64) *Keeper {
	return &Keeper{table: t, limit: limit, steps: newStepWatch(limit, wall), unsaid: -confirmedAlone}
}

// Look takes in what the clocks say: wall in Unix milliseconds, mono since the node was opened, and the offsets of the
// members' clocks, this node among them. It must be called, besides, as soon as the node is synced, before it takes a write.
//
// stamped is what the hybrid clock had come to, read before wall: writers go on, and a pause between the two readings would look like
// stamps that are ahead.
func (k *Keeper) Look(stamped hlc.Stamp, wall int64, mono time.Duration, members []engine.Member) {
	k.steps.look(wall, mono)
	k.judge(members, stamped)
}

// MaySweep reports whether to hide and forget what expired, by Sweep of the table at the wall time of the last Look.
func (k *Keeper) MaySweep() bool { return !k.blind }

// judge adds the measured skew to what hides sessions, tells the table how wrong this node's clock is, and stops this
// node from writing while its clock is ahead of the others' by more than the limit, or has stepped and they have not
// confirmed it yet, rather than let it win every conflict (design: clocks). Stamps that are ahead of clocks win none where most members'
// are as far ahead, as after all clocks were set back together.
//
// What is collected is gone. So where clocks differ and nobody can say which is right, collecting goes by the earliest; and a
// node that has just started, or met somebody, and was not told the time yet, or whose clock has stepped since it started and before
// anything that it was told could count, collects nothing. Those who join may have what others sent
// them: where nobody else tells the time they do, as to collecting. Whoever is gone before it told the time leaves what it sent.
//
// Lateness is taken from whoever says so, though this clock has just stepped: what was measured before that makes it too late at most, for
// some seconds.
//
// What was told before this node stood still for long decides nothing: of two clocks that were set meanwhile, one right and one wrong, it
// may have heard of the wrong one only. So nothing changes until all have told their clocks again, or have been silent for as long as counts.
//
// Who comes and is ahead goes by the clocks of those who were there, even where there is but one of them: the sessions are
// theirs. Who is behind the only other one does not: that one may be ahead, and then all that lives would be hidden.
func (k *Keeper) judge(members []engine.Member, stamped hlc.Stamp) {
	said := k.listen(members)
	joining, peers := said.joining, said.peers
	left := k.leftUntold(&said)
	steady := k.steps.steady() && !said.old
	k.judged = k.judged || len(peers) > 0 && steady || len(peers) == 0 && !joining && !said.gone && k.steps.alone()
	k.blind = joining && len(peers) == 0 || said.untold > 0 && said.untold >= said.told || left || !k.judged
	k.table.SetSkew(min(said.skew, k.limit))
	lead := max(0, time.Duration(stamped.Millis()-k.steps.wall)*time.Millisecond)
	v := judge(peers, lead, k.limit)
	v.stamps = min(v.stamps, lead-nearest(append(said.stamps, lead)))
	if !k.settled && len(peers) > 0 {
		v.wall = max(v.wall, -nearest(peers))
	}
	k.settled = k.settled || !joining && k.judged
	k.steps.hear(peers, v.wall, steady)
	off := k.steps.off
	late := max(0, -off)
	if v.earliest > k.limit {
		late = max(late, v.earliest-off)
	}
	if len(peers) == 0 && said.behind > k.limit {
		late = max(late, said.behind-off)
	}
	k.table.SetOff(off)
	k.table.SetLate(k.stayLate(late, len(peers) > 0 || said.joiners, steady))
	if steady {
		k.stampsAhead = v.stamps > k.limit
	}
	k.table.SetQuarantine(k.refusal(len(peers), v.wall))
}

// voices are what the members say of their clocks.
type voices struct {
	joining      bool            // this node
	peers        []time.Duration // offsets of those that are synced, said a moment ago,
	stamps       []time.Duration // and of what they stamped last
	skew         time.Duration
	told, untold int
	joiners      bool          // have said, a moment ago, where their clocks are:
	behind       time.Duration // at most so far behind this node's
	old          bool          // one of these was said before this node stood still, too long ago to count by that time
	gone         bool          // somebody was here lately, and may have given this node its sessions between two looks
}

// listen sums up what the members say. Before a peer has told its clock its offset is a guess by its hybrid clock, which is never behind: so it
// may say that the peer is behind, but to a node that is settled not that it is ahead, as it may only have followed a clock that was.
func (k *Keeper) listen(members []engine.Member) (said voices) {
	for _, m := range members {
		switch {
		case m.Self:
			said.joining = m.State == wire.Joining
		case m.State == wire.Joining && !m.ClockTold: // or nothing is known of it yet but that it has the key
			said.untold++
		case m.State == wire.Joining && m.OffsetAge <= hearsay:
			said.joiners, said.behind = true, max(said.behind, -m.Offset)
			said.old = said.old || m.OffsetAge+m.Stood > hearsay
		case m.State == wire.Dead:
			said.gone = said.gone || m.Silence < confirmedAlone
		case m.State == wire.Synced || m.State == wire.Leaving: // those whose sessions they are
			said.skew = max(said.skew, m.Offset.Abs())
			if m.ClockTold {
				said.told++
			} else {
				said.untold++
			}
			if guessedAhead := k.settled && !m.ClockTold && m.Offset > k.limit; m.OffsetAge <= hearsay && !guessedAhead {
				said.peers, said.stamps = append(said.peers, m.Offset), append(said.stamps, m.Stamps)
				said.old = said.old || m.OffsetAge+m.Stood > hearsay
			}
		}
	}
	return said
}

// leftUntold reports whether all that were here lately are gone, and somebody among them had not told the time.
func (k *Keeper) leftUntold(said *voices) bool {
	switch {
	case said.told > 0:
		k.unsaid = -confirmedAlone // there is somebody to ask
	case said.untold > 0:
		k.unsaid = k.steps.mono
	}
	return k.steps.mono-k.unsaid < confirmedAlone
}

// refusal is why this node may not write, whose clock is said to be so far ahead; nil: it may.
func (k *Keeper) refusal(peers int, ahead time.Duration) error {
	switch {
	case peers == 0:
		return nil
	case !k.judged && ahead > k.limit:
		return table.ErrClockStepped
	case k.steps.off > k.limit && k.steps.steady():
		return table.ErrClockAhead
	case k.steps.off > k.limit:
		return table.ErrClockStepped
	case k.stampsAhead:
		return table.ErrClockStamps
	}
	return nil
}

// stayLate is how late epochs are to end: as late as the peers said last, until what they say counts again, or for a while after they are
// gone. Nobody has told since that this node's clock is right.
func (k *Keeper) stayLate(late time.Duration, told, steady bool) time.Duration {
	switch {
	case told:
		if !steady {
			late = max(late, k.late)
		}
		k.late, k.heard = late, k.steps.mono
	case k.steps.mono-k.heard < confirmedAlone:
		return max(late, k.late)
	}
	return late
}

// verdict says how far clocks of this node are ahead of the median of all: its wall clock, the clock that its stamps
// come from, and its wall clock where of two medians the earlier counts.
type verdict struct{ wall, stamps, earliest time.Duration }

// judge compares this node's clocks with its peers'. Peers can move the hybrid clock no further than the limit ahead of
// the wall clock, and then it is they who are judged. Where it is further ahead, it has followed a wall clock of this
// node's own that was set back since: it is a clock of its own then, and has a voice, since that may as well have been the
// right one.
func judge(peers []time.Duration, lead, limit time.Duration) verdict {
	clocks := append([]time.Duration{0}, peers...)
	if lead <= limit {
		lead = 0
	} else {
		clocks = append(clocks, lead)
	}
	middle, earliest := medians(clocks)
	if lead > 0 && middle.Abs() > limit { // the clock of the stamps stands still between changes: it outvotes, and tells no time
		middle = nearest(peers)
	}
	return verdict{wall: -middle, stamps: lead - middle, earliest: -earliest}
}

// medians of offsets. Of two in the middle, nearest is the one nearer to zero, so that a pair of nodes does not accuse
// itself.
func medians(offsets []time.Duration) (nearest, earliest time.Duration) {
	slices.Sort(offsets)
	lo, hi := offsets[(len(offsets)-1)/2], offsets[len(offsets)/2]
	if lo.Abs() < hi.Abs() {
		return lo, lo
	}
	return hi, lo
}

func nearest(offsets []time.Duration) time.Duration {
	n, _ := medians(offsets)
	return n
}
