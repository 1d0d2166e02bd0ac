package admin

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/sessioncast/sessioncast/internal/bridge"
	"github.com/sessioncast/sessioncast/internal/engine"
	"github.com/sessioncast/sessioncast/internal/link"
	"github.com/sessioncast/sessioncast/internal/record"
	"github.com/sessioncast/sessioncast/internal/resp"
	"github.com/sessioncast/sessioncast/internal/stream"
	"github.com/sessioncast/sessioncast/internal/table"
	"github.com/sessioncast/sessioncast/internal/transfer"
	"github.com/sessioncast/sessioncast/internal/wire"
)

// Reading is everything known about a node at one moment. The zero State means that the node is not open yet.
type Reading struct {
	At      time.Time
	Started time.Time
	Version string

	Node       string
	ID         record.NodeID
	Cluster    string
	Interface  string
	Mode       string   // auto, unicast or multicast: by which roads the others are reached
	Lookups    []string // what is wrong with the search for configured peers, a sentence each
	Group      netip.AddrPort
	Address    netip.AddrPort
	Clients    []string // where Redis clients connect
	Admin      string   // address of the HTTP API, empty when off
	Insecure   bool
	Ack        string
	AckTimeout time.Duration

	State   wire.MemberState
	Members []engine.Member // this node first
	Roster  Roster          // what was seen of them over time; nil: nothing
	Advice  []string        // about the sockets
	Strange []netip.Addr    // who uses another cluster key
	Foreign []netip.Addr    // who sent what is no frame of this cluster lately, most first

	Unproven []engine.Unproven // who is heard, and does not answer

	Acks   engine.AckHealth
	Full   engine.FullHealth
	Lost   engine.Incomplete
	Clock  error // why writes are refused; nil: this node's clock is no reason
	Counts Counts
	Stream stream.Stats
	Moved  transfer.Stats
	RESP   resp.Stats
	Bridge *bridge.Counters // nil where this node is in no group of originals
	// Before is the counts of about a minute ago; its zero At: there are none yet, so all counts are recent.
	Before Counts
}

// Roster knows what a list of members does not tell.
type Roster interface {
	// Known is how long a member has been there.
	Known(o record.Origin) time.Duration
	// Met tells whether multicast has passed between a member and this node, in one direction at least, since it came.
	Met(o record.Origin) bool
}

// Counts is what is compared with its own past.
type Counts struct {
	At     time.Time
	Engine engine.Counters
	Link   link.Stats
	Table  table.Stats
}

// History keeps the counts of the last minute. Its owner guards it; the zero value is ready to use.
type History struct {
	ring [historyLen]Counts
	next int
}

const (
	// HistoryStep is how often counts are kept.
	HistoryStep = 10 * time.Second
	historyLen  = 6
)

// Add keeps c in place of the oldest.
func (h *History) Add(c Counts) {
	h.ring[h.next] = c
	h.next = (h.next + 1) % historyLen
}

// Oldest is the counts of about a minute ago, zero in the first minute.
func (h *History) Oldest() Counts { return h.ring[h.next] }

// fullPct is how much of the memory limit is used.
func (r *Reading) fullPct() int {
	return int(100 * r.fullShare())
}

func (r *Reading) fullShare() float64 {
	if r.Counts.Table.Limit <= 0 {
		return 0
	}
	return float64(r.Counts.Table.Bytes) / float64(r.Counts.Table.Limit)
}

const (
	fullWarn    = 95  // percent of the limit from which new sessions are refused
	fullUnready = 110 // from which other nodes' sessions find no room
)

// fetching is why a node that joins is not ready.
const fetching = "fetching the sessions of the cluster"

// unready says why the node should get no traffic; empty when it should.
func (r *Reading) unready() string {
	switch {
	case r.State == 0:
		return "starting"
	case len(r.shutOut()) > 0:
		return fmt.Sprintf("it hears %s, and gets no answer: open UDP and TCP port %d between the nodes", named(r.shutOut()), r.Address.Port())
	case r.State == wire.Leaving:
		return "leaving the cluster"
	case !r.Full.Lacks.IsZero():
		return "memory is full: sessions of other nodes found no room here"
	case r.State == wire.Joining && len(r.Lookups) > 0 && r.syncedPeers() == 0:
		return "it has found nobody yet: " + r.Lookups[0]
	case r.State == wire.Joining:
		return fetching
	case r.Clock != nil:
		return "writes are refused because of this node's clock"
	case r.fullPct() >= fullUnready:
		return "memory is full: there is no room for sessions of other nodes"
	}
	return ""
}
