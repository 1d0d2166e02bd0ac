package engine

import (
	"net/netip"
	"time"

	"github.com/sessioncast/sessioncast/internal/hlc"
	"github.com/sessioncast/sessioncast/internal/record"
	"github.com/sessioncast/sessioncast/internal/seal"
	"github.com/sessioncast/sessioncast/internal/table"
	"github.com/sessioncast/sessioncast/internal/wire"
)

// Config is what a Machine is made of. All fields are needed unless they say otherwise.
type Config struct {
	Self    record.Origin
	Name    string
	Origins *record.Origins // shared with Table
	Clock   *hlc.Clock      // shared with Table
	Table   *table.Table
	Keyring *seal.Keyring

	Seed       [32]byte      // of the Machine's dice, which jitter timers and make challenges: unpredictable outside tests
	Ack        int           // how many peers every write asks for an acknowledgement; AckAll for all
	MaxPayload int           // bytes of a datagram; 0: wire.MaxPayload
	MaxSkew    time.Duration // 0: 5 s
	MaxRate    int           // ceiling of what is sent, bytes per second; 0: 125,000,000
	ConfigHash uint64        // of what all members must have alike
	Mode       Mode          // how the group is reached
}

// AckAll asks every live synced peer.
const AckAll = 1 << 20

// Input is one thing that happened: a Datagram, Wrote, Await, FetchStarted, FetchProgress, FetchDone, GiveStarted, GiveEnded,
// WatchBroken, LinkChanged, PayloadLimit, OwnAddress, Seeds, NewIncarnation or Leave.
type Input interface{ input() }

// Datagram arrived on one of the sockets. Step decrypts Data in place and keeps nothing of it.
type Datagram struct {
	Data      []byte
	From      netip.AddrPort
	Multicast bool
}

// Wrote says that the table has new local dots.
type Wrote struct{}

// Await asks to be told, by an Acked with the same ID, once K live synced peers hold every local dot up to Seq, or
// when Timeout has passed. K < 0 is Config.Ack; more than there are peers means all of them. Who is Patient waits until
// then also for peers that do not answer lately.
type Await struct {
	ID      uint64
	Seq     uint64
	Writes  int // for how many writes, Seq the last of them, a caller waits; 0: they were counted with an Await before
	K       int
	Timeout time.Duration
	Patient bool
	// Told, if not zero, has it wait, too, until this node holds all that each of these peers had made when its clock had passed that stamp.
	Told hlc.Stamp
}

// FetchStarted reports the donor's offer: what it held when its transfer began.
type FetchStarted struct {
	ID    uint64
	Offer []wire.Vector
	Marks []wire.Marks // how old the offered dots may be
}

// FetchProgress reports that all records before Cursor are merged.
type FetchProgress struct {
	ID     uint64
	Cursor uint64
}

// FetchDone reports the end of a fetch: complete when Err is nil and NoRoom false.
type FetchDone struct {
	ID      uint64
	NoRoom  bool // some records found no room in the table
	Dropped int  // births that ended in the donor's part of the cluster
	Err     error
}

// GiveStarted reports that Taker began to fetch state from this node; ID is the caller's, and of this transfer alone.
type GiveStarted struct {
	ID    uint64
	Taker record.Origin
}

// GiveEnded reports that the transfer is over: all was sent, or the connection is gone.
type GiveEnded struct{ ID uint64 }

// LinkChanged says that the sockets work again after an interruption: announce yourself anew.
type LinkChanged struct{}

// PayloadLimit lowers or raises the datagram size to what the path takes.
type PayloadLimit struct{ Bytes int }

// OwnAddress tells from where this node sends.
type OwnAddress struct{ Addr netip.AddrPort }

// Seeds tells where other nodes may be found without multicast, in place of what was told before.
type Seeds struct {
	Addrs  []netip.AddrPort
	Unsure bool // there are none because nobody could be asked: who joins waits a minute before it takes itself for alone
}

// Leave starts the drain: an EventLeft follows when all peers hold the last dot, and nobody is left who can get sessions from here
// only. It waits two seconds at most for the first, eight for the second, and an EventHurried comes before where that was not enough.
type Leave struct{}

func (Datagram) input()      {}
func (Wrote) input()         {}
func (Await) input()         {}
func (FetchStarted) input()  {}
func (FetchProgress) input() {}
func (FetchDone) input()     {}
func (GiveStarted) input()   {}
func (GiveEnded) input()     {}
func (LinkChanged) input()   {}
func (PayloadLimit) input()  {}
func (Leave) input()         {}
func (OwnAddress) input()    {}
func (Seeds) input()         {}

// Output is what a Poll asks its caller to do. Everything in it is valid until the next Poll with the same Output.
type Output struct {
	Frames  []Frame
	Fetches []Fetch
	Acked   []Acked
	Events  []Event

	Watching *Watching // nil: as before

	buffer []byte   // the frames' bytes
	copied [][]byte // those of which copies go out
}

// Frame is a sealed datagram. The zero To means the group. Frames may share their Data.
type Frame struct {
	Data []byte
	To   netip.AddrPort
}

// Fetch asks to transfer state from Donor over a stream: connect to To, make sure that Donor answers, send a
// wire.StreamPull with Cursor and, if Compare is set, the table's fingerprints; then report by FetchStarted,
// FetchProgress and FetchDone; a donor that sends nothing for two seconds has failed. At most one fetch is under way; a
// later one replaces it.
type Fetch struct {
	ID      uint64
	Donor   record.Origin
	To      netip.AddrPort
	Cursor  uint64
	Compare bool
}

// Acked answers an Await: Peers hold the dots; Met tells whether that is as many as were asked for.
type Acked struct {
	ID    uint64
	Peers int
	Met   bool
}

// EventKind says what an Event tells the operator.
type EventKind uint8

// The kinds of event.
const (
	EventMember      EventKind = iota + 1 // Member entered State
	EventSynced                           // this node has the others' state, the last of it from Member, or found itself alone (no Member)
	EventJoining                          // this node asks for state, again perhaps
	EventFetching                         // ... and Member begins to give it, or goes on with it after another
	EventDivergence                       // Member and this node held the same dots but not the same state; healing
	EventDuplicate                        // two live nodes have Member's name: Member, and who is at Other
	EventClockAhead                       // Member's clock is ahead by more than the limit
	EventOtherKey                         // datagrams sealed with a key that is not ours arrive, from Addr
	EventConfig                           // Member is configured differently from this node
	EventLeft                             // the drain is over
	EventSetAside                         // Member receives far worse than the others: it is not served one by one
	EventTakenBack                        // ... no longer
	EventStoodStill                       // this node was stopped, or had no time at all, for Member.Late
	EventUnheard                          // Member lives, as others tell, and nothing of it arrives here
	EventHeard                            // Member is heard here again
	EventDegraded                         // writes begin to return without the confirmations they ask for
	EventConfirmed                        // writes are confirmed again, for ten seconds
	EventCopies                           // Member does not hear our multicast, and gets copies by unicast
	EventNoCopies                         // Member hears our multicast again, and gets no more copies
	EventCloned                           // another run, from Addr where known, has this node's incarnation; it takes a new one
	EventEnded                            // Sessions were dropped: they ended in Member's part of the cluster, during a long separation
	EventHurried                          // the drain is over before it was complete: Behind peers, and Takers, lack something
	EventIncomplete                       // this node is synced without Missing dots, about Sessions, that Member offered and did not give
	EventRegained                         // ... and has them now
	EventLacks                            // this node has no room for records of others, and is not ready
	EventLacksNoMore                      // ... no longer, for ten seconds
	EventNotHeard                         // Member hears nothing of this node, which hears it
	EventHeardThere                       // ... does again
	EventUnproven                         // Member is heard, and neither answers challenges nor gets ours: unicast is shut
	EventShut                             // unicast between Member and this node is shut, as ShutIn and ShutOut say, though multicast passes
	EventShutNoMore                       // ... no longer, in either direction
)

// Event is something an operator may want to know.
type Event struct {
	Kind   EventKind
	Member Member
	State  wire.MemberState
	Addr   netip.AddrPort
	Other  netip.AddrPort // of an EventDuplicate; zero: this node

	Sessions int    // of an EventEnded, EventIncomplete
	Missing  uint64 // of an EventIncomplete
	Behind   int    // of an EventHurried: synced peers that had not confirmed the last change,
	Takers   int    // and nodes that could get the rest of the sessions from this one only
}

// Member is what this node knows of a member of the cluster.
type Member struct {
	Origin     record.Origin
	Name       string
	Addr       netip.AddrPort
	State      wire.MemberState
	Self       bool
	Silence    time.Duration // since it was last heard
	Lag        uint64        // local dots that it has not confirmed
	Lacks      uint64        // dots of its own that it announced and we lack
	Loss       float64       // share of its multicast datagrams that did not arrive here, over the last seconds
	RTT        time.Duration // of the fastest recent acknowledgement; 0: not known
	Sessions   uint64
	Bytes      uint64
	FullPct    int
	Lacking    bool          // it lacks records for which it has no room
	Giving     bool          // this node joins, and it gives the sessions
	Incomplete bool          // it lacks sessions that a donor took with it as it joined
	Offset     time.Duration // its clock minus ours
	OffsetAge  time.Duration // since it told its clock last, but for
	Stood      time.Duration // the time for which this node stood still since
	ClockTold  bool          // before that the offset is a guess, and its clock may be further behind
	Stamps     time.Duration // what it stamped last minus our clock; its offset, where that is more
	Left       bool          // it said goodbye
	Aside      bool          // it receives far worse than the others, and is to pull
	Killed     bool          // its process ended without one
	ViaOthers  bool          // it lives, as others tell, but nothing of it arrives here
	Unheard    bool          // nothing of this node arrives there, though it is heard here
	ShutIn     bool          // its unicast does not arrive here, though its multicast does: it confirms nothing
	ShutOut    bool          // the same the other way round, as it says
	Shut       time.Duration // for how long
	Multicast  bool          // its multicast arrived here within the last seconds
	HearsUs    bool          // it says that it hears our multicast
	Late       time.Duration // Self only: by how much it was late at most within the last seconds
	Stretch    int           // Self only: how many times the usual time it gives to peers, 1 where it is well
	Deaf       bool          // asked lately, it confirmed nothing: writes do not wait for it
	Copied     bool          // its own copies arrive here
	Copies     bool          // what goes to the group goes to it by unicast
	Unreached  bool          // because our multicast does not arrive there, and not just by chance
}
