package engine

import (
	"net/netip"
	"slices"
	"time"

	"github.com/sessioncast/sessioncast/internal/hlc"
	"github.com/sessioncast/sessioncast/internal/record"
	"github.com/sessioncast/sessioncast/internal/wire"
)

// acks serves the writers that wait until peers have merged what they wrote.
type acks struct {
	waiters []waiter // in no order
	next    time.Time
	recheck bool // what peers hold, or who is live, changed
	listens bool // somebody waits for what peers have made

	againAt    time.Time // when to ask again for what is waited for
	againWait  time.Duration
	candidates []*peer
	health     ackHealth
}

type waiter struct {
	id     uint64
	seq    uint64
	writes int
	k      int
	until  time.Time
	asked  bool

	patient bool // waits also for peers that do not answer lately
	told    hlc.Stamp
	bid     bool
}

// ackRecord is how a peer acknowledges: who answered fastest lately is asked next.
type ackRecord struct {
	due     bool // it asked us for one
	askedAt time.Time
	askedTo uint64 // own dots up to here were to be confirmed
	misses  int
	benched time.Time // not asked until then
	rtt     time.Duration

	unmetSince time.Time // asked since then without any progress,
	unmetTo    uint64    // at first for dots up to here
	deaf       bool      // for so long that no writer waits for it
}

// takeAwait answers at once what needs no waiting.
func (m *Machine) takeAwait(in Await) {
	m.takeWrote()
	k := in.K
	if k < 0 {
		k = m.cfg.Ack
	}
	w := waiter{id: in.ID, seq: in.Seq, writes: in.Writes, k: k, until: m.now.Add(in.Timeout), patient: in.Patient, told: in.Told}
	if len(m.acks.waiters) >= maxWaiters {
		m.count.AwaitDenied++
		w.until = m.now
	}
	m.acks.waiters = append(m.acks.waiters, w)
	m.acks.recheck = true
	if m.acks.next.IsZero() || w.until.Before(m.acks.next) {
		m.acks.next = w.until
	}
}

func (m *Machine) takeAck(p *peer, body []byte) error {
	a := &m.parsed.ack
	if _, err := m.decoder.Ack(body, p.ref, a); err != nil {
		return err
	}
	m.count.AcksIn++
	m.confirm(p, a, true)
	return nil
}

// confirm notes which of our dots p holds. Whoever answers is fit to be asked; where nothing but its multicast arrives that is no answer.
func (m *Machine) confirm(p *peer, a *wire.Ack, answer bool) {
	if high := a.Set.Max(); high > m.push.high {
		if high > m.table.Made() { // it holds what another run made under our origin
			m.findClone(netip.AddrPort{})
		}
		return
	}
	before := p.confirms
	if p.mine.Union(&a.Set) {
		p.confirms = prefix(&p.mine)
		m.acks.recheck = true
	}
	if !answer && p.lane.mute() {
		return
	}
	if p.confirms > before || answer && p.confirms >= p.ack.unmetTo {
		m.progressed(p)
	}
	if r := &p.ack; !r.askedAt.IsZero() && p.mine.Contains(r.askedTo) {
		r.rtt = m.now.Sub(r.askedAt)
		r.askedAt, r.misses, r.benched = time.Time{}, 0, time.Time{}
	}
}

func (m *Machine) pollAcks() {
	m.sendAcks()
	defer m.judgeAcks()
	defer m.askAgain()
	if !m.acks.recheck && !m.acks.listens && !m.due(m.acks.next) {
		return
	}
	m.acks.recheck, m.acks.listens = false, false
	var next deadline
	keep := m.acks.waiters[:0]
	for _, w := range m.acks.waiters {
		if m.settle(&w) {
			continue
		}
		m.acks.listens = m.acks.listens || w.told != 0
		next.add(w.until)
		if w.told != 0 && !w.bid {
			next.add(m.now.Add(time.Millisecond)) // as long as its own clock has not passed the stamp
		}
		keep = append(keep, w)
	}
	m.acks.waiters = keep
	m.acks.next = next.at
}

// settle answers w if it can be answered now, and otherwise asks for what it waits for. Peers that do not answer lately are
// not waited for.
func (m *Machine) settle(w *waiter) bool {
	h := m.heldBy(w.seq)
	untold := w.told != 0 && m.untold(w.told)
	met := h.held >= min(w.k, h.peers) && !untold
	expected := untold || h.hopeful > 0 || w.patient && h.held < h.peers
	if !met && expected && m.now.Before(w.until) {
		if !w.asked && (w.k > m.cfg.Ack || min(w.k, h.peers) > wire.MaxAckFrom || m.leftUnasked(w.seq)) {
			w.asked = true
			m.solicit(w.seq)
		}
		if untold && !w.bid && m.stamp() > w.told {
			w.bid = true
			m.bid(w.told)
		}
		return false
	}
	unconfirmed := 0
	if configured := min(w.k, m.cfg.Ack, h.peers); h.held < configured { // what a call asks beyond that says nothing of the others
		unconfirmed = m.unconfirmed(w, configured)
		m.count.AckTimeouts += uint64(unconfirmed)
	} else if !met {
		m.count.AckMoreUnmet++
	}
	if !met && m.now.Before(w.until) {
		m.count.AckGivenUp++
	}
	m.acks.health.note(m.now, w.writes, unconfirmed)
	if w.told != 0 { // who does not answer is not waited for, and has told nothing
		h.held = m.holdAndTold(w)
	}
	m.out.Acked = append(m.out.Acked, Acked{ID: w.id, Peers: h.held, Met: h.held >= w.k})
	return true
}

// unconfirmed is how many of w's writes k peers do not hold. Others write meanwhile, so that of a pipeline in part confirmed some may be counted
// that were.
func (m *Machine) unconfirmed(w *waiter, k int) int {
	through := make([]uint64, 0, len(m.members.list))
	for _, p := range m.members.list {
		if p.synced() {
			through = append(through, p.confirms)
		}
	}
	slices.Sort(through)
	return int(min(uint64(w.writes), w.seq-through[len(through)-k]))
}

// leftUnasked reports whether the change left, with touches that nobody waited for, in a frame that asked nobody to confirm it.
func (m *Machine) leftUnasked(seq uint64) bool { return seq > m.push.asked && seq <= m.sent() }

// holding counts the live synced peers, those of them that hold all our dots up to some point, and those that do not and may
// confirm it soon.
type holding struct{ peers, held, hopeful int }

func (m *Machine) heldBy(seq uint64) (h holding) {
	for _, p := range m.members.list {
		if !p.synced() {
			continue
		}
		h.peers++
		switch {
		case p.confirms >= seq:
			h.held++
		case !m.deaf(p):
			h.hopeful++
		}
	}
	return h
}

// askAgain asks who has not confirmed what writers wait for: the request or the answer may have been lost. It goes on,
// less and less often, for as long as somebody waits, whatever is written meanwhile.
func (m *Machine) askAgain() {
	k := &m.acks
	if len(k.waiters) == 0 {
		k.againAt, k.againWait = time.Time{}, 0
		return
	}
	if k.againAt.IsZero() {
		k.againAt, k.againWait = m.now.Add(askAgainMin), askAgainMin
		return
	}
	if !m.due(k.againAt) {
		return
	}
	k.againWait = min(2*k.againWait, askAgainMax)
	k.againAt = m.now.Add(k.againWait)
	var highest uint64
	var latest hlc.Stamp
	for i := range k.waiters {
		highest = max(highest, k.waiters[i].seq)
		latest = max(latest, k.waiters[i].told)
	}
	if latest != 0 {
		m.bid(latest)
	}
	m.solicit(highest)
}

// solicit asks everyone who has not confirmed seq to say what it holds of our dots, by empty DATA frames: for WAIT, and for
// more peers than one frame can name.
func (m *Machine) solicit(seq uint64) {
	m.push.solicit = m.push.solicit[:0]
	for _, p := range m.members.list {
		if p.synced() && p.confirms < seq {
			m.asked(p, seq)
			m.push.solicit = append(m.push.solicit, p.origin.Node)
		}
	}
}

// askFor chooses who is to acknowledge the next frame: one more than needed, those that answered fastest lately. Who
// missed lately is asked only where there are not enough others.
func (m *Machine) askFor(into []record.NodeID, through uint64) []record.NodeID {
	if m.cfg.Ack == 0 {
		return into
	}
	chosen := m.acks.candidates[:0]
	for _, p := range m.members.list {
		m.noteMiss(p)
		if p.synced() {
			chosen = append(chosen, p)
		}
	}
	m.acks.candidates = chosen
	slices.SortStableFunc(chosen, m.compareAnswers)
	for _, p := range chosen[:min(len(chosen), m.cfg.Ack+1, wire.MaxAckFrom)] {
		m.asked(p, through)
		into = append(into, p.origin.Node)
	}
	return into
}

// compareAnswers puts who answers before who missed, and the faster before the slower.
func (m *Machine) compareAnswers(a, b *peer) int {
	if missed := m.now.Before(a.ack.benched); missed != m.now.Before(b.ack.benched) {
		if missed {
			return 1
		}
		return -1
	}
	return int(a.ack.rtt - b.ack.rtt)
}

// noteMiss benches a peer that left two requests unanswered, so that a stopped node delays no write twice.
func (m *Machine) noteMiss(p *peer) {
	r := &p.ack
	if r.askedAt.IsZero() || m.now.Sub(r.askedAt) < ackMissAfter {
		return
	}
	r.askedAt = time.Time{}
	r.misses++
	if r.misses >= ackMissesMax {
		r.misses = 0
		r.benched = m.now.Add(ackBench)
		r.rtt = ackMissAfter
	}
}

// owe notes that p asked us, among those named, for an acknowledgement.
func (m *Machine) owe(p *peer, named []record.NodeID) {
	if slices.Contains(named, m.cfg.Self.Node) {
		p.ack.due = true
		m.askBack(p)
	}
}

// sendAcks acknowledges what arrived since the last Poll: one frame per peer, however many datagrams that was.
func (m *Machine) sendAcks() {
	for _, p := range m.members.list {
		if !p.ack.due {
			continue
		}
		p.ack.due = false
		m.count.AcksOut++
		o := m.origin(p.ref)
		m.finish(p.dest(), m.encoder.AppendAck(m.begin(wire.TypeAck, p.dest()), m.stamp(), &wire.Ack{Set: o.held}, m.room()))
	}
}

func (a *acks) deadline() time.Time {
	var d deadline
	d.add(a.next)
	d.add(a.againAt)
	return d.at
}
