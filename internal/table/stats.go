package table

import (
	"sync/atomic"

	"github.com/sessioncast/sessioncast/internal/record"
)

// counts are the table's gauges and counters.
type counts struct {
	bytes      atomic.Int64
	perDB      [record.Databases]atomic.Int64
	hidden     atomic.Int64
	tombstones atomic.Int64
	unknown    atomic.Int64
	owned      atomic.Int64

	refused, held, noRoom, unknownDropped, invalid atomic.Uint64
	expired, purged, localTouches, reissued        atomic.Uint64
	renewed, renewDropped                          atomic.Uint64
	over, absent, compacted                        atomic.Uint64
	endsTold, endsDropped                          atomic.Uint64
	tombsTold, tombsDropped                        atomic.Uint64
	crowded, conflicts                             atomic.Uint64
}

func (c *counts) move(db uint8, from, to class) {
	c.add(db, from, -1)
	c.add(db, to, 1)
}

func (c *counts) add(db uint8, cl class, n int64) {
	switch cl {
	case session:
		c.perDB[db].Add(n)
	case hidden:
		c.hidden.Add(n)
	case tombstone:
		c.tombstones.Add(n)
	}
}

// Stats is a reading of the table's gauges and counters.
type Stats struct {
	Sessions   int64 // visible, or not swept yet
	Hidden     int64 // expired, kept until they can be forgotten
	Tombstones int64 // floors included
	Owned      int64 // keys with an owner label, hidden ones included
	Bytes      int64
	Limit      int64 // 0: none

	Refused        uint64 // local writes: memory full, or clock in quarantine
	Held           uint64 // upserts refused by a logout hold
	NoRoom         uint64 // remote records beyond 110 % of the limit
	UnknownDropped uint64 // destroys of unknown keys beyond their limits
	Invalid        uint64 // remote records whose key cannot be
	Expired        uint64
	Purged         uint64
	LocalTouches   uint64 // deadline extensions that needed no datagram
	Reissued       uint64 // of those, replicated later after all
	Renewed        uint64 // and those replicated with others before their promise was outgrown
	Compacted      uint64 // pages emptied because little of them was in use
	RenewDropped   uint64 // those that were to be, and found no room to wait
	Over           uint64 // remote births not taken: they ended here, long ago
	Absent         uint64 // births dropped: they ended in another part of the cluster, during a long separation
	EndsTold       uint64 // ends of births already forgotten, told where something older came
	EndsDropped    uint64 // ends not remembered any more, since there are too many
	TombsTold      uint64 // tombstones already collected, told again where something came that they kill
	TombsDropped   uint64 // collected tombstones not remembered any more, since there are too many
	Conflicts      uint64 // fields written over what others had changed since the writer read them
	Crowded        uint64 // births not kept: [record.MaxBirths] later ones of their key are
}

// Stats reads the gauges and counters.
func (t *Table) Stats() Stats {
	c := &t.counts
	s := Stats{
		Hidden: c.hidden.Load(), Tombstones: c.tombstones.Load(), Owned: c.owned.Load(),
		Bytes: c.bytes.Load(), Limit: t.cfg.MaxBytes,
		Refused: c.refused.Load(), Held: c.held.Load(), NoRoom: c.noRoom.Load(),
		UnknownDropped: c.unknownDropped.Load(), Invalid: c.invalid.Load(),
		Expired: c.expired.Load(), Purged: c.purged.Load(),
		LocalTouches: c.localTouches.Load(), Reissued: c.reissued.Load(),
		Renewed: c.renewed.Load(), RenewDropped: c.renewDropped.Load(),
		Over: c.over.Load(), Absent: c.absent.Load(), Compacted: c.compacted.Load(),
		EndsTold: c.endsTold.Load(), EndsDropped: c.endsDropped.Load(),
		TombsTold: c.tombsTold.Load(), TombsDropped: c.tombsDropped.Load(),
		Crowded: c.crowded.Load(), Conflicts: c.conflicts.Load(),
	}
	for db := range c.perDB {
		s.Sessions += c.perDB[db].Load()
	}
	return s
}

// StatsFull is how much of the memory limit is used, in percent; 0 without a limit.
func (t *Table) StatsFull() int {
	if t.cfg.MaxBytes <= 0 {
		return 0
	}
	return int(float64(t.counts.bytes.Load()) / float64(t.cfg.MaxBytes) * 100)
}

// Len is the number of db's sessions, those that expired since the last Sweep included.
func (t *Table) Len(db int) int {
	if db < 0 || db >= record.Databases {
		return 0
	}
	return int(t.counts.perDB[db].Load())
}

// Bytes is the memory that the table's entries are counted with.
func (t *Table) Bytes() int64 { return t.counts.bytes.Load() }
