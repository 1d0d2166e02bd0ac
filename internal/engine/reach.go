package engine

import (
	"time"

	"github.com/sessioncast/sessioncast/internal/wire"
)

// Mode says by which roads a Machine reaches the group.
type Mode uint8

// The modes. All nodes of a cluster should have one; they understand each other where they have not.
const (
	ModeAuto      Mode = iota // by multicast, and by a unicast copy whoever that does not reach
	ModeUnicast               // by a unicast copy each
	ModeMulticast             // by multicast alone
)

// reach keeps who gets what goes to the group by a unicast copy (PROTOCOL.md, "Copies"). What a node sends goes to the
// group first; whoever hears nothing of it says so, by unicast; it gets copies from that moment on, and some quick
// heartbeats by multicast, to see whether that was chance.
type reach struct {
	to      []*peer // who gets copies during this Poll
	next    time.Time
	brisk   int // quick heartbeats left to send
	briskAt time.Time
}

// road is what a peer has of its own in reach.
type road struct {
	deafAt     time.Time // from then on its multicast counts as not arriving here, unless some arrives
	copied     time.Time // when last something for the group came from it by unicast
	complainAt time.Time // when to tell it again that its multicast does not arrive

	copies  bool      // it gets ours
	told    bool      // and that was more than chance
	answer  bool      // it is owed a heartbeat by unicast, having just said that
	unheard time.Time // since when it says, without a break, that our multicast does not arrive there
	hears   time.Time // the opposite
}

// hears reports whether p's multicast arrives here.
func (m *Machine) hears(p *peer) bool { return m.now.Before(p.road.deafAt) }

// copied reports whether p gets copies.
func (m *Machine) copied(p *peer) bool {
	return p.live() && (m.cfg.Mode == ModeUnicast || p.road.copies && m.cfg.Mode == ModeAuto)
}

// unreached reports whether p says that it does not hear the group, and gets no copies either, since this node sends by multicast
// alone. It gets heartbeats by unicast, asks for what it lacks, and is answered by unicast. (Else what this node writes stays here alone.)
func (m *Machine) unreached(p *peer) bool {
	return m.cfg.Mode == ModeMulticast && p.live() && !p.road.unheard.IsZero()
}

// takeRoads decides who gets copies of what leaves by this Poll.
func (m *Machine) takeRoads() {
	m.reach.to = m.reach.to[:0]
	for _, p := range m.members.list {
		if m.copied(p) {
			m.reach.to = append(m.reach.to, p)
		}
	}
}

// noteRoad notes how something for the group arrived.
func (m *Machine) noteRoad(p *peer, multicast bool) {
	r := &p.road
	if multicast {
		r.deafAt = m.now.Add(deafAfter)
		return
	}
	if m.now.Sub(r.copied) > silentAfter && !m.hears(p) {
		p.multicasts = lossMeter{} // what was lost by the other road says nothing of this one
	}
	r.copied = m.now
}

// meetRoad gives a newcomer's multicast a moment to arrive, and sends it some of ours. In mode unicast none ever arrives: the newcomer is told so by
// the first heartbeat, since it may use multicast.
func (m *Machine) meetRoad(p *peer) {
	p.road = road{}
	if m.cfg.Mode != ModeUnicast {
		p.road.deafAt = m.now.Add(newcomerGrace)
	}
	m.beBrisk(newcomerBeats)
}

// takeHearing takes in whether p hears our multicast.
func (m *Machine) takeHearing(p *peer, yes bool) {
	p.hearsUs = yes
	if m.cfg.Mode == ModeUnicast {
		return
	}
	r := &p.road
	if yes {
		m.takeHears(p, r)
		return
	}
	r.hears = time.Time{}
	if r.unheard.IsZero() {
		r.unheard, r.answer, m.reach.next = m.now, true, m.now
		m.beBrisk(briskBeats)
	}
	if m.cfg.Mode == ModeMulticast {
		return
	}
	r.copies = true
	if !r.told && m.now.Sub(r.unheard) >= deafSure {
		r.told = true
		m.event(Event{Kind: EventCopies, Member: m.describe(p), Addr: p.addr})
	}
}

func (m *Machine) takeHears(p *peer, r *road) {
	r.unheard = time.Time{}
	if r.hears.IsZero() {
		r.hears = m.now
	}
	if !r.told {
		r.copies = false
		return
	}
	if m.now.Sub(r.hears) >= copiesLinger {
		r.copies, r.told = false, false
		m.event(Event{Kind: EventNoCopies, Member: m.describe(p), Addr: p.addr})
	}
}

func (m *Machine) beBrisk(beats int) {
	if m.cfg.Mode != ModeAuto {
		return
	}
	if m.reach.brisk == 0 {
		m.reach.briskAt = m.now
	}
	m.reach.brisk = max(m.reach.brisk, beats)
}

func (r *reach) deadline() time.Time {
	var d deadline
	d.add(r.next)
	if r.brisk > 0 {
		d.add(r.briskAt)
	}
	return d.at
}

// pollReach sends the quick heartbeats, and tells by unicast whoever is not heard by multicast any more. That also
// keeps two nodes from burying each other when multicast dies between them.
func (m *Machine) pollReach() {
	if m.reach.brisk > 0 && m.due(m.reach.briskAt) {
		m.reach.brisk--
		m.reach.briskAt = m.now.Add(briskInterval)
		m.beatByMulticast(&wire.Heartbeat{High: m.sent()})
	}
	if !m.due(m.reach.next) {
		return
	}
	var next deadline
	for _, p := range m.members.list {
		if m.cfg.Mode != ModeUnicast && p.live() {
			next.add(m.listenFor(p))
		}
	}
	m.reach.next = next.at
}

// listenFor returns when p's multicast must be looked at again.
func (m *Machine) listenFor(p *peer) time.Time {
	r := &p.road
	if r.answer {
		r.answer = false
		m.beatTo(p)
	}
	switch known := r.copied.Add(silentAfter); {
	case m.hears(p):
		return r.deafAt
	case m.now.Before(known): // it sends copies
		return known
	case m.due(r.complainAt) || r.complainAt.IsZero():
		r.complainAt = m.now.Add(complainInterval)
		if m.now.Sub(p.onRoad) > silentAfter {
			p.multicasts = lossMeter{} // it is not lost by the way, there is no way
		}
		m.beatTo(p)
	}
	return r.complainAt
}

// emit puts a sealed frame out: by the roads that to says.
func (m *Machine) emit(to destination, data []byte) {
	if !to.origin.IsZero() || to.addr.IsValid() {
		m.emitTo(Frame{Data: data, To: to.addr})
		return
	}
	if m.cfg.Mode != ModeUnicast && to != copiesOnly {
		m.emitTo(Frame{Data: data})
	}
	if to != multicastOnly && len(m.reach.to) > 0 {
		m.out.copied = append(m.out.copied, data)
		m.pace.spend(len(data) * len(m.reach.to))
	}
}

func (m *Machine) emitTo(f Frame) {
	m.out.Frames = append(m.out.Frames, f)
	m.count.FramesOut++
	m.count.BytesOut += uint64(len(f.Data))
	m.pace.spend(len(f.Data))
}

// fanOut puts the copies behind everything else, one peer's after the other's: what goes to one address in a row leaves
// by few system calls.
func (m *Machine) fanOut() {
	if len(m.out.copied) == 0 {
		return
	}
	for _, p := range m.reach.to {
		for _, data := range m.out.copied {
			m.out.Frames = append(m.out.Frames, Frame{Data: data, To: p.addr})
			m.count.CopiesOut++
			m.count.BytesOut += uint64(len(data))
		}
	}
	m.count.FramesOut += uint64(len(m.out.copied) * len(m.reach.to))
}

// beatByRoads sends a heartbeat to the group: one by multicast and, since hearing it must tell of that road alone, another
// as copies, or to whom gets none of anything else. All count as one.
func (m *Machine) beatByRoads(h *wire.Heartbeat) (vectors, heard int) {
	m.beat.sent++
	h.Sent = m.beat.sent
	if m.cfg.Mode != ModeUnicast {
		vectors, heard = m.sealBeat(multicastOnly, h)
	}
	if len(m.reach.to) > 0 {
		vectors, heard = m.sealBeat(copiesOnly, h)
	}
	for _, p := range m.members.list {
		if m.unreached(p) {
			m.sealBeat(p.dest(), h)
		}
	}
	return vectors, heard
}

// beatByMulticast sends a heartbeat that does not count: who gets copies does not get it.
func (m *Machine) beatByMulticast(h *wire.Heartbeat) {
	h.Sent = m.beat.sent
	m.sealBeat(multicastOnly, h)
}

// beatTo sends a full heartbeat to one peer.
func (m *Machine) beatTo(p *peer) {
	h := m.composeBeat()
	m.sealBeat(p.dest(), h)
}

func (m *Machine) sealBeat(to destination, h *wire.Heartbeat) (vectors, heard int) {
	m.count.HeartbeatsOut++
	dst := m.sealer.Begin(m.out.buffer, wire.TypeHeartbeat, !to.origin.IsZero())
	frame, vectors, heard := m.encoder.AppendHeartbeat(dst, m.stamp(), h, m.room())
	m.finish(to, frame)
	return vectors, heard
}
