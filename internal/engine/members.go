package engine

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/sessioncast/sessioncast/internal/dots"
	"github.com/sessioncast/sessioncast/internal/hlc"
	"github.com/sessioncast/sessioncast/internal/record"
	"github.com/sessioncast/sessioncast/internal/wire"
)

// members is who has proved to be there. There are no agreed views and nothing that is correct depends on this list:
// it serves the choice of donors and holders, the counting of acknowledgements and the operator.
type members struct {
	list  []*peer // in the order of admission
	byRef map[record.Ref]*peer
	next  time.Time

	relays  []relay   // oldest first
	refuted time.Time // when this node last showed that it is alive
}

// peer is one incarnation of another node.
type peer struct {
	ref    record.Ref
	origin record.Origin
	name   string
	addr   netip.AddrPort   // of its unicast socket, from where it sends everything
	state  wire.MemberState // as seen from here
	said   wire.MemberState // as it says itself

	heard          time.Time
	heardMulticast time.Time
	onRoad         time.Time // when last something for the group came from it, by whatever road
	direct         time.Time // heard by ourselves
	viaOthers      bool      // alive, as others tell, and not heard by ourselves
	suspectedAt    time.Time
	probeAt        time.Time
	probes         int
	probeNonce     uint64
	greetAt        time.Time // zero: no greeting owed
	outlived       bool      // dead for so long that its details are gone
	introduced     bool      // said its name and state
	made           made      // as its last full heartbeat said
	killed         bool      // its connection ended and it answers no probe
	left           bool      // said goodbye: this incarnation does not come back
	backAt         time.Time // heard after a newer incarnation had taken its place; zero: not
	duplicateTold  bool
	aheadTold      bool
	stamped        int64 // latest time of its hybrid clock, Unix milliseconds
	configTold     bool
	hearsUs        bool
	doubt          doubt
	trip           trip // of probes while it was doubted
	road           road
	helloAt        time.Time // when it may be greeted again
	namedAt        time.Time // when it last said that it hears us; at first, when it came
	missedAt       time.Time // when it last said, or showed, the opposite
	unheardTold    bool
	lane           lane

	strange bool      // it has not said that it holds every old dot that we hold
	metAt   hlc.Stamp // when it first said so

	mine     dots.Set // which of our dots it holds
	confirms uint64   // all of ours from 1 to here
	holds    map[record.Ref]*dots.Set
	ack      ackRecord

	beats      uint64 // full heartbeats taken in
	deadHash   uint64
	mismatches int

	multicasts lossMeter
	lossOfOurs float64 // share of our multicast datagrams that it says it lost
	lossAt     time.Time
	fragmentAt time.Time // its last fragment of whatever came here
	reported   time.Time // when it was told what we lost of its own
	aside      aside
	offset     offsetMeter
	sessions   uint64
	bytes      uint64
	fullPct    int
	incomplete bool // it lacks what a donor took with it
}

// isLive reports whether the origin is a member that is not known to be dead.
func (m *Machine) isLive(ref record.Ref) bool {
	p := m.members.byRef[ref]
	return p != nil && p.live()
}

func (p *peer) live() bool { return p.state != wire.Dead }

// roomy reports whether the peer has room for all, as far as it said.
func (p *peer) roomy() bool { return p.fullPct < relievedPercent }

// synced reports whether the peer's confirmation of a write counts.
func (p *peer) synced() bool { return p.state == wire.Synced }

// newPeer admits an origin. An older incarnation of the same node is dead by that, unless it speaks again.
func (m *Machine) newPeer(o record.Origin, addr netip.AddrPort) *peer {
	ref := m.origins.Intern(o)
	if p := m.members.byRef[ref]; p != nil {
		p.addr = addr
		m.markHeard(p)
		return p
	}
	p := &peer{
		ref: ref, origin: o, addr: addr, state: wire.Joining, said: wire.Joining, heard: m.now, direct: m.now, strange: true,
		namedAt: m.now, lane: lane{heard: m.now}, holds: make(map[record.Ref]*dots.Set),
	}
	for _, old := range m.members.list {
		if old.origin.Node == o.Node && old.live() {
			m.setState(old, wire.Dead)
		}
	}
	m.members.list = append(m.members.list, p)
	m.members.byRef[ref] = p
	if o.Node == m.cfg.Self.Node { // it has just proved to be alive, and so are we
		p.name, p.duplicateTold = m.cfg.Name, true // a node's id comes from its name
		m.alarmDuplicate(p, netip.AddrPort{})
	}
	m.origin(ref)
	m.meetRoad(p)
	m.wakeMembers()
	m.watchSoon(watchSettle)
	return p
}

// makeRoom forgets, before another run of node is admitted, its runs but the last, and where the list is full who has been
// dead for longest. What is known of their dots stays.
func (m *Machine) makeRoom(node record.NodeID) {
	var last *peer
	for _, p := range slices.Clone(m.members.list) {
		if p.origin.Node != node || p.live() {
			continue
		}
		if last != nil {
			m.forget(last)
		}
		last = p
	}
	if len(m.members.list) >= maxPeers {
		m.count.MembersForgotten++
		m.forget(slices.MinFunc(m.members.list, func(a, b *peer) int {
			if a.live() != b.live() {
				if b.live() {
					return -1
				}
				return 1
			}
			return a.heard.Compare(b.heard)
		}))
	}
}

func (m *Machine) forget(p *peer) {
	m.members.list = slices.DeleteFunc(m.members.list, func(q *peer) bool { return q == p })
	delete(m.members.byRef, p.ref)
	m.opener.Forget(p.origin)
	m.table.ForgetLog(p.ref)
}

// hear notes that p sent something.
func (m *Machine) hear(p *peer, in Datagram, h *wire.Header) {
	if in.From.IsValid() && p.addr != in.From {
		p.addr = in.From
		m.watchSoon(watchSettle)
	}
	p.direct = m.now
	if p.viaOthers {
		p.viaOthers = false
		m.watchSoon(watchSettle)
		m.event(Event{Kind: EventHeard, Member: m.describe(p), State: p.state, Addr: p.addr})
	}
	m.heardWhileDoubted(p)
	if in.Multicast {
		p.heardMulticast = m.now
	} else {
		m.heardByUnicast(p)
	}
	if !h.Addressed && h.Type != wire.TypeHello {
		m.heardOnRoad(p)
		m.noteRoad(p, in.Multicast)
	}
	m.markHeard(p)
}

func (m *Machine) markHeard(p *peer) {
	returned := p.killed && m.now.Sub(p.doubt.ended) < backlogFor
	p.heard, p.outlived, p.killed = m.now, false, false
	if p.left {
		return
	}
	if p.state != wire.Suspect && p.state != wire.Dead {
		return
	}
	if p.state == wire.Dead {
		m.noteDuplicate(p)
	}
	p.probes = 0
	m.setState(p, p.said)
	if returned { // its connection ended and it did not answer: this may have waited in a socket
		p.trip.proveLonger(m.now)
		m.doubtPeer(p, true)
	}
	m.scheduleGreet(p)
	m.wakeMembers()
}

// noteDuplicate notes that an incarnation believed dead since a newer one of its node appeared may be alive after all. What it
// sent before it died may have waited in a socket.
func (m *Machine) noteDuplicate(p *peer) {
	if m.twin(p) != nil {
		p.backAt = m.now
	}
}

// tellDuplicate is called with every heartbeat of p.
func (m *Machine) tellDuplicate(p *peer) {
	if p.backAt.IsZero() || m.now.Sub(p.backAt) < backlogFor {
		return
	}
	p.backAt = time.Time{}
	if q := m.twin(p); q != nil && !p.duplicateTold {
		p.duplicateTold = true
		m.alarmDuplicate(p, q.addr)
	}
}

// alarmDuplicate names both, since an operator has to find both.
func (m *Machine) alarmDuplicate(p *peer, other netip.AddrPort) {
	m.event(Event{Kind: EventDuplicate, Member: m.describe(p), Addr: p.addr, Other: other})
}

// twin is another incarnation of p's node that lives; nil: there is none.
func (m *Machine) twin(p *peer) *peer {
	i := slices.IndexFunc(m.members.list, func(q *peer) bool {
		return q != p && q.origin.Node == p.origin.Node && q.live()
	})
	if i < 0 {
		return nil
	}
	return m.members.list[i]
}

func (m *Machine) setState(p *peer, s wire.MemberState) {
	if p.state == s {
		return
	}
	was := p.state
	p.state = s
	if s == wire.Dead {
		p.doubt.end(m.now)
		m.watchSoon(0)
	} else if was == wire.Dead {
		m.watchSoon(watchSettle)
	}
	if !p.viaOthers || s == wire.Dead { // else it would be told every few seconds
		m.tellState(p)
	}
	m.acks.recheck = true // whose confirmation counts has changed
	if s == wire.Synced {
		m.join.donorCame()
	}
	if s == wire.Dead && !p.left {
		m.callLater(p.addr, m.now.Add(keepDead))
	}
}

func (m *Machine) tellState(p *peer) {
	m.event(Event{Kind: EventMember, Member: m.describe(p), State: p.state, Addr: p.addr})
}

func (m *Machine) wakeMembers() { m.members.next, m.reach.next = m.now, m.now }

// pollMembers suspects the silent, probes the suspects and buries the dead.
func (m *Machine) pollMembers() {
	if !m.due(m.members.next) {
		return
	}
	var next deadline
	for _, p := range m.members.list {
		if !p.live() {
			m.outlive(p)
			continue
		}
		if m.due(p.greetAt) {
			m.greet(p)
		}
		next.add(p.greetAt)
		next.add(m.examine(p))
		next.add(m.watch(p))
	}
	m.members.next = next.at
}

// outlive lets go of what only a dead peer's soon return would need.
func (m *Machine) outlive(p *peer) {
	if !p.outlived && m.now.Sub(p.heard) > keepDead {
		p.outlived = true
		p.mine, p.confirms = dots.Set{}, 0
		clear(p.holds)
		m.table.ForgetLog(p.ref)
	}
}

// watch returns when p must be looked at again.
func (m *Machine) watch(p *peer) time.Time {
	if p.state != wire.Suspect {
		if silent := p.heard.Add(m.health.stretch(silentAfter)); m.now.Before(silent) {
			return silent
		}
		p.suspectedAt, p.probeAt, p.probes = m.now, m.now, 0
		m.setState(p, wire.Suspect)
	}
	if dead := p.suspectedAt.Add(m.health.stretch(deadAfter)); !m.now.Before(dead) {
		m.setState(p, wire.Dead)
		return time.Time{}
	}
	if m.due(p.probeAt) {
		m.probe(p)
	}
	return p.probeAt
}

// probe asks a suspect twice directly, then through others.
func (m *Machine) probe(p *peer) {
	p.probes++
	p.probeAt = m.now.Add(m.health.stretch(probeInterval))
	nonce := m.dice.Uint64()
	p.probeNonce = nonce
	m.send(wire.TypeProbe, p.dest(), m.encoder.AppendProbe(nil, m.stamp(), &wire.Probe{Nonce: nonce}))
	if p.probes == 2 {
		m.askHelpers(p, nonce)
	}
}

// askHelpers has others probe p.
func (m *Machine) askHelpers(p *peer, nonce uint64) {
	asked := 0
	for _, q := range m.members.list {
		if q != p && (q.state == wire.Synced || q.state == wire.Joining) && asked < probeHelpers {
			asked++
			m.send(wire.TypeProbeReq, q.dest(), m.encoder.AppendProbeReq(nil, m.stamp(),
				&wire.ProbeReq{Target: p.ref, Nonce: nonce}))
		}
	}
}

func (m *Machine) takeProbe(p *peer, body []byte) error {
	var probe wire.Probe
	if _, err := m.decoder.Probe(body, p.ref, &probe); err != nil {
		return err
	}
	m.queue(wire.TypeProbeAck, p.dest(), m.encoder.AppendProbe(nil, m.stamp(), &probe))
	m.refute()
	return nil
}

// takeProbeAck needs nothing of a direct answer: hearing the peer was it. One passed on by a helper says that the suspect
// lives although we do not hear it; one to a probe we made for another is passed on to that.
func (m *Machine) takeProbeAck(p *peer, body []byte) error {
	var probe wire.Probe
	if _, err := m.decoder.Probe(body, p.ref, &probe); err != nil {
		return err
	}
	p.trip.note(m.now, probe.Nonce)
	m.answeredDoubt(p, probe.Nonce)
	for _, q := range m.members.list {
		if q != p {
			m.takeAnswerOf(q, probe.Nonce)
		}
	}
	for i, r := range m.members.relays {
		if r.target == p && r.nonce == probe.Nonce {
			m.members.relays = slices.Delete(m.members.relays, i, i+1)
			m.queue(wire.TypeProbeAck, r.asker.dest(), m.encoder.AppendProbe(nil, m.stamp(), &probe))
			break
		}
	}
	return nil
}

// takeAnswerOf notes that q answered the probe of that nonce through a helper.
func (m *Machine) takeAnswerOf(q *peer, nonce uint64) {
	m.answeredDoubt(q, nonce)
	if q.state != wire.Suspect || q.probeNonce != nonce {
		return
	}
	if !q.viaOthers {
		q.viaOthers = true
		m.watchSoon(0)
		m.event(Event{Kind: EventUnheard, Member: m.describe(q), State: q.said, Addr: q.addr})
	}
	m.markHeard(q)
}

// relay is a probe made for another node.
type relay struct {
	asker, target *peer
	nonce         uint64
}

// takeProbeReq probes the target for p.
func (m *Machine) takeProbeReq(p *peer, body []byte) error {
	var req wire.ProbeReq
	if _, err := m.decoder.ProbeReq(body, p.ref, &req); err != nil {
		return err
	}
	target := m.members.byRef[req.Target]
	if target == nil {
		return nil
	}
	if len(m.members.relays) >= maxRelays { // the oldest was not answered
		m.count.RelaysDropped++
		m.members.relays = slices.Delete(m.members.relays, 0, 1)
	}
	m.members.relays = append(m.members.relays, relay{asker: p, target: target, nonce: req.Nonce})
	m.queue(wire.TypeProbe, target.dest(), m.encoder.AppendProbe(nil, m.stamp(), &wire.Probe{Nonce: req.Nonce}))
	return nil
}

// Peers is how many live synced peers there are.
func (m *Machine) Peers() int {
	n := 0
	for _, p := range m.members.list {
		if p.synced() {
			n++
		}
	}
	return n
}

// Members lists this node, then the others in the order they were admitted.
func (m *Machine) Members(now time.Time) []Member {
	m.advance(now)
	list := []Member{{
		Origin: m.cfg.Self, Name: m.cfg.Name, State: m.State(), Self: true, HearsUs: true,
		Late: m.health.lateness(m.now), Stretch: 1 + m.health.score,
		Sessions: uint64(m.table.Stats().Sessions), Bytes: uint64(m.table.Bytes()), FullPct: m.table.StatsFull(),
		Lacking: m.full.lacks(), Incomplete: !m.owed.since.IsZero(),
	}}
	for _, p := range m.members.list {
		list = append(list, m.describe(p))
	}
	return list
}

// anyUntold reports whether a member that is heard has not told its state yet.
func (m *members) anyUntold() bool {
	return slices.ContainsFunc(m.list, func(p *peer) bool { return !p.introduced && p.live() && p.state != wire.Suspect })
}

// justHeard reports whether a member that could give what it has was heard lately, though its process is taken for dead: a burst of loss
// takes all probes of a doubt. So may one that has not said its state yet.
func (m *Machine) justHeard() bool {
	return slices.ContainsFunc(m.members.list, func(p *peer) bool {
		return p.killed && !p.left && (p.said != wire.Joining || !p.introduced) && m.now.Sub(p.heard) < silentAfter && m.twin(p) == nil
	})
}

func (m *Machine) describe(p *peer) Member {
	d := Member{
		Origin: p.origin, Name: p.name, Addr: p.addr, State: p.state,
		Silence: m.now.Sub(p.direct), ViaOthers: p.viaOthers,
		Multicast: m.hearsMulticast(p), Lag: m.push.high - min(p.confirms, m.push.high),
		Loss: p.multicasts.loss, RTT: p.ack.rtt, HearsUs: p.hearsUs, Copies: m.copied(p),
		Copied: !p.road.copied.IsZero() && m.now.Sub(p.road.copied) < silentAfter, Unreached: p.road.told,
		Sessions: p.sessions, Bytes: p.bytes, FullPct: p.fullPct, Lacking: p.lacks(), Incomplete: p.incomplete, Giving: m.join.gives(p), Left: p.left, Killed: p.killed, Deaf: m.deaf(p), Aside: p.aside.is,
		Unheard: m.hearsNothing(p), ShutIn: p.lane.in, ShutOut: p.lane.out,
	}
	d.Offset, d.OffsetAge = p.offset.read(m.now)
	d.ClockTold, d.Stood = p.offset.told, p.offset.stood
	if p.lane.now != (laneState{}) {
		d.Shut = m.now.Sub(p.lane.since)
	}
	d.Stamps = max(d.Offset, time.Duration(p.stamped-m.wall())*time.Millisecond)
	if o := m.lookup(p.ref); o != nil {
		d.Lacks = o.missing()
	}
	return d
}

// rename is name in memory of its own: parsed names are parts of the frame.
func rename(old, name string) string {
	if old == name {
		return old
	}
	return strings.Clone(name)
}
