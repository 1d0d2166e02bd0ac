package engine

import (
	"bytes"
	"net/netip"
	"slices"
	"time"

	"github.com/sessioncast/sessioncast/internal/record"
	"github.com/sessioncast/sessioncast/internal/wire"
)

// The death watch (PROTOCOL.md, "Members"). A connection to the next two nodes in the order of their ids ends with
// their processes. Its end proves nothing: it is a doubt, which the watcher tells to all; each looks for itself by probes
// at short intervals, and who does not answer is dead.

// watches is whom this node watches.
type watches struct {
	at    time.Time // when to look anew whom to watch; zero: nothing changed
	round uint64
	list  []Watch
}

// Watch asks for a connection to Origin, at To, that lasts for as long as both processes do.
type Watch struct {
	Origin record.Origin
	To     netip.AddrPort
}

// Watching is all that is to be watched from now on; of two the one of the higher Round counts.
type Watching struct {
	Round uint64
	List  []Watch
}

// WatchBroken reports that a watch of Origin was ended by the other side, or that nobody listens there.
type WatchBroken struct{ Origin record.Origin }

func (WatchBroken) input() {}

// doubt is the examination of a peer whose process may have died.
type doubt struct {
	since  time.Time // zero: there is none
	at     time.Time // of the next probe, or of the verdict
	ended  time.Time
	again  time.Time // of another look, where the last was ended by no answer; zero: there is none
	looks  int       // so many were
	nonce  uint64
	probes int
	spread bool // it is ours: the others are told
}

func (d *doubt) active() bool { return !d.since.IsZero() }

// end ends a doubt for good: there was an answer, or there can be none.
func (d *doubt) end(now time.Time) { *d = doubt{ended: now} }

// lookAgain ends a look that no answer ended. What was heard may have waited in a socket since before the process died, and
// a verdict that was always late says nothing of who it is about.
func (d *doubt) lookAgain(now time.Time) {
	looks := d.looks + 1
	if looks >= doubtLooks {
		d.end(now)
		return
	}
	*d = doubt{ended: now, again: now.Add(doubtAgainMin << (looks - 1)), looks: looks, nonce: d.nonce}
}

// watchSoon has the watch list made anew, after a while where members come one after another.
func (m *Machine) watchSoon(wait time.Duration) {
	if at := m.now.Add(wait); m.watches.at.IsZero() || at.Before(m.watches.at) {
		m.watches.at = at
	}
}

// pollWatches tells whom to watch when that changed.
func (m *Machine) pollWatches() {
	w := &m.watches
	if !m.due(w.at) {
		return
	}
	w.at = time.Time{}
	list := m.watchList()
	if slices.Equal(list, w.list) {
		return
	}
	w.list = list
	w.round++
	m.out.Watching = &Watching{Round: w.round, List: list}
}

// watchList is the next live nodes in the order of ids, beginning anew after the last. Of who is not heard here a probe
// would prove nothing.
func (m *Machine) watchList() []Watch {
	if m.leave.started {
		return nil
	}
	var near []*peer
	for _, p := range m.members.list {
		if p.live() && !p.left && !p.viaOthers {
			near = append(near, p)
		}
	}
	slices.SortFunc(near, func(a, b *peer) int {
		if after := m.after(a.origin); after != m.after(b.origin) {
			if after {
				return -1
			}
			return 1
		}
		return compareOrigins(a.origin, b.origin)
	})
	var list []Watch
	for _, p := range near[:min(len(near), watchNext)] {
		list = append(list, Watch{Origin: p.origin, To: p.addr})
	}
	return list
}

func (m *Machine) after(o record.Origin) bool { return compareOrigins(o, m.cfg.Self) > 0 }

func compareOrigins(a, b record.Origin) int {
	if c := bytes.Compare(a.Node[:], b.Node[:]); c != 0 {
		return c
	}
	return bytes.Compare(a.Incarnation[:], b.Incarnation[:])
}

func (m *Machine) takeBroken(in WatchBroken) {
	p := m.members.byRef[m.origins.Intern(in.Origin)]
	if p == nil || !p.live() || p.left {
		return
	}
	m.count.WatchesBroken++
	m.doubtPeer(p, true)
}

// takeDoubt looks for itself what became of the target. Who hears of a doubt about itself says that it is here.
func (m *Machine) takeDoubt(p *peer, body []byte) error {
	var d wire.Doubt
	if _, err := m.decoder.Doubt(body, p.ref, &d); err != nil {
		return err
	}
	m.count.DoubtsIn++
	if d.Target == m.self {
		m.refute()
		return nil
	}
	target := m.members.byRef[d.Target]
	if target != nil && target.live() && !target.left && m.now.Sub(target.doubt.ended) >= doubtAgain {
		m.doubtPeer(target, false)
	}
	return nil
}

func (m *Machine) doubtPeer(p *peer, ours bool) {
	d := &p.doubt
	if !d.active() {
		*d = doubt{since: m.now, at: m.now, looks: d.looks, nonce: m.dice.Uint64()}
		p.trip.nonce, p.trip.asked = d.nonce, m.now
		m.wakeMembers()
	}
	d.spread = d.spread || ours
}

// examine probes who is doubted, and returns when to look again. A verdict that comes late counts for nothing, since the
// answer may be waiting to be read.
func (m *Machine) examine(p *peer) time.Time {
	d := &p.doubt
	if m.due(d.again) {
		m.doubtPeer(p, true) // told to all: the doubted one shows itself also where no answer arrives
	}
	if !d.active() {
		return d.again
	}
	if !m.due(d.at) {
		return d.at
	}
	if d.probes >= doubtProbes && m.now.Sub(d.at) <= doubtLate {
		m.count.DoubtsProven++
		if d.spread { // to whom the first words of it were lost
			m.tellDoubt(p)
		}
		p.killed = true
		m.setState(p, wire.Dead)
		return time.Time{}
	}
	if d.probes >= doubtProbesMax { // this node is too late for everything
		d.lookAgain(m.now)
		return d.again
	}
	d.probes++
	d.at = m.now.Add(m.health.stretch(max(doubtInterval, tripsWaited*p.trip.time/doubtProbes)))
	m.send(wire.TypeProbe, p.dest(), m.encoder.AppendProbe(nil, m.stamp(), &wire.Probe{Nonce: d.nonce}))
	if d.probes == 1 && (p.viaOthers || d.looks > 0) {
		m.askHelpers(p, d.nonce)
	}
	if d.spread && (d.probes <= doubtSpread || d.looks > 0) {
		m.tellDoubt(p)
	}
	return d.at
}

func (m *Machine) tellDoubt(p *peer) {
	m.finish(group, m.encoder.AppendDoubt(m.begin(wire.TypeDoubt, group), m.stamp(), &wire.Doubt{Target: p.ref}))
}

// heardWhileDoubted ends a look by a frame that was not on its way before the connection broke.
func (m *Machine) heardWhileDoubted(p *peer) {
	if p.doubt.active() && m.now.Sub(p.doubt.since) > doubtInFlight {
		m.refuted(p, false)
	}
}

// answeredDoubt ends the doubt of who answered its probe, also where the answer came after another frame of it.
func (m *Machine) answeredDoubt(p *peer, nonce uint64) {
	if d := &p.doubt; d.nonce == nonce && (d.active() || !d.again.IsZero()) {
		m.refuted(p, true)
	}
}

// refuted ends a look at p; of who has answered there is no other.
func (m *Machine) refuted(p *peer, answered bool) {
	if p.doubt.active() {
		m.count.DoubtsRefuted++
	}
	// Of who is shut no probe is answered: another look would prove less than what was heard.
	if answered || p.lane.in || p.lane.out {
		p.doubt.end(m.now)
	} else {
		p.doubt.lookAgain(m.now)
		m.wakeMembers()
	}
}

// refute shows everyone that this node is alive, who doubted or suspected it.
func (m *Machine) refute() {
	m.showAlive()
	if m.beat.againAt.IsZero() {
		m.beat.againAt = m.now.Add(refuteTwice)
	}
}

// showAlive sends a full heartbeat at once, unless one left for such a reason a moment ago.
func (m *Machine) showAlive() {
	if m.now.Sub(m.members.refuted) < refuteAgain {
		return
	}
	m.members.refuted = m.now
	m.beat.fullNow(m.now)
}
