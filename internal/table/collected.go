package table

import (
	"slices"

	"github.com/sessioncast/sessioncast/internal/hlc"
	"github.com/sessioncast/sessioncast/internal/record"
)

// A tombstone that is collected may not have met all that it kills: another part of the cluster has not heard of it, or this node not of the
// creation. So its stamps stay, as long as there is room, and where something comes to its key that it kills it is told again, under its
// own stamp (docs/adr/0020-a-collected-tombstone-is-remembered.md). This is known here only, as ends are; a restart forgets it.
const (
	MaxCollected   = 1 << 19 // remembered by a table, evenly spread over its buckets: 12 MiB
	collectedShare = 64      // they take this part, as a divisor, of the memory limit besides it
	collectedBytes = 24      // with the hash of the key
)

// collected are the latest tombstones of a bucket that were collected, guarded by its lock. The zero value is ready to use.
type collected struct {
	recent[pastTomb]
	upTo hlc.Stamp // none kills what was born later
}

// pastTomb is what is left of a tombstone.
type pastTomb struct {
	tomb hlc.Stamp
	hold hlc.Stamp
}

// maxCollectedIn is how many a bucket remembers at most.
func (t *Table) maxCollectedIn() int {
	if t.cfg.MaxBytes <= 0 {
		return MaxCollected / Buckets
	}
	return int(min(max(t.cfg.MaxBytes/collectedShare/collectedBytes/Buckets, 1), MaxCollected/Buckets))
}

// keep remembers a tombstone, by the maximum of its stamps where an earlier one of its key is remembered, else in the place of the oldest
// where there is no room for one more. It reports whether that one is forgotten.
func (c *collected) keep(hash uint64, x pastTomb, limit int) (displaced bool) {
	c.upTo = max(c.upTo, x.tomb, x.hold)
	if was := c.find(hash); was != nil {
		was.tomb, was.hold = max(was.tomb, x.tomb), max(was.hold, x.hold)
		return false
	}
	_, displaced = c.add(hash, x, limit)
	return displaced
}

func (t *Table) collectedOf(hash uint64) *collected { return &t.collected[hash>>(64-bucketBits)] }

// collect is purge, and remembers the tombstone that goes.
func (o *op) collect(epoch int64) (changed bool) {
	was := o.e.state.Tomb
	changed = o.purge(epoch)
	if was != (record.Tombstone{}) && o.e.state.Tomb == (record.Tombstone{}) {
		if o.t.cfg.Forgetful {
			o.t.counts.tombsDropped.Add(1)
			return changed
		}
		if o.t.collectedOf(o.hash).keep(o.hash, pastTomb{tomb: was.At, hold: was.Hold}, o.t.maxCollectedIn()) {
			o.t.counts.tombsDropped.Add(1)
		}
	}
	return changed
}

// recall tells a remembered tombstone again, with a dot of ours, where something has come to its key that it kills. It is kept anew for as
// long as one made now: who takes it may have been away as others were.
func (o *op) recall() {
	t, births := o.t, o.e.state.Births
	c := t.collectedOf(o.hash)
	if len(births) == 0 || births[len(births)-1].ID.At > c.upTo || t.closed.Load() {
		return
	}
	x := c.find(o.hash)
	if x == nil {
		return
	}
	tomb := record.Tombstone{At: x.tomb, Hold: x.hold}
	if !slices.ContainsFunc(births, func(b record.Birth) bool { return record.Kills(tomb, 0, &b) }) {
		return
	}
	tomb.Until = record.TombUntil(max(x.tomb, hlc.At(o.at)), x.hold, t.keep(), t.cfg.MaxSkew)
	t.cfg.Origins.Merge(&o.e.state, &record.State{Tomb: tomb}, o.floor)
	o.takeDot(false)
	t.counts.tombsTold.Add(1)
}
