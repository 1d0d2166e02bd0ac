package daemon

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/sessioncast/sessioncast/internal/admin"
	"github.com/sessioncast/sessioncast/internal/engine"
	"github.com/sessioncast/sessioncast/internal/record"
	"github.com/sessioncast/sessioncast/internal/wire"
)

// roster remembers what was said of whom. Its methods are safe for concurrent use.
type roster struct {
	sync.Mutex
	members map[record.Origin]*rosterEntry
	strange []netip.Addr // told of because they use another key
}

type rosterEntry struct {
	since time.Time
	state wire.MemberState // as last told
	met   bool             // multicast has passed, in one direction at least
}

const (
	maxRoster    = 4096 // origins remembered; beyond that all are forgotten, and told of anew
	maxStrangers = 64
)

// enter notes that o is in state s now, and returns the state before, zero for a newcomer.
func (r *roster) enter(o record.Origin, s wire.MemberState) (before wire.MemberState) {
	r.Lock()
	defer r.Unlock()
	if r.members == nil || len(r.members) > maxRoster {
		r.members = make(map[record.Origin]*rosterEntry)
	}
	m := r.members[o]
	if m == nil {
		m = &rosterEntry{since: time.Now()}
		r.members[o] = m
	}
	before = m.state
	m.state = s
	return before
}

// Known implements admin.Roster.
func (r *roster) Known(o record.Origin) time.Duration {
	r.Lock()
	defer r.Unlock()
	m := r.members[o]
	if m == nil {
		return 0
	}
	return time.Since(m.since)
}

// metAfter is how long after a member came it can be told whether multicast passes: before, both sides suppose so.
const metAfter = 3 * time.Second

// look notes between which members and this node multicast passes.
func (r *roster) look(members []engine.Member) {
	r.Lock()
	defer r.Unlock()
	for i := range members {
		m := r.members[members[i].Origin]
		if m != nil && time.Since(m.since) > metAfter && (members[i].Multicast || members[i].HearsUs) {
			m.met = true
		}
	}
}

// Met implements admin.Roster.
func (r *roster) Met(o record.Origin) bool {
	r.Lock()
	defer r.Unlock()
	m := r.members[o]
	return m != nil && m.met
}

// meetStranger reports whether the address is new.
func (r *roster) meetStranger(a netip.Addr) bool {
	r.Lock()
	defer r.Unlock()
	if slices.Contains(r.strange, a) || len(r.strange) >= maxStrangers {
		return false
	}
	r.strange = append(r.strange, a)
	return true
}

// tell takes an event from the node, which must not wait for the log.
func (d *daemon) tell(e engine.Event) {
	select {
	case d.events <- e:
	default:
		d.eventsLost.Add(1)
	}
}

// reportCopies blames the network only where multicast has ever passed, one way at least: a peer may run in mode unicast.
func (d *daemon) reportCopies(e *engine.Event, peer []any) {
	if m := &e.Member; !m.Multicast && !m.HearsUs && !d.roster.Met(m.Origin) {
		d.log.Info("no multicast has passed between a peer and this node, and it is sent unicast copies from now on: right where it runs with --mode unicast", peer...)
		return
	}
	d.log.Warn("a peer does not hear this node's multicast, and is sent unicast copies from now on: look at the firewall there, and for IGMP snooping without a querier on the switch between; if unicast does not arrive there either, that is told within 15 s", peer...)
}

// report logs an event: what it is, and where something can be done, what.
func (d *daemon) report(e engine.Event) {
	peer := []any{"peer", peerName(&e.Member), "address", e.Addr}
	switch e.Kind {
	case engine.EventMember:
		d.reportMember(&e)
	case engine.EventJoining:
		d.joining = time.Now()
		d.log.Info("joining: asking the cluster for its sessions")
	case engine.EventFetching:
		d.reportFetching(&e)
	case engine.EventSynced:
		d.reportSynced(&e)
	case engine.EventDivergence:
		d.log.Warn("a peer held other sessions than this node although neither missed a change: making them equal, as after the death of a node; if none died, please report it", peer...)
	case engine.EventEnded:
		d.log.Warn("sessions were dropped: they had ended in a peer's part of the cluster, from which this node was cut off for longer than logouts are remembered",
			append(peer, "sessions", e.Sessions)...)
	case engine.EventIncomplete:
		d.reportIncomplete(&e)
	case engine.EventRegained:
		d.log.Info("the sessions that were missing here have come", peer...)
	case engine.EventLacks, engine.EventLacksNoMore:
		d.reportRoom(&e)
	case engine.EventHurried:
		d.reportHurry(&e)
	case engine.EventDuplicate:
		d.reportDuplicate(&e)
	case engine.EventCloned:
		d.reportCloned(&e)
	case engine.EventClockAhead:
		d.log.Warn("a peer's clock is ahead of this node's by more than 5s: run an NTP client on both", append(peer, "ahead", e.Member.Offset)...)
	case engine.EventConfig:
		d.log.Warn("a peer runs with other limits of session lifetime or clocks than this node: run the same version and options everywhere; compare sessioncast config show", peer...)
	case engine.EventDegraded:
		d.log.Warn("writes return without the confirmations that --ack asks for: they take place, and would be lost if this node died before they have spread; see sessioncast status",
			d.ackState()...)
	case engine.EventConfirmed:
		d.log.Info("writes are confirmed again", d.ackState()...)
	case engine.EventCopies:
		d.reportCopies(&e, peer)
	case engine.EventNoCopies:
		d.log.Info("a peer hears this node's multicast again: no more unicast copies", peer...)
	case engine.EventOtherKey:
		d.reportStranger(e.Addr.Addr())
	case engine.EventUnheard:
		d.log.Warn("a peer lives, as others tell, and nothing of it arrives here: check the firewalls and cables between it and this node", peer...)
	case engine.EventUnproven:
		d.reportUnproven(&e)
	case engine.EventShut:
		d.reportShut(&e)
	case engine.EventShutNoMore:
		d.log.Info("unicast between a peer and this node passes again, in both directions", peer...)
	case engine.EventNotHeard:
		d.log.Warn("a peer that is heard here hears nothing of this node: check the firewalls and cables between it and this node", peer...)
	case engine.EventHeardThere:
		d.log.Info("a peer hears this node again", peer...)
	case engine.EventHeard:
		d.log.Info("a peer arrives here again", peer...)
	case engine.EventSetAside:
		d.log.Warn("a peer receives far worse than the others: it is not waited for, and pulls what it lacks; look for a busy CPU, a small receive buffer or a bad cable there", peer...)
	case engine.EventTakenBack:
		d.log.Info("a peer keeps up again", peer...)
	case engine.EventStoodStill:
		d.log.Warn("this node stood still: it was stopped, or its host had no time for it", "for", e.Member.Late.Round(time.Millisecond))
	}
}

// reportUnproven says what to open for a node that is heard and does not answer, and what it keeps this one from.
func (d *daemon) reportUnproven(e *engine.Event) {
	text := "a node of this cluster is heard, but answers by unicast do not arrive, there or here: open UDP and TCP between the nodes, in both directions"
	attrs := []any{"peer", peerName(&e.Member), "address", e.Addr}
	if n := d.node.Load(); n != nil {
		attrs = append(attrs, "port", n.Link().Addr().Port())
		if n.State() == wire.Joining && e.State != wire.Joining {
			text += "; until then this node is not ready, since it would start without the sessions there"
		}
	}
	d.log.Error(text, attrs...)
}

// reportShut says which direction is shut, and what to open.
func (d *daemon) reportShut(e *engine.Event) {
	text, port := "", uint16(0)
	if n := d.node.Load(); n != nil {
		port = n.Link().Addr().Port()
	}
	switch m := &e.Member; {
	case m.ShutIn && m.ShutOut:
		text = "between a peer and this node only multicast passes, unicast in neither direction: no writes are confirmed from one to the other; open UDP and TCP in the firewalls of both"
	case m.ShutIn:
		text = "unicast of a peer does not arrive here, only multicast: it cannot confirm this node's writes; open UDP and TCP in this node's firewall, and let them out there"
	default:
		text, port = "unicast of this node does not arrive at a peer, only multicast: this node cannot confirm the writes made there; open UDP and TCP in the firewall there, and let them out here", e.Addr.Port()
	}
	d.log.Error(text, "peer", peerName(&e.Member), "address", e.Addr, "port", port)
}

func (d *daemon) reportIncomplete(e *engine.Event) {
	if e.Missing == 0 {
		d.log.Warn("this node serves, and lacks sessions: the peer that gave them lacks some itself, which another took away; its own log and status say about how many",
			"peer", peerName(&e.Member), "address", e.Addr)
		return
	}
	d.log.Warn("this node serves, and lacks sessions: a peer went away while it gave them, and nobody else that is there has them; they come back if it does, else they are lost",
		"peer", peerName(&e.Member), "address", e.Addr, "changes", e.Missing, "sessions", e.Sessions)
}

func (d *daemon) reportRoom(e *engine.Event) {
	attrs := []any{}
	if n := d.node.Load(); n != nil {
		attrs = []any{"sessions", n.Table().Stats().Sessions, "memory", admin.Bytes(n.Table().Stats().Bytes), "max-memory", admin.Bytes(n.Table().Stats().Limit)}
	}
	if e.Kind == engine.EventLacksNoMore {
		d.log.Info("ready again as to memory: what found no room has come", attrs...)
		return
	}
	d.log.Warn("not ready: memory is full, and sessions of other nodes find no room here; reads of what is not here are refused, logouts are carried out: give all nodes the same --max-memory", attrs...)
}

func (d *daemon) reportHurry(e *engine.Event) {
	if e.Takers > 0 {
		d.log.Error("leaving although joining nodes can get the rest of the sessions here only: these may be lost; stop a node when sessioncast wait --synced has answered on the one before", "joining", e.Takers)
	}
	if e.Behind > 0 {
		d.log.Warn("leaving although peers have not confirmed this node's last changes: they are slow, stopped or cut off", "peers", e.Behind)
	}
}

// ackState is what is logged of acknowledgements.
func (d *daemon) ackState() []any {
	attrs := []any{"ack", d.options.Ack}
	if n := d.node.Load(); n != nil {
		h := n.AckHealth()
		attrs = append(attrs, "peers", h.Live, "answering", h.Listening, "unconfirmed", h.Unconfirmed)
	}
	return attrs
}

// reportDuplicate says where both are that have one name.
func (d *daemon) reportDuplicate(e *engine.Event) {
	other := "this node"
	if e.Other.IsValid() {
		other = e.Other.String()
	}
	d.log.Error("two running nodes have one name: give one of them another --name", "name", peerName(&e.Member), "address", e.Addr, "other", other)
}

// reportCloned says what a clone means, and where it is where its own frames told.
func (d *daemon) reportCloned(e *engine.Event) {
	where := []any{"address", "not known: other nodes hold what it wrote"}
	if e.Addr.IsValid() {
		where = []any{"address", e.Addr}
	}
	d.log.Error("a clone of this machine runs, this process included: this node goes on as a new run and joins again; both have one name still: restart one of them with another --name, and start the daemon after cloning, not before", where...)
}

func (d *daemon) reportStranger(a netip.Addr) {
	if !d.roster.meetStranger(a) {
		return
	}
	what := "copy this node's key file (" + d.key.From + ") there"
	if d.key.Path == "" {
		what = "give it this node's key"
	}
	d.log.Warn(fmt.Sprintf("another cluster key is used at %s: if that node belongs to this cluster, %s and restart it; if not, give one cluster another --port", a, what))
}

// reportFetching says who gives the sessions, of which this node may have some from who gave before.
func (d *daemon) reportFetching(e *engine.Event) {
	attrs := []any{"donor", peerName(&e.Member), "address", e.Addr, "sessions", e.Member.Sessions}
	if n := d.node.Load(); n != nil {
		attrs = append(attrs, "here", n.Table().Stats().Sessions)
	}
	d.log.Info("joining: a peer gives this node its sessions", attrs...)
}

func (d *daemon) reportSynced(e *engine.Event) {
	if e.Member.Origin.IsZero() {
		d.log.Info("synced: no synced node answered, so this node starts with what it holds")
		return
	}
	attrs := []any{"donor", peerName(&e.Member)}
	if n := d.node.Load(); n != nil {
		attrs = append(attrs, "sessions", n.Table().Stats().Sessions, "peers", n.Peers(), "took", time.Since(d.joining).Round(time.Millisecond))
	}
	if e.Member.Lacking {
		d.log.Warn("synced by a peer that has no room for all sessions, since no other was there: what it lacks comes when one that has it is heard", attrs...)
		return
	}
	d.log.Info("synced: this node has every session", attrs...)
}

// reportMember says what became of a peer.
func (d *daemon) reportMember(e *engine.Event) {
	before := d.roster.enter(e.Member.Origin, e.State)
	level, text := memberNews(before, e.State)
	switch {
	case e.State == wire.Dead && e.Member.Left:
		level, text = slog.LevelInfo, "peer left"
	case e.State == wire.Dead && e.Member.Killed:
		level, text = slog.LevelWarn, "peer dead: its process ended without a goodbye"
	}
	if text == "" {
		return
	}
	attrs := []any{"peer", peerName(&e.Member), "address", e.Addr}
	switch e.State {
	case wire.Synced:
		if before == wire.Suspect || before == wire.Dead { // what it said before its silence is old
			break
		}
		attrs = append(attrs, "sessions", e.Member.Sessions)
	case wire.Suspect, wire.Dead:
		if !e.Member.Left {
			attrs = append(attrs, "silent", e.Member.Silence.Round(time.Millisecond))
		}
	}
	d.log.Log(context.Background(), level, text, attrs...)
}

// memberNews words a peer's change of state, as this node sees it.
func memberNews(before, now wire.MemberState) (slog.Level, string) {
	back := before == wire.Suspect || before == wire.Dead
	switch {
	case now == wire.Synced && before == 0:
		return slog.LevelInfo, "peer heard, synced"
	case now == wire.Joining && before == 0:
		return slog.LevelInfo, "peer heard, joining"
	case (now == wire.Synced || now == wire.Joining) && back:
		return slog.LevelInfo, "peer heard again, " + now.String()
	case now == wire.Synced || now == wire.Joining || now == wire.Leaving:
		return slog.LevelInfo, "peer " + now.String()
	case now == wire.Suspect:
		return slog.LevelWarn, "peer silent, probing it"
	case now == wire.Dead && before != wire.Suspect:
		return slog.LevelInfo, "peer gone: a new run of it is there"
	case now == wire.Dead:
		return slog.LevelWarn, "peer dead"
	}
	return slog.LevelInfo, ""
}

func peerName(m *engine.Member) string {
	if m.Name == "" {
		return admin.ShortID(m.Origin.Node)
	}
	return m.Name
}
