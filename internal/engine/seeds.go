package engine

import (
	"net/netip"
	"slices"
	"time"

	"github.com/sessioncast/sessioncast/internal/wire"
)

// calls are the addresses that are greeted by unicast for as long as no live member is there: the configured ones for
// ever, those a member introduced and those of the dead for a while (PROTOCOL.md, "Calls").
type calls struct {
	list   []*call
	next   time.Time
	greets int       // where the next introductions start
	unsure time.Time // since then nobody could be asked where the others are; zero: somebody could
}

type call struct {
	addr  netip.AddrPort
	at    time.Time
	tries int
	seed  bool      // configured
	until time.Time // of others
}

// takeSeeds takes in where other nodes may be. Who was called because of an earlier list is called no more.
func (m *Machine) takeSeeds(in Seeds) {
	if m.cfg.Mode == ModeMulticast {
		return
	}
	m.noteUnsure(in.Unsure)
	for _, c := range m.calls.list {
		c.seed = false
	}
	for i, a := range in.Addrs {
		if i >= maxSeeds {
			m.count.SeedsDropped += uint64(len(in.Addrs) - i)
			break
		}
		if c := m.call(a, m.now); c != nil {
			c.seed = true
		}
	}
	m.calls.list = slices.DeleteFunc(m.calls.list, func(c *call) bool { return !c.seed && !m.now.Before(c.until) })
}

// noteUnsure takes in whether nobody could be asked where the others are. When somebody could, those who are there have as long to answer
// as at the start.
func (m *Machine) noteUnsure(yes bool) {
	switch {
	case !yes && !m.calls.unsure.IsZero():
		m.calls.unsure = time.Time{}
		if m.join.state == wire.Joining && !m.join.started.IsZero() {
			m.join.started = m.now
			m.join.helloNow(m.now)
		}
	case yes && m.calls.unsure.IsZero():
		m.calls.unsure = m.now
	}
}

// mayBeElsewhere reports whether others may be where this node could not look yet. It does not wait for ever: whoever restarts all nodes
// while names cannot be resolved wants them to serve.
func (m *Machine) mayBeElsewhere() bool {
	return !m.calls.unsure.IsZero() && m.now.Sub(m.calls.unsure) < unsureWait
}

// call adds an address, or keeps it for longer; nil when it is our own, or there is no room for it.
func (m *Machine) call(a netip.AddrPort, until time.Time) *call {
	a = netip.AddrPortFrom(a.Addr().Unmap().WithZone(""), a.Port())
	if !a.IsValid() || a == m.addr || a.Port() == 0 {
		return nil
	}
	for _, c := range m.calls.list {
		if c.addr == a {
			if until.After(c.until) {
				c.until = until
			}
			return c
		}
	}
	if len(m.calls.list) >= maxCalls {
		m.count.CallsDropped++
		return nil
	}
	c := &call{addr: a, at: m.now, until: until}
	m.calls.list = append(m.calls.list, c)
	m.calls.next = m.now
	return c
}

// callLater adds an address of which another way may bring news first.
func (m *Machine) callLater(a netip.AddrPort, until time.Time) {
	if m.cfg.Mode == ModeMulticast || m.liveAt(a) {
		return
	}
	before := len(m.calls.list)
	if c := m.call(a, until); c != nil && len(m.calls.list) > before {
		c.at, c.tries = m.now.Add(helloAt[1]), 1
	}
}

// callAgain begins anew with every address.
func (m *Machine) callAgain() {
	for _, c := range m.calls.list {
		c.at, c.tries = m.now, 0
	}
	m.calls.next = m.now
}

// pollCalls says hello to those that are due, sealed once.
func (m *Machine) pollCalls() {
	if !m.due(m.calls.next) {
		return
	}
	m.calls.next = time.Time{}
	if m.leave.started {
		return
	}
	var hello []byte
	m.calls.list = slices.DeleteFunc(m.calls.list, m.callOver)
	for _, c := range m.calls.list {
		if !m.due(c.at) {
			continue
		}
		m.scheduleCall(c)
		if m.liveAt(c.addr) {
			continue
		}
		if hello == nil {
			hello = m.sealHello()
		}
		if len(hello) > 0 {
			m.emitTo(Frame{Data: hello, To: c.addr})
			m.count.CallsOut++
		}
	}
	m.calls.next = m.nextCall()
}

// callOver reports whether c need not be called any more: who is not configured, and is there or did not come.
func (m *Machine) callOver(c *call) bool {
	return !c.seed && (!m.now.Before(c.until) || m.due(c.at) && m.liveAt(c.addr))
}

func (m *Machine) nextCall() time.Time {
	var next deadline
	for _, c := range m.calls.list {
		next.add(c.at)
	}
	return next.at
}

func (m *Machine) scheduleCall(c *call) {
	if c.tries++; c.tries < len(helloAt) {
		c.at = m.now.Add(helloAt[c.tries] - helloAt[c.tries-1])
		return
	}
	c.at = m.jitter(helloSteady-steadyJitter, helloSteady+steadyJitter)
}

// sealHello makes a HELLO that is sent to several addresses; empty when it could not be sealed, which only a mistake of
// ours could bring about.
func (m *Machine) sealHello() []byte {
	start := len(m.out.buffer)
	frame := m.encoder.AppendHello(m.sealer.Begin(m.out.buffer, wire.TypeHello, false), m.stamp(), &wire.Hello{Name: m.cfg.Name, State: m.State()})
	if frame = m.sealer.Finish(frame, start, group.origin); frame == nil {
		m.count.SealRefused++
		return []byte{}
	}
	m.out.buffer = frame
	return frame[start:len(frame):len(frame)]
}

// liveAt reports whether a live member sends from there.
func (m *Machine) liveAt(a netip.AddrPort) bool {
	return slices.ContainsFunc(m.members.list, func(p *peer) bool { return p.addr == a && p.live() })
}

// introductions are where the members are whom this node hears itself, for who asks: by turns where there are many. A node in mode multicast
// calls nobody, but who asks it may be in another mode, and have no other way to learn of those.
func (m *Machine) introductions(to *peer) (list []netip.AddrPort) {
	n := len(m.members.list)
	if n == 0 {
		return nil
	}
	from := m.calls.greets % n
	for i := range n {
		p := m.members.list[(from+i)%n]
		if p == to || !p.live() || p.viaOthers || !p.addr.IsValid() {
			continue
		}
		if list = append(list, p.addr); len(list) == wire.MaxIntroduced {
			m.calls.greets = from + i + 1
			break
		}
	}
	return list
}

// takeIntroductions calls those who are not known yet. They count for nothing before they have answered a challenge.
func (m *Machine) takeIntroductions(list []netip.AddrPort) {
	for _, a := range list {
		m.callLater(a, m.now.Add(introducedFor))
	}
}

// askWho asks p where the members are, of whom it hears one that is not known here.
func (m *Machine) askWho(p *peer) {
	if m.cfg.Mode != ModeMulticast && m.mayGreet(p) {
		m.queue(wire.TypeHello, p.dest(), m.hello())
	}
}

// mayGreet reports whether it is time to greet a member again, and takes it that it is done.
func (m *Machine) mayGreet(p *peer) bool {
	due := !m.now.Before(p.helloAt)
	if due {
		p.helloAt = m.now.Add(helloAgain)
	}
	return due
}

func (m *Machine) hello() []byte {
	return m.encoder.AppendHello(nil, m.stamp(), &wire.Hello{Name: m.cfg.Name, State: m.State()})
}
