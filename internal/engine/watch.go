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
	nonce  uint64
	probes int
	spread bool // it is ours: the others are told
}

func (d *doubt) active() bool { return !d.since.IsZero() }

func (d *doubt) end(now time.Time) { *d = doubt{ended: now} }

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
	if !p.doubt.active() {
		p.doubt = doubt{since: m.now, at: m.now, nonce: m.dice.Uint64()}
		m.wakeMembers()
	}
	p.doubt.spread = p.doubt.spread || ours
}

// examine probes who is doubted, and returns when to look again. A verdict that comes late counts for nothing, since the
// answer may be waiting to be read.
func (m *Machine) examine(p *peer) time.Time {
	d := &p.doubt
	if !d.active() || !m.due(d.at) {
		return d.at
	}
	if d.probes >= doubtProbes && m.now.Sub(d.at) <= doubtLate {
		m.count.DoubtsProven++
		p.killed = true
		m.setState(p, wire.Dead)
		return time.Time{}
	}
	if d.probes >= doubtProbesMax { // this node is too late for everything: silence will tell
		d.end(m.now)
		return time.Time{}
	}
	d.probes++
	d.at = m.now.Add(m.health.stretch(doubtInterval))
	m.send(wire.TypeProbe, p.dest(), m.encoder.AppendProbe(nil, m.stamp(), &wire.Probe{Nonce: d.nonce}))
	if d.probes == 1 && p.viaOthers {
		m.askHelpers(p, d.nonce)
	}
	if d.spread && d.probes <= doubtSpread {
		m.finish(group, m.encoder.AppendDoubt(m.begin(wire.TypeDoubt, group), m.stamp(), &wire.Doubt{Target: p.ref}))
	}
	return d.at
}

// heardWhileDoubted ends a doubt by a frame that was not on its way before the connection broke.
func (m *Machine) heardWhileDoubted(p *peer) {
	if m.now.Sub(p.doubt.since) > doubtInFlight {
		m.endDoubt(p)
	}
}

func (m *Machine) endDoubt(p *peer) {
	if p.doubt.active() {
		m.count.DoubtsRefuted++
		p.doubt.end(m.now)
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
