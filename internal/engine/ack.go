package engine

import (
	"slices"
	"time"

	"github.com/sessioncast/sessioncast/internal/record"
	"github.com/sessioncast/sessioncast/internal/wire"
)

// acks serves the writers that wait until peers have merged what they wrote.
type acks struct {
	waiters []waiter // in no order
	next    time.Time
	recheck bool // what peers hold, or who is live, changed
}

type waiter struct {
	id    uint64
	seq   uint64
	k     int
	until time.Time
	asked bool
}

// ackRecord is how a peer acknowledges: who answered fastest lately is asked next.
type ackRecord struct {
	due     bool // it asked us for one
	askedAt time.Time
	askedTo uint64 // own dots up to here were to be confirmed
	misses  int
	benched time.Time // not asked until then
	rtt     time.Duration
}

// takeAwait answers at once what needs no waiting.
func (m *Machine) takeAwait(in Await) {
	m.takeWrote()
	k := in.K
	if k < 0 {
		k = m.cfg.Ack
	}
	w := waiter{id: in.ID, seq: in.Seq, k: k, until: m.now.Add(in.Timeout)}
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
	m.confirm(p, a)
	return nil
}

// confirm notes which of our dots p holds.
func (m *Machine) confirm(p *peer, a *wire.Ack) {
	if a.Set.Max() > m.push.high || !p.mine.Union(&a.Set) {
		return
	}
	p.confirms = prefix(&p.mine)
	m.acks.recheck = true
	if r := &p.ack; !r.askedAt.IsZero() && p.mine.Contains(r.askedTo) {
		r.rtt = m.now.Sub(r.askedAt)
		r.askedAt, r.misses = time.Time{}, 0
	}
}

func (m *Machine) pollAcks() {
	m.sendAcks()
	if !m.acks.recheck && !m.due(m.acks.next) {
		return
	}
	m.acks.recheck = false
	var next deadline
	keep := m.acks.waiters[:0]
	for _, w := range m.acks.waiters {
		if m.settle(&w) {
			continue
		}
		next.add(w.until)
		keep = append(keep, w)
	}
	m.acks.waiters = keep
	m.acks.next = next.at
}

// settle answers w if it can be answered now, and otherwise asks for what it waits for.
func (m *Machine) settle(w *waiter) bool {
	held, peers := m.heldBy(w.seq)
	met := held >= min(w.k, peers)
	if !met && m.now.Before(w.until) {
		if !w.asked && w.k > m.cfg.Ack {
			w.asked = true
			m.solicit(w.seq)
		}
		return false
	}
	if !met {
		m.count.AckTimeouts++
	}
	m.out.Acked = append(m.out.Acked, Acked{ID: w.id, Peers: held, Met: held >= w.k})
	return true
}

// heldBy counts the live synced peers, and of those the ones that hold all our dots up to seq.
func (m *Machine) heldBy(seq uint64) (held, peers int) {
	for _, p := range m.members.list {
		if p.synced() {
			peers++
			if p.confirms >= seq {
				held++
			}
		}
	}
	return held, peers
}

// askAgain asks who has not confirmed what writers wait for: the request or the answer may have been lost. It follows the
// rhythm of the tail heartbeats.
func (m *Machine) askAgain() {
	var highest uint64
	for i := range m.acks.waiters {
		highest = max(highest, m.acks.waiters[i].seq)
	}
	if highest > 0 {
		m.solicit(highest)
	}
}

// solicit asks everyone to say what it holds of our dots, with an empty DATA frame: for WAIT, whose count may exceed
// what ordinary frames ask for.
func (m *Machine) solicit(seq uint64) {
	var all []record.NodeID
	for _, p := range m.members.list {
		if p.synced() && p.confirms < seq && len(all) < wire.MaxAckFrom {
			all = append(all, p.origin.Node)
		}
	}
	m.push.solicit = all
}

// askFor chooses who is to acknowledge the next frame: one more than needed, those that answered fastest lately.
func (m *Machine) askFor(into []record.NodeID, through uint64) []record.NodeID {
	if m.cfg.Ack == 0 {
		return into
	}
	var candidates [wire.MaxAckFrom]*peer
	n := 0
	for _, p := range m.members.list {
		m.noteMiss(p)
		if p.synced() && n < len(candidates) && !m.now.Before(p.ack.benched) {
			candidates[n] = p
			n++
		}
	}
	chosen := candidates[:n]
	slices.SortStableFunc(chosen, func(a, b *peer) int { return int(a.ack.rtt - b.ack.rtt) })
	chosen = chosen[:min(n, m.cfg.Ack+1)]
	for _, p := range chosen {
		if p.ack.askedAt.IsZero() {
			p.ack.askedAt, p.ack.askedTo = m.now, through
		}
		into = append(into, p.origin.Node)
	}
	return into
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
	p.ack.due = p.ack.due || slices.Contains(named, m.cfg.Self.Node)
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

func (a *acks) deadline() time.Time { return a.next }
