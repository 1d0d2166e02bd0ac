package sim

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/sessioncast/sessioncast/internal/engine"
)

// Options are everything that a run depends on.
type Options struct {
	Seed     uint64
	MaxBytes int64  // of sessions, on each node; 0: no limit
	Faults   Faults // kinds that may happen
	Nodes    int
	Ops      int           // operations of the workload
	Chaos    time.Duration // of virtual time with faults and operations
	Keys     int           // how many session ids the operations share

	Ack          int           // acknowledgements that a write asks for
	MaxValue     int           // bytes
	Lifetime     time.Duration // absolute lifetime of sessions; 0: none
	Keep         time.Duration // of tombstones where there is no Lifetime; 0: 24 h
	LogoutHold   time.Duration
	Databases    int
	Interval     time.Duration // between faults of the nemesis
	Boot         bool          // let the cluster form before the faults begin
	Mix          mix
	Follow       float64 // that an operation has another on its heels
	Rules        linkRules
	LinkLoss     float64
	SlowRate     float64 // bytes per second of slow links
	NodeCost     time.Duration
	SocketBytes  int
	Payload      int
	StreamRate   float64 // bytes per second
	CorruptRate  float64 // datagrams, of those sent
	ReplayRate   float64
	ForgePerSec  float64
	StreamBreaks float64 // per chunk
	StreamBatch  int     // bytes
	SkewLimit    time.Duration
	Unicast      bool          // no node uses multicast; each is told the addresses of all
	MaxStroke    time.Duration // how long a partition, a pause or a node's absence lasts at most; 0: maxStroke
	Rolling      time.Duration // between the restarts of one node and the next, of all in turn; 0: none
	DonorDies    float64       // per chunk of a transfer
	DonorLeaves  float64       // likewise, by a goodbye
	Large        int           // one value in so many is large; 0: in twenty
	Fields       bool          // sessions are JSON objects, and written field by field as well
	Forgetful    bool          // nodes remember nothing of tombstones that they collected
	Situation    situation     // one of the rare ones; empty: none
	Told         bool          // nodes wait until the others have told what they have made
	StaysShut    bool          // where unicast fails, it goes on failing between two nodes after the healing
	StaysDeaf    bool          // where multicast fails, it goes on failing after the healing
	Modes        modes         // of the nodes; empty: all are in mode auto, or unicast
	Addresses    addresses     // that nodes of mixed modes are told
}

// maxSkew is the engines' limit; clocks stay within half of it, so that no two are further apart.
const maxSkew = 5 * time.Second

// mix is how often each operation is drawn, relative to the others.
type mix struct {
	create, update, upsert, touch, shorten, destroy, recreate, flush, read int
}

// Stream numbers of the dice: each purpose has its own, so that one does not disturb the other.
const (
	diceOptions = iota + 1
	diceNetwork
	diceNemesis
	diceWork
	diceSeeds
	diceForgery
	diceHeal
	diceKeep
	diceScale
	diceMemory
	diceReach
	diceDeaf
	diceRare
	diceDonor
	diceSituation
	diceSeparate
	diceShut
	diceForget
	diceShutAgain
	diceSurvivor
	diceSurvives
	diceFields
	diceModes
	diceTold
	diceToldWhen
	diceAddresses
	diceMeeting

	diceMode    = 2000 // and the node's number
	diceAddress = 3000 // and the node's number
)

func dice(seed, purpose uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, purpose)) }

// Draw draws a run from a seed. Faults outside of allowed do not happen; everything else stays as it is with them.
func Draw(seed uint64, allowed Faults) Options {
	d := dice(seed, diceOptions)
	o := Options{
		Seed:       seed,
		Nodes:      2 + min(d.IntN(8), d.IntN(8)),
		Keys:       pick(d, 1, 2, 4, 8, 16, 40),
		Ops:        pick(d, 30, 60, 120, 250),
		Chaos:      time.Duration(pick(d, 4, 8, 15, 30)) * time.Second,
		Ack:        pick(d, 0, 1, 1, 2),
		MaxValue:   pick(d, 16, 100, 1000, 5000),
		Lifetime:   time.Duration(pick(d, 0, 0, 20, 3600)) * time.Second,
		LogoutHold: time.Duration(pick(d, 0, 2, 60)) * time.Second,
		Databases:  pick(d, 1, 1, 2),
		Interval:   time.Duration(pick(d, 100, 500, 2000)) * time.Millisecond,
		Boot:       d.IntN(4) > 0,
	}
	for k := Faults(1); k < NoMulticast; k <<= 1 {
		if d.IntN(5) < 2 {
			o.Faults |= k
		}
	}
	if d.IntN(5) > 0 {
		o.Faults &^= LargeValues // costly, and few suffice
	}
	if o.Faults.Has(Replay) {
		o.Faults &^= FarClock // who holds back what a far clock said, and sends it again later, makes it one of most
	}
	o.Mix = drawMix(d)
	o.Follow = pick(d, 0, 0.2, 0.7)
	o.Rules = linkRules{
		delay:          time.Duration(pick(d, 50, 200, 1000, 20000)) * time.Microsecond,
		jitter:         time.Duration(pick(d, 10, 200, 2000, 30000)) * time.Microsecond,
		loss:           pick(d, 0.01, 0.05, 0.2, 0.5),
		duplicate:      pick(d, 0.02, 0.2),
		reorder:        pick(d, 0.02, 0.3),
		reorderBy:      time.Duration(pick(d, 5, 50, 1000, 4000)) * time.Millisecond,
		burst:          pick(d, 0.005, 0.05),
		burstPersist:   pick(d, 0.5, 0.9, 0.97),
		bandwidthBytes: 0,
		backlogBytes:   pick(d, 20e3, 500e3),
	}
	o.LinkLoss = pick(d, 0.2, 0.6, 0.95)
	o.SlowRate = pick(d, 5e3, 50e3, 1e6)
	o.NodeCost = time.Duration(pick(d, 100, 1000, 5000)) * time.Microsecond
	o.SocketBytes = pick(d, 3000, 20_000, 212_992)
	o.Payload = pick(d, 1232, 1300)
	o.StreamRate = pick(d, 2e4, 1e5, 1e9)
	o.CorruptRate = pick(d, 0.01, 0.1)
	o.ReplayRate = pick(d, 0.002, 0.02)
	o.ForgePerSec = pick(d, 1.0, 30)
	o.StreamBatch = pick(d, 1, 1000, 1<<20)
	o.StreamBreaks = pick(d, 0.05, 0.3)
	o.SkewLimit = time.Duration(pick(d, 20, 500, 2400)) * time.Millisecond
	o.drawScale(seed)
	o.drawLimits(seed)
	o.drawReach(seed)
	o.drawRare(seed)
	o.drawSituation(seed)
	o.Fields = dice(seed, diceFields).IntN(3) == 1
	o.Forgetful = o.Keep > 0 && dice(seed, diceForget).IntN(4) == 1
	o.drawSurvivor(seed)
	o.drawModes(seed)
	o.drawTold(seed)
	return o.Allow(allowed)
}

// drawLimits draws how much memory nodes have, and whether they keep tombstones for seconds.
func (o *Options) drawLimits(seed uint64) {
	if d := dice(seed, diceMemory); d.IntN(6) == 0 {
		o.MaxBytes = int64(pick(d, 1500, 5000, 20_000))
	}
	if d := dice(seed, diceKeep); o.Lifetime == 0 && d.IntN(3) == 0 {
		o.Keep = time.Duration(pick(d, 2, 4, 8)) * time.Second
		o.Chaos *= 2
	}
}

// drawReach draws where multicast, or unicast, does not pass, by dice of its own: other runs stay what they were.
func (o *Options) drawReach(seed uint64) {
	if r := dice(seed, diceReach); r.IntN(4) == 0 {
		o.Faults |= NoMulticast
		o.Unicast = r.IntN(3) == 0
		o.StaysDeaf = !o.Unicast && r.IntN(3) > 0
	}
	if s := dice(seed, diceShut); s.IntN(8) == 0 {
		o.Faults |= NoUnicast
		o.StaysShut = !o.Unicast && !o.StaysDeaf && s.IntN(3) > 0
	}
}

// drawScale makes a few runs large, and short, since they cost by the square of the nodes; and asks for other numbers of
// acknowledgements.
func (o *Options) drawScale(seed uint64) {
	d := dice(seed, diceScale)
	switch draw := d.IntN(600); {
	case draw == 0:
		o.Nodes = 33 + d.IntN(68)
	case draw < 10:
		o.Nodes = 10 + d.IntN(23)
	case d.IntN(6) == 0:
		o.Ack = pick(d, 3, engine.AckAll)
		return
	default:
		return
	}
	o.Chaos, o.Ops = min(o.Chaos, 4*time.Second), min(o.Ops, 60)
	o.Interval = max(o.Interval, 500*time.Millisecond)
}

func drawMix(d *rand.Rand) mix {
	w := func() int { return pick(d, 0, 1, 3, 10) }
	m := mix{
		create: 1 + w(), update: w(), upsert: 1 + w(), touch: w(), shorten: w(), destroy: 1 + w(), recreate: w(), read: w(),
	}
	if d.IntN(6) == 0 {
		m.flush = 1
	}
	return m
}

// pick draws one of values.
func pick[T any](d *rand.Rand, values ...T) T { return values[d.IntN(len(values))] }

// Allow forbids all other kinds of fault.
func (o Options) Allow(allowed Faults) Options {
	o.Faults &= allowed
	off := func(kind Faults, values ...*float64) {
		if !o.Faults.Has(kind) {
			for _, v := range values {
				*v = 0
			}
		}
	}
	off(Loss, &o.Rules.loss)
	off(Burst, &o.Rules.burst)
	off(LinkLoss, &o.LinkLoss)
	off(Duplicate, &o.Rules.duplicate)
	off(Reorder, &o.Rules.reorder)
	off(SlowLink, &o.SlowRate)
	off(Corrupt, &o.CorruptRate)
	off(Replay, &o.ReplayRate)
	off(Forge, &o.ForgePerSec)
	off(StreamBreak, &o.StreamBreaks)
	o.Unicast = o.Unicast && o.Faults.Has(NoMulticast)
	o.StaysDeaf = o.StaysDeaf && o.Faults.Has(NoMulticast)
	o.StaysShut = o.StaysShut && o.Faults.Has(NoUnicast)
	if o.Faults&(Skew|Jump) == 0 {
		o.SkewLimit = 0
	}
	if !o.Faults.Has(Crash) {
		o.DonorDies, o.Rolling = 0, 0
	}
	if !o.Faults.Has(Leaves) {
		o.DonorLeaves = 0
	}
	if !o.Faults.Has(SlowNode) {
		o.NodeCost = 0
	}
	if !o.Faults.Has(SmallBuffer) {
		o.SocketBytes = 8 << 20
	}
	if !o.Faults.Has(SmallPayload) {
		o.Payload = 0
	}
	return o
}

// Command is the one command that runs the same again.
func (o Options) Command() string {
	c := fmt.Sprintf("go test ./internal/sim -run 'TestSeed$' -v -sim.seed=%d", o.Seed)
	if all := Draw(o.Seed, AllFaults).Faults; all != o.Faults {
		c += " -sim.faults=" + o.Faults.String()
	}
	return c
}

func (o Options) String() string {
	return fmt.Sprintf("seed %d: %d nodes, %d operations on %d keys in %v, faults %v, ack %d, values to %d B, lifetime %v, keep %v, hold %v, skew %v, memory %d B, fields %v, forgetful %v, situation %q, modes %q, addresses %q, told %v",
		o.Seed, o.Nodes, o.Ops, o.Keys, o.Chaos, o.Faults, o.Ack, o.MaxValue, o.Lifetime, o.Keep, o.LogoutHold, o.SkewLimit, o.MaxBytes, o.Fields, o.Forgetful, o.Situation, o.Modes, o.Addresses, o.Told)
}
