package engine

import (
	"time"

	"github.com/sessioncast/sessioncast/internal/wire"
)

// heart sends heartbeats: small ones soon after data, so that a lost last frame is noticed, and a full one a second.
type heart struct {
	tailAt   time.Time
	tailWait time.Duration
	fullAt   time.Time
	againAt  time.Time // one more full heartbeat, for who doubts that this node lives
	sent     uint64    // multicast datagrams of this incarnation
	slices   vectorSlices
	heardAt  int // where the next slice of who is heard starts
	h        wire.Heartbeat
	cache    rootCache
}

// data notes that changes leave now.
func (h *heart) data(now time.Time) {
	h.tailWait = tailMin
	h.tailAt = now.Add(tailMin)
}

func (h *heart) fullNow(now time.Time) { h.fullAt = now }

func (h *heart) deadline() time.Time {
	var d deadline
	d.add(h.tailAt)
	d.add(h.fullAt)
	d.add(h.againAt)
	return d.at
}

func (m *Machine) pollHeart() {
	h := &m.beat
	if h.fullAt.IsZero() || m.due(h.fullAt) {
		h.fullAt = m.jitter(steady-steadyJitter, steady+steadyJitter)
		m.fullBeat()
		m.tryDeaf()
		m.pollSighted()
		m.pollOneWay()
		m.weighLanes()
		m.weighMemory()
		m.weighOwed()
		return
	}
	if m.due(h.againAt) {
		h.againAt = time.Time{}
		m.fullBeat()
	}
	if !m.due(h.tailAt) {
		return
	}
	h.tailAt = time.Time{}
	if h.tailWait *= 2; h.tailWait < steady {
		h.tailAt = m.now.Add(h.tailWait)
	}
	m.tailBeat()
}

// tailBeat tells the group how many dots there are.
func (m *Machine) tailBeat() {
	m.beatByRoads(&wire.Heartbeat{High: m.sent()})
}

// fullBeat tells the group all that this node knows of everyone, in slices when that exceeds a frame.
func (m *Machine) fullBeat() {
	h := m.composeBeat()
	vectors, heard := m.beatByRoads(h)
	m.beat.slices.sent(vectors)
	m.beat.heardAt = rotate(m.beat.heardAt, heard, len(h.Heard))
}

// rotate is where the next slice of n starts after one that began at from and held done.
func rotate(from, done, n int) int {
	if n == 0 || done >= n {
		return 0
	}
	return (from + done) % n
}

func (m *Machine) composeBeat() *wire.Heartbeat {
	all, dead := m.vectorHash()
	h := &m.beat.h
	made := m.table.Made()
	m.mark(m.origin(m.self), made, m.wall())
	epoch, root := m.epoch(), m.table.Root()
	if !m.abreast() {
		epoch = 0 // the root may be of more than the vectors
	}
	*h = wire.Heartbeat{
		High: m.sent(), Sent: m.beat.sent, Full: true,
		State: m.State(), Name: m.cfg.Name, WallMillis: m.wall(),
		Sessions: uint64(m.table.Stats().Sessions), Bytes: uint64(m.table.Bytes()), FullPct: m.fullness(),
		KeyIDs: m.cfg.Keyring.IDs(), Config: m.cfg.ConfigHash,
		Incomplete: m.lacksFirstHand(), VectorHash: all, DeadHash: dead, Epoch: epoch, Root: root, Made: made,
		Vectors: m.vectors(h.Vectors[:0], dead), Heard: m.heardList(h.Heard[:0]),
	}
	return h
}

// epoch is the last one whose expired keys are all collected, or 0 while the next is being collected.
func (m *Machine) epoch() uint64 {
	end, settled := m.table.Epoch()
	if !settled || end < 0 {
		return 0
	}
	return uint64(end)
}

func rotated[T any](list []T, from int) []T {
	if from <= 0 || from >= len(list) {
		return list
	}
	turned := append(list[from:len(list):len(list)], list[:from]...)
	return append(list[:0], turned...)
}

// deadDiffer reports whether a live peer's dead origins' sets differ from ours.
func (m *Machine) deadDiffer(dead uint64) bool {
	for _, p := range m.members.list {
		if p.live() && p.beats > 0 && p.deadHash != dead {
			return true
		}
	}
	return false
}

func (m *Machine) heardList(into []wire.Heard) []wire.Heard {
	for _, p := range m.members.list {
		// Of whom nothing arrives, by no road: it is told so by not being named.
		if p.live() && !m.deafTo(p) {
			into = append(into, m.heardOf(p))
		}
	}
	return rotated(into, m.beat.heardAt)
}

func (m *Machine) heardOf(p *peer) wire.Heard {
	return wire.Heard{
		Origin: p.ref, Multicast: m.hears(p),
		LossPct: uint8(min(p.multicasts.loss*200, 200)), Shut: p.lane.in && m.hears(p),
	}
}

func (m *Machine) takeHeartbeat(p *peer, body []byte) error {
	h := &m.parsed.beat
	t, err := m.decoder.Heartbeat(body, p.ref, h)
	if err != nil {
		return err
	}
	m.observe(p, t)
	overtaken := h.Sent < p.multicasts.lastSent // late, or held back by someone: what it says was true once
	m.noteSilence(p)
	m.reportLoss(p, p.multicasts.report(h.Sent))
	m.announce(m.origin(p.ref), h.High)
	if !h.Full || overtaken {
		return nil
	}
	p.beats++
	p.made.say(t, h.Made)
	m.tellDuplicate(p)
	p.name, p.sessions, p.bytes, p.fullPct = rename(p.name, h.Name), h.Sessions, h.Bytes, int(h.FullPct)
	p.deadHash, p.incomplete = h.DeadHash, h.Incomplete
	m.lackAs(p)
	m.judgeCrowd()
	m.readClock(p, h.WallMillis, true)
	m.setSaid(p, h.State)
	for i := range h.Vectors {
		m.takeVector(p, &h.Vectors[i])
	}
	m.takeHeard(p, h.Heard)
	m.mark(m.origin(p.ref), h.Made, t.Millis())
	m.meet(p, t)
	if h.Config != m.cfg.ConfigHash && !p.configTold {
		p.configTold = true
		m.event(Event{Kind: EventConfig, Member: m.describe(p), Addr: p.addr})
	}
	if h.Epoch != 0 { // else it says nothing of the table
		m.compare(p, h)
	}
	m.considerRejoin(p)
	return nil
}

// setSaid takes in the state a peer claims. Suspect and dead are for others to say.
func (m *Machine) setSaid(p *peer, s wire.MemberState) {
	if s != wire.Joining && s != wire.Synced && s != wire.Leaving {
		return
	}
	p.said = s
	if !p.introduced && p.state == s { // its first state, told now that its name is known
		m.tellState(p)
	}
	p.introduced = true
	if p.live() && p.state != wire.Suspect {
		m.setState(p, s)
	}
}

// takeVector notes what p holds of one origin: of ours it is a confirmation, of others it tells who can repair what.
func (m *Machine) takeVector(p *peer, v *wire.Vector) {
	if v.Origin == m.self {
		m.confirm(p, &wire.Ack{Set: v.Set}, false)
		return
	}
	set := v.Set.Clone()
	p.holds[v.Origin] = &set
	m.announce(m.origin(v.Origin), set.Max())
}

func (m *Machine) takeHeard(p *peer, list []wire.Heard) {
	m.noteNamed(p, list)
	for _, h := range list {
		switch {
		case h.Origin == m.self:
			m.takeHearing(p, h.Multicast)
			p.lossOfOurs, p.lossAt = float64(h.LossPct)/200, m.now
			if m.unreached(p) { // it has not lost what it cannot get
				p.lossOfOurs = 0
			}
			p.lane.out = h.Shut
		case m.members.byRef[h.Origin] == nil:
			m.askWho(p)
		}
	}
}

// abreast reports whether the dots held here are all that were given out to writers of this node, who work on the table while
// the machine does. Asked after the table's root was read, it tells whether that is of these dots and no others.
func (m *Machine) abreast() bool { return m.table.Made() == m.push.high }

// compare looks whether two tables that hold the same dots are the same, at the same epoch. What is in flight makes
// the dots differ, so a difference of the tables alone is a fault; it must show divergenceBeats times in a row. What a transfer
// brings is merged before its dots are held, and what waited in the sockets of a node that stood still tells of tables that were:
// meanwhile nothing is compared.
func (m *Machine) compare(p *peer, h *wire.Heartbeat) {
	all, _ := m.vectorHash()
	if m.join.fetch != nil || m.now.Before(m.health.backlog) || h.State != wire.Synced || m.join.state != wire.Synced || m.full.lacks() || h.VectorHash != all ||
		h.Epoch == 0 || h.Epoch != m.epoch() || h.Root == m.root(all) {
		p.mismatches = 0
		return
	}
	if !m.abreast() { // the difference may be a write of this moment
		return
	}
	if p.mismatches++; p.mismatches < divergenceBeats {
		return
	}
	p.mismatches = 0
	m.count.Divergences++
	m.event(Event{Kind: EventDivergence, Member: m.describe(p), Addr: p.addr})
	m.pullFrom(p)
}

// rootCache holds the table's root while nothing is likely to have changed it: reading it costs a look at every bucket, and a
// hundred peers ask for it once a second each.
type rootCache struct {
	root, vectors, epoch uint64
	until                time.Time
}

const rootKeeps = 100 * time.Millisecond

// root is the table's, as of the time when it held the dots that vectors is the hash of.
func (m *Machine) root(vectors uint64) uint64 {
	c := &m.beat.cache
	if c.vectors != vectors || c.epoch != m.epoch() || !m.now.Before(c.until) {
		*c = rootCache{m.table.Root(), vectors, m.epoch(), m.now.Add(rootKeeps)}
	}
	return c.root
}
