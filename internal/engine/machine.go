// Package engine is the protocol: it decides what to send, to whom and when, and what to make of what arrives.
//
// A Machine is pure. It is given what happens by Step and the time with it; Poll says what to do; Deadline says when
// Poll wants to be called although nothing happens. It does no I/O, starts no goroutine, and draws its dice from a
// seed, so that a run can be repeated exactly. It is not safe for concurrent use: whoever shares one guards it. The table
// it works on is shared with all.
//
// The contract of who drives it: call Poll after every Step or batch of Steps, and when Deadline passes; send the
// frames in their order; carry out fetches and report them by Step.
//
// The exchanges are described in docs/PROTOCOL.md.
package engine

import (
	"errors"
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/sessioncast/sessioncast/internal/hlc"
	"github.com/sessioncast/sessioncast/internal/record"
	"github.com/sessioncast/sessioncast/internal/seal"
	"github.com/sessioncast/sessioncast/internal/table"
	"github.com/sessioncast/sessioncast/internal/wire"
)

// Machine is the protocol state of one node.
type Machine struct {
	cfg     Config
	self    record.Ref
	origins *record.Origins
	table   *table.Table
	clock   *hlc.Clock
	dice    *rand.Rand
	sealer  *seal.Sealer
	opener  *seal.Opener
	decoder wire.Decoder
	encoder *wire.Encoder

	addr  netip.AddrPort // zero: not told
	now   time.Time
	out   *Output
	count Counters

	known   []*origin  // by Ref
	runs    int        // entries in known
	last    record.Ref // the latest run that was let go; zero: none
	gapped  []*origin  // with dots to ask for
	full    shortage
	members members
	watches watches
	health  health
	admit   admission
	push    push
	frags   assemblies
	repair  repairs
	reach   reach
	calls   calls
	beat    heart
	join    join
	acks    acks
	lanes   lanes
	pace    pacer
	asides  asides
	leave   leaving
	giving  []giving
	owed    owed
	clone   clone
	control []controlFrame
	events  []Event

	parsed parsed
	elder  elder
}

// parsed holds the frames taken apart, to be reused.
type parsed struct {
	batch    wire.Batch
	fragment wire.Fragment
	nack     wire.Nack
	beat     wire.Heartbeat
	ack      wire.Ack
}

// New makes a Machine that starts to join when it is first polled.
func New(cfg Config) (*Machine, error) {
	switch {
	case cfg.Self.IsZero(), cfg.Origins == nil, cfg.Clock == nil, cfg.Table == nil, cfg.Keyring == nil:
		return nil, errors.New("engine: incomplete configuration")
	}
	if cfg.MaxPayload <= 0 || cfg.MaxPayload > wire.MaxPayload {
		cfg.MaxPayload = wire.MaxPayload
	}
	if cfg.MaxSkew <= 0 {
		cfg.MaxSkew = 5 * time.Second
	}
	if cfg.MaxRate <= 0 {
		cfg.MaxRate = defaultRate
	}
	m := &Machine{
		cfg:     cfg,
		self:    cfg.Origins.Intern(cfg.Self),
		origins: cfg.Origins,
		table:   cfg.Table,
		clock:   cfg.Clock,
		dice:    rand.New(rand.NewChaCha8(cfg.Seed)),
		sealer:  seal.NewSealer(cfg.Keyring, cfg.Self),
		opener:  seal.NewOpener(cfg.Keyring, cfg.Self),
		decoder: wire.Decoder{Origins: cfg.Origins},
	}
	m.encoder = wire.NewEncoder(cfg.Origins, m.self)
	m.push.builder = wire.NewBatchBuilder(cfg.Origins, m.self)
	m.repair.build = wire.NewBatchBuilder(cfg.Origins, m.self)
	m.members.byRef = make(map[record.Ref]*peer)
	m.admit.strangers = make(map[record.Origin]*stranger)
	m.admit.otherKeys = make(map[netip.Addr]time.Time)
	m.push.dirty = make(map[record.Key]*dirtyKey)
	m.frags.open = make(map[assemblyID]*assembly)
	m.join.state = wire.Joining
	m.pace.rate = float64(cfg.MaxRate)
	return m, nil
}

// Step takes in one thing that happened at now.
func (m *Machine) Step(now time.Time, in Input) {
	m.advance(now)
	switch in := in.(type) {
	case Datagram:
		m.takeDatagram(in)
	case Wrote:
		m.takeWrote()
	case Await:
		m.takeAwait(in)
	case FetchStarted:
		m.takeOffer(in)
	case FetchProgress:
		m.takeProgress(in)
	case FetchDone:
		m.takeFetchDone(in)
	case LinkChanged:
		m.join.helloNow(m.now)
		m.callAgain()
		m.beat.fullNow(m.now)
	case PayloadLimit:
		m.cfg.MaxPayload = min(max(in.Bytes, minPayload), wire.MaxPayload)
	case GiveStarted:
		m.startGive(in)
	case GiveEnded:
		m.endGive(in)
	case WatchBroken:
		m.takeBroken(in)
	case OwnAddress:
		m.addr = in.Addr
	case Seeds:
		m.takeSeeds(in)
	case Leave:
		m.startLeave()
	case NewIncarnation:
		m.takeIncarnation(in)
	}
}

// minPayload is the least datagram every IPv6 path takes (1280), less the IP and UDP headers.
const minPayload = 1280 - 48

// Poll fills out with what is to be done at now.
func (m *Machine) Poll(now time.Time, out *Output) {
	m.advance(now)
	out.reset()
	if m.clone.found { // not a frame more under an origin that another has as well
		m.handOutEvents(out)
		return
	}
	m.out = out
	m.takeRoads()
	m.pollMembers()
	m.pollWatches()
	m.pollJoin()
	m.pollCalls()
	m.pollStrangers()
	m.pollAssemblies()
	m.pollGaps()
	m.pollControl()
	m.pollAcks()
	m.pollLanes()
	m.pollPush()
	m.pollRepairs()
	m.pollAside()
	m.sendFragments()
	m.pollPace()
	m.pollHeart()
	m.pollReach()
	m.pollLeave()
	m.pollProof()
	m.issueFetch()
	m.table.SetPartial(m.join.state != wire.Synced || m.full.lacks())
	m.fanOut()
	m.handOutEvents(out)
	m.out = nil
}

func (m *Machine) handOutEvents(out *Output) {
	out.Events = append(out.Events, m.events...)
	m.events = m.events[:0]
}

func (out *Output) reset() {
	out.Frames, out.Fetches = out.Frames[:0], out.Fetches[:0]
	out.Acked, out.Events = out.Acked[:0], out.Events[:0]
	out.Watching = nil
	out.buffer, out.copied = out.buffer[:0], out.copied[:0]
}

// Deadline is when Poll must be called next, unless a Step comes first; zero for never.
func (m *Machine) Deadline() time.Time {
	var d deadline
	if m.clone.found {
		return d.at
	}
	d.add(m.members.next)
	d.add(m.watches.at)
	d.add(m.join.deadline())
	d.add(m.admit.next)
	d.add(m.frags.next)
	d.add(m.gapDeadline())
	d.add(m.acks.deadline())
	d.add(m.lanes.next)
	d.add(m.pushDeadline())
	d.add(m.repair.at)
	d.add(m.beat.deadline())
	d.add(m.reach.deadline())
	d.add(m.calls.next)
	d.add(m.pace.deadline())
	d.add(m.leave.at)
	d.add(m.clone.showAt)
	if len(m.control) > 0 || len(m.events) > 0 {
		d.add(m.now)
	}
	m.health.promise(d.at, m.now)
	return d.at
}

type deadline struct{ at time.Time }

func (d *deadline) add(t time.Time) {
	if !t.IsZero() && (d.at.IsZero() || t.Before(d.at)) {
		d.at = t
	}
}

// advance moves the machine's time; a clock that went back leaves it where it was.
func (m *Machine) advance(now time.Time) {
	if now.After(m.now) {
		m.watchHealth(now)
		m.now = now
	}
}

func (m *Machine) wall() int64 { return m.now.UnixMilli() }

// stamp is the clock's reading that goes with every frame.
func (m *Machine) stamp() hlc.Stamp { return m.clock.Read(m.wall()) }

func (m *Machine) due(t time.Time) bool { return !t.IsZero() && !m.now.Before(t) }

// jitter is a moment between lo and hi from now.
func (m *Machine) jitter(lo, hi time.Duration) time.Time {
	return m.now.Add(lo + time.Duration(m.dice.Int64N(int64(hi-lo)+1)))
}

func (m *Machine) event(e Event) {
	if len(m.events) >= maxEvents {
		m.count.EventsDropped++
		return
	}
	m.events = append(m.events, e)
}

// Counters are what was counted so far.
func (m *Machine) Counters() Counters { return m.count }

// State is this node's own. Who leaves before it was synced never says that it leaves: it would be taken for a donor.
func (m *Machine) State() wire.MemberState {
	if m.leave.started && m.join.state == wire.Synced {
		return wire.Leaving
	}
	return m.join.state
}
