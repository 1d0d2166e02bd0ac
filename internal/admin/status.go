package admin

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	"github.com/sessioncast/sessioncast/internal/engine"
	"github.com/sessioncast/sessioncast/internal/record"
	"github.com/sessioncast/sessioncast/internal/wire"
)

// Schema names the form of Status. Fields may be added to it; none changes its meaning.
const Schema = "sessioncast.status/v1"

// Status is what /v1/status answers and "sessioncast status --json" prints. Times are seconds or, where the name says so,
// milliseconds; what is not known is null.
type Status struct {
	Schema  string `json:"schema"`
	Verdict string `json:"verdict"` // the state of the cluster in one sentence
	Node    string `json:"node"`
	ID      string `json:"id"`
	Cluster string `json:"cluster"` // empty: the unnamed one
	Group   string `json:"group"`
	Address string `json:"address"`
	State   string `json:"state"` // starting, joining, synced or leaving
	Ready   bool   `json:"ready"`
	// Reason says why the node is not ready.
	Reason    string `json:"reason"`
	Uptime    int64  `json:"uptime"`
	Version   string `json:"version"`
	Interface string `json:"interface"`
	// Mode says by which roads the others are reached: auto, unicast or multicast.
	Mode string `json:"mode"`
	// Clients are the addresses for Redis clients, Admin that of this API, empty when it is off.
	Clients []string `json:"clients"`
	Admin   string   `json:"admin"`
	Ack     string   `json:"ack"`
	Acks    Acks     `json:"acks"`

	// Members are this node and the others, the living first; of those gone, the ones heard in the last quarter of an hour.
	Members []Member `json:"members"`
	// Unproven are nodes of the cluster of which something arrives here, and no answer, so that they are no members.
	Unproven   []Unproven `json:"unproven"`
	Sessions   int64      `json:"sessions"`
	Tombstones int64      `json:"tombstones"`
	Bytes      int64      `json:"bytes"`
	Limit      int64      `json:"limit"` // of Bytes; 0: none
	Counters   Counters   `json:"counters"`
	// Bridge counts what went between originals and this node; null where it is no bridge.
	Bridge *BridgeStatus `json:"bridge"`
	// Findings are sentences worth an operator's attention, with what to do.
	Findings []string `json:"findings"`
}

// Member is one member of the cluster as this node sees it.
type Member struct {
	Name    string `json:"name"`
	ID      string `json:"id"`
	Address string `json:"address"`
	State   string `json:"state"` // joining, synced, leaving, suspect, dead or left
	Self    bool   `json:"self"`
	// Lag is the number of this node's changes that it has not confirmed, Lacks that of its changes missing here.
	Lag   uint64 `json:"lag"`
	Lacks uint64 `json:"lacks"`
	// Loss is the share, 0 to 1, of its multicast datagrams that did not arrive here over the last seconds.
	Loss      float64  `json:"loss"`
	RTTMS     *float64 `json:"rtt_ms"`
	SilenceMS int64    `json:"silence_ms"`
	// FiguresAgeMS is how old its loss, sessions and bytes are where it is not heard, null where it is.
	FiguresAgeMS *int64 `json:"figures_age_ms"`
	// Lacking tells whether it lacks sessions for which it has no room.
	Lacking bool `json:"lacking"`
	// Giving tells whether this node joins, and gets its sessions from there.
	Giving bool `json:"giving,omitempty"`
	// Incomplete tells whether it lacks sessions that a donor took with it as it joined.
	Incomplete bool   `json:"incomplete"`
	Sessions   uint64 `json:"sessions"`
	Bytes      uint64 `json:"bytes"`
	// OffsetMS is how far its clock is ahead of this node's.
	OffsetMS float64 `json:"offset_ms"`
	// Answers tells whether it confirms this node's writes lately; they do not wait for one that does not.
	Answers bool `json:"answers"`
	// Unheard tells that nothing of this node arrives there, though it is heard here.
	Unheard bool `json:"unheard"`
	// ViaOthers tells the opposite: nothing of it arrives here, though it lives, as others tell.
	ViaOthers bool `json:"via_others"`
	// ShutIn tells that nothing by unicast arrives from it, though its multicast does, ShutOut the same the other way round.
	ShutIn  bool `json:"shut_in"`
	ShutOut bool `json:"shut_out"`
	// HearsUs tells whether it says that this node's multicast arrives there.
	HearsUs bool `json:"hears_us"`
	// Road is how it gets what this node sends to all: "multicast" or "unicast".
	Road string `json:"road"`
}

// Counters count since the start of the node, but for Loss.
type Counters struct {
	Loss          float64 `json:"loss"` // the highest among living members
	Nacks         uint64  `json:"nacks"`
	NacksReceived uint64  `json:"nacks_received"`
	Repairs       uint64  `json:"repairs"` // received
	RepairsSent   uint64  `json:"repairs_sent"`
	Divergences   uint64  `json:"divergences"`
	// DegradedAcks are writes that returned before as many peers had confirmed them as --ack asks for; UnmetAcks are calls that asked
	// for more than that, and returned before so many had.
	DegradedAcks    uint64 `json:"degraded_acks"`
	UnmetAcks       uint64 `json:"unmet_acks"`
	Transfers       uint64 `json:"transfers"`
	TransfersFailed uint64 `json:"transfers_failed"`
	TransferRecords uint64 `json:"transfer_records"` // taken from donors
	TransferBytes   uint64 `json:"transfer_bytes"`
	RefusedWrites   uint64 `json:"refused_writes"` // of clients: memory full, or this node's clock ahead
	HeldWrites      uint64 `json:"held_writes"`    // of clients: the session was logged out a moment ago
	// Drops counts what was thrown away, by kind. "unproven" and "original" are ordinary: the first contact of each peer, and
	// the question of a starting node for express-session-multicast nodes.
	Drops map[string]uint64 `json:"drops"`
}

// goneShown is how long a member that is gone stays in the list.
const goneShown = 15 * time.Minute

// Status describes the reading.
func (r *Reading) Status() *Status {
	s := &Status{
		Schema: Schema, Node: r.Node, ID: r.ID.String(), Cluster: r.Cluster, Group: addrText(r.Group),
		Address: addrText(r.Address), State: stateText(r.State), Reason: r.unready(), Uptime: r.uptime(), Version: r.Version,
		Interface: r.Interface, Mode: r.Mode, Clients: append([]string{}, r.Clients...), Admin: r.Admin, Ack: r.Ack, Acks: r.acks(),
		Members: r.members(), Unproven: r.unproven(), Sessions: r.Counts.Table.Sessions, Tombstones: r.Counts.Table.Tombstones,
		Bytes: r.Counts.Table.Bytes, Limit: r.Counts.Table.Limit, Findings: r.findingTexts(),
	}
	s.Ready = s.Reason == ""
	s.Counters = r.counters(s.Members)
	s.Bridge = r.bridge()
	s.Verdict = s.verdict()
	return s
}

func (r *Reading) findingTexts() []string {
	texts := []string{}
	for _, f := range r.Findings() {
		texts = append(texts, f.Text)
	}
	return texts
}

func (r *Reading) uptime() int64 {
	if r.Started.IsZero() {
		return 0
	}
	return int64(r.At.Sub(r.Started).Seconds())
}

func addrText(a netip.AddrPort) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

func stateText(s wire.MemberState) string {
	if s == 0 {
		return "starting"
	}
	return s.String()
}

// members lists every node once: of several runs of one node the living, else the last one heard.
func (r *Reading) members() []Member {
	list := []Member{}
	for _, m := range r.present() {
		list = append(list, r.member(&m))
	}
	return list
}

func (r *Reading) present() []engine.Member {
	byNode := map[record.NodeID]int{}
	var list []engine.Member
	for _, m := range r.Members {
		if m.State == wire.Dead && m.Silence > goneShown {
			continue
		}
		i, seen := byNode[m.Origin.Node]
		switch {
		case !seen, m.State != wire.Dead && list[i].State != wire.Dead: // two that live under one name are both shown
			byNode[m.Origin.Node] = len(list)
			list = append(list, m)
		case better(&m, &list[i]):
			list[i] = m
		}
	}
	slices.SortStableFunc(list, func(a, b engine.Member) int {
		return cmp.Or(cmp.Compare(rank(&a), rank(&b)), cmp.Compare(a.Name, b.Name))
	})
	return list
}

// better tells which of two runs of one node, of which one at least is dead, stands for it.
func better(a, b *engine.Member) bool {
	if (a.State == wire.Dead) != (b.State == wire.Dead) {
		return b.State == wire.Dead
	}
	return a.Silence < b.Silence
}

func rank(m *engine.Member) int {
	switch {
	case m.Self:
		return 0
	case m.State != wire.Dead:
		return 1
	}
	return 2
}

func (r *Reading) member(m *engine.Member) Member {
	d := Member{
		Name: Printable(memberName(m)), ID: m.Origin.Node.String(), Address: addrText(m.Addr), State: m.State.String(), Self: m.Self,
		Lag: m.Lag, Lacks: m.Lacks, Lacking: m.Lacking, Giving: m.Giving, Incomplete: m.Incomplete, Loss: m.Loss, SilenceMS: m.Silence.Milliseconds(), Sessions: m.Sessions,
		Bytes: m.Bytes, OffsetMS: millis(m.Offset), HearsUs: m.HearsUs, Road: road(m), Answers: !m.Deaf, Unheard: m.Unheard,
		ViaOthers: m.ViaOthers,
		ShutIn:    m.ShutIn, ShutOut: m.ShutOut,
	}
	if !m.Self && (m.State == wire.Dead || m.State == wire.Suspect || m.ViaOthers) {
		age := d.SilenceMS
		d.FiguresAgeMS = &age
	}
	if m.RTT > 0 {
		rtt := millis(m.RTT)
		d.RTTMS = &rtt
	}
	if m.Self {
		d.Address, d.SilenceMS = addrText(r.Address), 0
	}
	if m.State == wire.Dead && m.Left {
		d.State = "left"
	}
	return d
}

// ShortID is a node's id as people are shown it.
func ShortID(id record.NodeID) string { return id.String()[:8] }

func memberName(m *engine.Member) string { return cmp.Or(m.Name, ShortID(m.Origin.Node)) }

func millis(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func (r *Reading) counters(members []Member) Counters {
	e := &r.Counts.Engine
	c := Counters{
		Nacks: e.NacksOut, NacksReceived: e.NacksIn, Repairs: e.RepairsIn, RepairsSent: e.RepairsOut, Divergences: e.Divergences,
		DegradedAcks: e.AckTimeouts, UnmetAcks: e.AckMoreUnmet, Transfers: e.FetchesStarted, TransfersFailed: e.FetchesFailed, Drops: r.drops(),
		TransferRecords: r.Moved.RecordsIn, TransferBytes: r.Moved.BytesIn,
		RefusedWrites: r.Counts.Table.Refused, HeldWrites: r.Counts.Table.Held,
	}
	for _, m := range members {
		if m.live() && m.FiguresAgeMS == nil {
			c.Loss = max(c.Loss, m.Loss)
		}
	}
	return c
}

// live reports whether the member still takes part.
func (m *Member) live() bool { return m.State != "dead" && m.State != "left" }

// drops are the counters of what was thrown away, whatever threw it away.
func (r *Reading) drops() map[string]uint64 {
	e, l, t, s, c := &r.Counts.Engine, &r.Counts.Link, &r.Counts.Table, &r.Stream, &r.RESP
	return map[string]uint64{
		"short": e.DropShort, "foreign": e.DropForeign, "key": e.DropKey, "replay": e.DropReplay, "tag": e.DropTag,
		"malformed": e.DropMalformed, "unproven": e.DropUnproven, "original": e.DropOriginal, "own": e.DropOwn, "fragment": e.FragmentDrops,
		"no_room": e.NoRoom, "backlog": e.BacklogDropped, "repair_budget": e.RepairDenied, "strangers": e.ChallengesDenied, "sightings": e.SightingsDropped,
		"members": e.MembersForgotten, "relays": e.RelaysDropped, "other_keys": e.OtherKeysDropped, "watchers": e.WatchersDenied,
		"awaits": e.AwaitDenied, "events": e.EventsDropped, "control": e.ControlDropped, "calls": e.CallsDropped, "seeds": e.SeedsDropped,
		"kernel": l.KernelDrops, "oversize": l.Oversize, "send": l.SendErrors, "too_large": l.TooLarge,
		"unknown_destroy": t.UnknownDropped, "invalid": t.Invalid,
		"stream_refused": s.Refused, "stream_foreign": s.Foreign, "stream_garbage": s.Garbage, "stream_hung_up": s.HungUp, "stream_slow": s.Slow,
		"client_protocol": c.ClosedProtocol, "client_http": c.ClosedHTTP, "client_limit": c.ClosedTooMany,
		"client_output": c.ClosedOutput, "client_stalled": c.ClosedStalled,
		"client_input": c.ClosedInput,
	}
}

func road(m *engine.Member) string {
	if m.Copies {
		return "unicast"
	}
	return "multicast"
}
