package engine

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"time"

	"github.com/sessioncast/sessioncast/internal/record"
	"github.com/sessioncast/sessioncast/internal/seal"
	"github.com/sessioncast/sessioncast/internal/wire"
)

// admission keeps who has to prove that it is alive and not a recording. The proof is to return a nonce, sealed by
// the origin it claims to be.
type admission struct {
	strangers map[record.Origin]*stranger
	order     []*stranger // oldest first
	next      time.Time
	sighted   []*sighting              // in the order of their coming
	otherKeys map[netip.Addr]time.Time // when last heard
	foreign   foreigners
}

type stranger struct {
	origin record.Origin
	addr   netip.AddrPort
	nonce  wire.Nonce
	sendAt time.Time
	wait   time.Duration
}

// takeStranger treats an authentic frame of an origin that has not proved itself. Everything but challenges and
// responses is dropped: what was lost so is repaired once the origin is admitted.
func (m *Machine) takeStranger(f *seal.Opened, in Datagram) {
	if !in.From.IsValid() {
		return
	}
	if f.Header.Type == wire.TypeResponse {
		m.takeResponse(f, in)
		return
	}
	m.sight(f, in.From)
	switch f.Header.Type {
	case wire.TypeChallenge:
		if m.answerChallenge(f, in.From) != nil {
			m.count.DropMalformed++
		}
	default:
		m.count.DropUnproven++
	}
	m.challenge(f.Header.Origin, in.From)
}

// challenge makes sure that a nonce is on its way to the stranger.
func (m *Machine) challenge(o record.Origin, addr netip.AddrPort) {
	if s := m.admit.strangers[o]; s != nil {
		s.addr = addr
		return
	}
	if len(m.admit.order) >= maxStrangers {
		m.dropStranger(m.admit.order[0])
		m.count.ChallengesDenied++
	}
	s := &stranger{origin: o, addr: addr, sendAt: m.now, wait: challengeMin}
	binary.BigEndian.PutUint64(s.nonce[:8], m.dice.Uint64())
	binary.BigEndian.PutUint64(s.nonce[8:], m.dice.Uint64())
	m.admit.strangers[o] = s
	m.admit.order = append(m.admit.order, s)
	m.admit.next = m.now
}

func (m *Machine) dropStranger(s *stranger) {
	delete(m.admit.strangers, s.origin)
	for i, t := range m.admit.order {
		if t == s {
			m.admit.order = append(m.admit.order[:i], m.admit.order[i+1:]...)
			return
		}
	}
}

// pollStrangers sends the challenges that are due, and gives up on who never answered.
func (m *Machine) pollStrangers() {
	if !m.due(m.admit.next) {
		return
	}
	var next deadline
	for _, s := range append([]*stranger(nil), m.admit.order...) {
		if !m.due(s.sendAt) {
			next.add(s.sendAt)
			continue
		}
		if s.wait > challengeMax {
			m.dropStranger(s)
			continue
		}
		m.count.Challenges++
		if s.wait > challengeMin {
			m.showSelf(s.origin)
		}
		m.send(wire.TypeChallenge, destination{origin: s.origin, addr: s.addr},
			m.encoder.AppendChallenge(nil, m.stamp(), &wire.Challenge{Nonce: s.nonce}))
		s.sendAt = m.now.Add(s.wait)
		s.wait *= 2
		next.add(s.sendAt)
	}
	m.admit.next = next.at
}

// showSelf lets a stranger that calls and does not answer hear this node by multicast: perhaps nothing else arrives there, and then
// it must not take itself to be alone.
func (m *Machine) showSelf(o record.Origin) {
	if m.cfg.Mode != ModeUnicast && slices.ContainsFunc(m.admit.sighted, func(s *sighting) bool { return s.origin == o }) {
		m.showAlive()
	}
}

// answerChallenge returns the nonce, with a challenge of our own to one who is a stranger to us.
func (m *Machine) answerChallenge(f *seal.Opened, addr netip.AddrPort) error {
	var c wire.Challenge
	if _, err := m.decoder.Challenge(f.Body, m.origins.Intern(f.Header.Origin), &c); err != nil {
		return err
	}
	r := wire.Response{Nonce: c.Nonce, High: m.sent()}
	if !f.Proven {
		m.challenge(f.Header.Origin, addr)
		s := m.admit.strangers[f.Header.Origin]
		r.Challenge = s.nonce
		s.sendAt = m.now.Add(s.wait) // this answer carries it
	}
	m.queue(wire.TypeResponse, destination{origin: f.Header.Origin, addr: addr}, m.encoder.AppendResponse(nil, m.stamp(), &r))
	return nil
}

// takeResponse admits the stranger if the nonce is the one it was sent. What it sealed before the response is
// refused from then on, recorded or not.
func (m *Machine) takeResponse(f *seal.Opened, in Datagram) {
	var r wire.Response
	t, err := m.decoder.Response(f.Body, m.origins.Intern(f.Header.Origin), &r)
	if err != nil {
		m.count.DropMalformed++
		return
	}
	s := m.admit.strangers[f.Header.Origin]
	if s == nil || s.nonce != r.Nonce {
		m.count.DropUnproven++
		return
	}
	m.dropStranger(s)
	m.makeRoom(f.Header.Origin.Node)
	if !m.opener.Admit(f.Header.Origin, f.Header.Packet) {
		m.count.ChallengesDenied++
		return
	}
	p := m.newPeer(f.Header.Origin, in.From)
	m.admit.proven(p.origin.Node)
	m.readClock(p, t.Millis(), false) // a guess: it tells its wall clock later
	m.table.HoldBack()
	if r.Challenge != (wire.Nonce{}) {
		m.queue(wire.TypeResponse, p.dest(), m.encoder.AppendResponse(nil, m.stamp(),
			&wire.Response{Nonce: r.Challenge, High: m.sent()}))
	}
	m.announce(m.origin(p.ref), r.High)
	m.scheduleGreet(p)
	if r.Challenge != (wire.Nonce{}) { // it hears the greeting only when our answer has made us known there
		p.greetAt = p.greetAt.Add(greetAfterProof)
		m.wakeMembers()
	}
}

// noteOtherKey tells once of each address whose frames are sealed by a key that is not ours, and again of one that was silent
// for so long that another took its place.
func (m *Machine) noteOtherKey(from netip.AddrPort) {
	_, known := m.admit.otherKeys[from.Addr()]
	if !known && len(m.admit.otherKeys) >= otherKeySources && !m.dropOtherKey() {
		m.count.OtherKeysDropped++
		return
	}
	m.admit.otherKeys[from.Addr()] = m.now
	if !known {
		m.event(Event{Kind: EventOtherKey, Addr: from})
	}
}

// dropOtherKey makes room by forgetting the address heard longest ago, unless even that was heard lately. Addresses can be
// forged: so a flood of them hides those that come after it for a minute, and no longer.
func (m *Machine) dropOtherKey() bool {
	var oldest netip.Addr
	for addr, at := range m.admit.otherKeys {
		before := m.admit.otherKeys[oldest]
		if !oldest.IsValid() || at.Before(before) || at.Equal(before) && addr.Less(oldest) {
			oldest = addr
		}
	}
	if m.now.Sub(m.admit.otherKeys[oldest]) < otherKeyRecent {
		return false
	}
	delete(m.admit.otherKeys, oldest)
	return true
}

// OtherKeys lists, in order, the addresses from which frames under another key came within the last minute.
func (m *Machine) OtherKeys(now time.Time) []netip.Addr {
	m.advance(now)
	var list []netip.Addr
	for addr, at := range m.admit.otherKeys {
		if m.now.Sub(at) < otherKeyRecent {
			list = append(list, addr)
		}
	}
	slices.SortFunc(list, netip.Addr.Compare)
	return list
}
