package sessioncast

import (
	"context"
	"log/slog"
	"net/netip"
	"time"

	"github.com/sessioncast/sessioncast/internal/engine"
	"github.com/sessioncast/sessioncast/internal/wire"
)

// Member is a node of the cluster as this node sees it.
type Member struct {
	Name     string
	ID       string // of the node, across its restarts
	Address  netip.AddrPort
	State    string // joining, synced, leaving, left, suspect or dead
	Self     bool
	Silence  time.Duration // since it was last heard
	Lag      uint64        // changes made here that it has not confirmed
	Loss     float64       // share of its multicast datagrams lost on the way here, over the last seconds
	Sessions uint64
	Bytes    uint64
}

// stateOf is the word for a member's state.
func stateOf(m engine.Member) string {
	if m.State == wire.Dead && m.Left {
		return "left"
	}
	return m.State.String()
}

// Members lists this node first, then every other that was heard, dead ones included.
func (n *Node) Members() []Member {
	inner := n.node.Members()
	list := make([]Member, len(inner))
	for i, m := range inner {
		list[i] = Member{
			Name: m.Name, ID: m.Origin.Node.String(), Address: m.Addr, State: stateOf(m), Self: m.Self,
			Silence: m.Silence, Lag: m.Lag, Loss: m.Loss, Sessions: m.Sessions, Bytes: m.Bytes,
		}
		if m.Self {
			list[i].Address = n.node.Addr()
		}
	}
	return list
}

// Stats are figures of this node since its start.
type Stats struct {
	Sessions   int64
	Tombstones int64 // of destroyed sessions, kept so that these stay destroyed
	Bytes      int64 // memory that sessions take
	MaxMemory  int64
	Peers      int // live and synced

	ChangesSent, ChangesReceived uint64
	FramesSent, FramesReceived   uint64
	Repairs                      uint64 // changes that came a second time, on request
	FramesDropped                uint64 // forged, foreign, replayed or malformed
	AckTimeouts                  uint64
	Divergences                  uint64 // faults found by comparing tables; healed
}

// Stats reads the figures.
func (n *Node) Stats() Stats {
	c, t := n.node.Counters(), n.table.Stats()
	return Stats{
		Sessions: int64(n.table.Len(0)), Tombstones: t.Tombstones, Bytes: t.Bytes, MaxMemory: t.Limit, Peers: n.node.Peers(),
		ChangesSent: c.DotsOut, ChangesReceived: c.DotsIn, FramesSent: c.FramesOut, FramesReceived: c.FramesIn,
		Repairs: c.RepairsIn, AckTimeouts: c.AckTimeouts, Divergences: c.Divergences,
		FramesDropped: c.DropShort + c.DropForeign + c.DropKey + c.DropReplay + c.DropTag + c.DropMalformed,
	}
}

// logEvents logs what the engine tells, at the level at which an operator wants to hear it.
func logEvents(log *slog.Logger) func(engine.Event) {
	return func(e engine.Event) {
		member := slog.Group("member", "name", e.Member.Name, "id", e.Member.Origin.Node.String(), "address", e.Addr)
		switch e.Kind {
		case engine.EventMember:
			level := slog.LevelInfo
			if e.State == wire.Suspect || e.State == wire.Dead && !e.Member.Left {
				level = slog.LevelWarn
			}
			log.Log(context.Background(), level, "member is "+stateOf(e.Member), member)
		case engine.EventSynced:
			log.Info("this node holds the cluster's sessions")
		case engine.EventIncomplete:
			if e.Missing == 0 {
				log.Warn("this node serves, and lacks sessions: the peer that gave them lacks some itself, which another took away", member)
				return
			}
			log.Warn("this node serves, and lacks sessions: who had them went away while they were fetched, and nobody else that is there has them; they may be lost",
				member, "changes", e.Missing, "sessions", e.Sessions)
		case engine.EventRegained:
			log.Info("the sessions that were missing have come")
		case engine.EventLacks:
			log.Warn("Config.MaxMemory leaves no room for all sessions of the others: what is not here is not found missing, but ErrIncomplete")
		case engine.EventLacksNoMore:
			log.Info("the sessions that found no room have come")
		case engine.EventHurried:
			log.Warn("this node had to leave before the others had everything", "peers without its last changes", e.Behind, "nodes that could get sessions here only", e.Takers)
		case engine.EventDivergence:
			log.Warn("a peer held the same changes and other sessions; healing", member)
		case engine.EventDuplicate:
			log.Error("two live nodes have the same name: give each its own", member)
		case engine.EventCloned:
			log.Error("another process runs as a clone of this one, memory included; this one goes on as a new run, but both have one name: give each its own", "address", e.Addr)
		case engine.EventClockAhead:
			log.Warn("a peer's clock is ahead by more than five seconds: set the clocks", member)
		case engine.EventUnheard:
			log.Warn("a peer lives, as others tell, and nothing of it arrives here: check firewalls and cables", member)
		case engine.EventHeard:
			log.Info("a peer arrives here again", member)
		case engine.EventSetAside:
			log.Warn("a peer receives far worse than the others: it pulls what it lacks", member)
		case engine.EventTakenBack:
			log.Info("a peer keeps up again", member)
		case engine.EventStoodStill:
			log.Warn("this node stood still: it was stopped, or its host had no time for it", "for", e.Member.Late)
		case engine.EventDegraded:
			log.Warn("writes return without the confirmations that Config.Ack asks for: a peer is slow or unreachable")
		case engine.EventConfirmed:
			log.Info("writes are confirmed again")
		case engine.EventCopies:
			log.Warn("a peer does not hear this node's multicast and is sent unicast copies: IGMP snooping without a querier, or a firewall", member)
		case engine.EventNoCopies:
			log.Info("a peer hears this node's multicast again", member)
		case engine.EventOtherKey:
			log.Warn("datagrams under another cluster key arrive: another cluster, or a node with the wrong key", "address", e.Addr)
		case engine.EventConfig:
			log.Warn("a peer has another maximum lifetime: set MaxLifetime alike on all nodes", member)
		}
	}
}
