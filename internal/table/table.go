// Package table holds every session of a node in memory: 4096 buckets, each with its own lock.
//
// A Table owns all states, the logs of dots and the fingerprints. Everything is safe to call from any goroutine;
// nothing blocks on the network or the disk, and nothing reads the machine's clock: `now` is wall time in Unix
// milliseconds, handed in. The cluster's time is the later of now and the reading of the Clock, within the allowed skew;
// expiry goes by it.
//
// A bucket's lock guards its entries. Under it one other lock may be taken, of its arena or of a shard of the index of owners, and nothing under
// those: no two buckets are locked at once, and who holds either of the others locks nothing. Each log has its own lock, taken after the
// bucket's is released; watchers are sent to without blocking.
package table

import (
	"encoding/binary"
	"fmt"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/dchest/siphash"

	"github.com/sessioncast/sessioncast/internal/hlc"
	"github.com/sessioncast/sessioncast/internal/record"
)

// Buckets is the number of buckets; a key's is the top 12 bits of its hash.
const Buckets = 1 << bucketBits

const (
	bucketBits     = 12
	keySpaces      = 2 * record.Databases // and a floor's for each
	defaultMaxSkew = 5 * time.Second
)

// Config says what a Table is for. Zero fields take the defaults named beside them.
type Config struct {
	Self     record.Origin
	Origins  *record.Origins // required; shared with whoever merges into the table
	Clock    *hlc.Clock      // required
	Secret   [16]byte        // of the cluster: keys the hash that orders and fingerprints keys
	MaxBytes int64           // limit of the memory counted by Bytes; 0: none
	MaxValue int             // bytes of a value; 0: record.MaxValue
	MaxSkew  time.Duration   // how far apart clocks may be; 0: 5 s
	Lifetime time.Duration   // absolute lifetime of a session; 0: none
	Keep     time.Duration   // of tombstones, where there is no Lifetime; 0: 24 h. Alike in the whole cluster
	Hold     time.Duration   // how long upserts of a session just logged out are refused; 0: off

	Forgetful bool // nothing is left of collected tombstones, as where their memory is short; for tests

	OnWrite func() // called after each local change got its dot, outside all locks; must not block
}

// Table is all records of one node. Make it with New.
type Table struct {
	buckets [Buckets]bucket // first, so that each starts a cache line

	arenas    [arenaSize]arena
	stock     stock
	owners    [ownerShards]ownerShard
	ends      [Buckets]ends      // each under its bucket's lock
	collected [Buckets]collected // likewise

	cfg     Config
	me      atomic.Uint32 // record.Ref of this run
	secrets [keySpaces][2]uint64
	tagging [2]uint64

	floors     [record.Databases]atomic.Uint64 // hlc.Stamp; births up to it are dead
	seq        atomic.Uint64                   // last own dot taken
	skewMS     atomic.Int64                    // measured, added before hiding
	epoch      atomic.Int64                    // nothing due up to here is inserted any more
	quarantine atomic.Pointer[error]           // why this node's clock keeps it from writing; nil: it does not
	lateMS     atomic.Int64                    // added to when epochs end
	offMS      atomic.Int64                    // how far this node's clock is ahead of the time that is believed
	closed     atomic.Bool
	crowded    atomic.Bool // most members are nearly full
	partial    atomic.Bool // others hold sessions that are not here

	own     ownLog
	remote  remoteLogs
	counts  counts
	unknown limiter
	sweeper sweeper

	renewals renewals
	watch    watchers
}

// New makes an empty table.
func New(cfg Config) *Table {
	if cfg.MaxValue <= 0 {
		cfg.MaxValue = record.MaxValue
	}
	if cfg.MaxSkew <= 0 {
		cfg.MaxSkew = defaultMaxSkew
	}
	t := &Table{cfg: cfg, stock: make(stock, stockPages)}
	for i := range t.arenas {
		t.arenas[i].stock = t.stock
	}
	t.TakeIncarnation(cfg.Self)
	t.deriveSecrets(cfg.Secret)
	for i := range t.buckets {
		t.buckets[i].next.Store(never)
	}
	return t
}

// TakeIncarnation makes what is changed from now on the changes of another run. The numbers of own dots go on, and the log
// stays: every own dot up to now is the new run's as well, and names the same key. Of a change under way at this moment
// the dot is the new run's and the stamp may be the old one's.
func (t *Table) TakeIncarnation(self record.Origin) { t.me.Store(uint32(t.cfg.Origins.Intern(self))) }

// self is this run of the node.
func (t *Table) self() record.Ref { return record.Ref(t.me.Load()) }

// hash places a key: bucket, order in scans and snapshots, fingerprint. It is the same on every node of the cluster,
// and nobody without the secret can choose names that meet. Each database has a key of its own, so that the name is
// hashed where it lies.
func (t *Table) hash(k record.Key) uint64 {
	s := &t.secrets[k.DB%keySpaces]
	return sipHash(s[0], s[1], unsafe.Slice(unsafe.StringData(k.Name), len(k.Name)))
}

// deriveSecrets makes the hash keys of all databases and floors from the cluster's secret.
func (t *Table) deriveSecrets(secret [16]byte) {
	k0, k1 := binary.LittleEndian.Uint64(secret[:8]), binary.LittleEndian.Uint64(secret[8:])
	for db := range t.secrets {
		t.secrets[db][0], t.secrets[db][1] = siphash.Hash128(k0, k1, []byte{byte(db)})
	}
	t.tagging[0], t.tagging[1] = siphash.Hash128(k0, k1, []byte("tag"))
}

// Tag is what a session is called where its id, which lets its bearer in, must not be shown: eight hexadecimal digits, the same on all nodes, from
// which the id cannot be found.
func (t *Table) Tag(k record.Key) string {
	var db [1]byte
	db[0] = k.DB
	return fmt.Sprintf("%08x", uint32(siphash.Hash(t.tagging[0], t.tagging[1], append(db[:], k.Name...))))
}

func (t *Table) bucket(hash uint64) *bucket { return &t.buckets[hash>>(64-bucketBits)] }

// clusterTime is the later of the wall clock and the hybrid clock, in Unix milliseconds; never more than the allowed skew
// later than the wall clock. Peers cannot move the hybrid clock further: where it is, this node's own wall clock was ahead
// and came back. The hybrid clock cannot, and for an hour all sessions of the next hour would look expired.
func (t *Table) clusterTime(now int64) int64 {
	return min(t.cfg.Clock.Read(now).Millis(), now+t.cfg.MaxSkew.Milliseconds())
}

// skewAt is how much later than promised sessions are hidden, at wall time now and cluster time at: the measured skew,
// and at least what the hybrid clock is ahead by. A peer whose clock is fast moves the hybrid clock with its first frame,
// before its skew is measured, and that stays ahead for a while when the peer is gone and its skew no longer counts.
func (t *Table) skewAt(now, at int64) int64 { return max(t.skewMS.Load(), at-now) }

func (t *Table) floor(db uint8) hlc.Stamp {
	if db >= record.Databases {
		return 0
	}
	return hlc.Stamp(t.floors[db].Load())
}

// Time is the cluster's time at the wall time now, both in Unix milliseconds: what a lifetime counts from. It is later
// than now where this node's clock is behind, and earlier where it is known to be wrong.
func (t *Table) Time(now int64) int64 { return t.clusterTime(t.believed(now)) }

// SetSkew sets the measured skew between the nodes' clocks: sessions are hidden that much later. It counts up to the
// configured maximum.
func (t *Table) SetSkew(d time.Duration) {
	t.skewMS.Store(min(max(d, 0), t.cfg.MaxSkew).Milliseconds())
}

// SetQuarantine has writes, not destroys, be refused with this error, an ErrClock, from now on; nil: no more.
func (t *Table) SetQuarantine(why error) {
	switch was := t.quarantine.Load(); {
	case why == nil:
		t.quarantine.Store(nil)
	case was == nil || *was != why:
		t.quarantine.Store(&why)
	}
}

// Quarantine is what writes are refused with because of this node's clock; nil: nothing.
func (t *Table) Quarantine() error {
	if why := t.quarantine.Load(); why != nil {
		return *why
	}
	return nil
}

// SetOff says how far this node's clock is ahead of the time that is believed, behind where negative: from now on every
// wall time that is handed in counts for so much less.
func (t *Table) SetOff(d time.Duration) { t.offMS.Store(d.Milliseconds()) }

// SetLate has epochs end so much later than the believed time says, which may be wrong.
func (t *Table) SetLate(d time.Duration) { t.lateMS.Store(d.Milliseconds()) }

// believed is the wall time without the error that this node's clock is known to have.
func (t *Table) believed(wall int64) int64 { return wall - t.offMS.Load() }

// StopWrites refuses every local change from now on, and returns the last dot that was given out. Dots that are still
// being logged show in OwnHigh a moment later.
func (t *Table) StopWrites() (last uint64) {
	t.closed.Store(true)
	t.barrier()
	return t.seq.Load()
}

// barrier returns when every operation that held a bucket's lock before is through.
func (t *Table) barrier() {
	for i := range t.buckets {
		t.buckets[i].mu.Lock()
		//lint:ignore SA2001 waiting is the point
		t.buckets[i].mu.Unlock()
	}
}
