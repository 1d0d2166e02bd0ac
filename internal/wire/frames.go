package wire

import (
	"net/netip"

	"github.com/sessioncast/sessioncast/internal/dots"
	"github.com/sessioncast/sessioncast/internal/hlc"
	"github.com/sessioncast/sessioncast/internal/record"
)

// Limits of a frame and its parts. A frame that exceeds one is malformed.
const (
	MaxPayload     = 1400    // bytes of a datagram, header and tag included
	MaxAckFrom     = 32      // nodes that a frame may ask for an acknowledgement
	MaxItems       = 512     // keys in one batch
	MaxItemDots    = 4096    // dots that one item covers
	MaxRanges      = 64      // ranges of one origin in a NACK
	MaxWants       = 64      // origins, and fragment sets, in a NACK
	MaxSetRanges   = 8192    // ranges of one origin's interval set
	MaxVectors     = 1024    // origins in one heartbeat or acknowledgement
	MaxOfferOrigin = 1 << 17 // origins in a stream's offer
	MaxHostName    = 64      // bytes of a node's name
	MaxKeyIDs      = 4       // keys of a ring
	MaxState       = 2*record.MaxBirths*(record.MaxValue+1024) + 1024
	MaxFragments   = MaxState/512 + 1
)

// Item is one key's news: the dots it covers and what is known of the key.
type Item struct {
	Origin record.Ref
	Dots   []uint64 // covered by this item, ascending
	Kind   ItemKind
	Key    record.Key
	State  record.State // of KindState and KindTouch
}

// ItemKind says what an Item holds.
type ItemKind uint8

const (
	KindState   ItemKind = iota + 1 // the key's whole state
	KindTouch                       // deadline registers only: births have no value
	KindNothing                     // the sender knows the key and keeps nothing of it any more: the dots are covered
	KindPull                        // the sender does not know these dots' keys: ask for a pull. No key, no state
)

// Batch is the body of TypeData, where every origin is the sender, and of TypeRepair.
type Batch struct {
	AckFrom []record.NodeID // who is asked to acknowledge
	Items   []Item
}

// Fragment is a piece of an Item that is too large for a frame: the body of TypeFrag.
type Fragment struct {
	AckFrom []record.NodeID
	Origin  record.Ref
	Dots    []uint64 // that the whole item covers
	ID      uint64   // hash of the item's encoding: pieces of different versions never mix
	Total   uint32   // bytes of the item's encoding
	Size    uint32   // bytes of every fragment but the last
	Index   uint32   // of this fragment; it starts at Index × Size
	Repair  bool     // sent again on request
	Bytes   []byte
}

// Nack is the body of TypeNack: what its sender lacks of what others have announced.
type Nack struct {
	Wants []Want
	Frags []FragWant
}

// Want asks for the dots of one origin.
type Want struct {
	Origin record.Ref
	Ranges []dots.Range
}

// FragWant asks for fragments of an item of which others arrived.
type FragWant struct {
	Origin record.Ref
	Seq    uint64 // one of the item's dots
	ID     uint64
	Ranges []dots.Range // fragment indices + 1, since ranges count from 1
}

// MemberState is where a node is in its life; see PROTOCOL.md, "Members".
type MemberState uint8

const (
	Joining MemberState = iota + 1 // asks for or receives the others' state
	Synced                         // has it
	Leaving                        // takes no more writes
	Suspect                        // silent; never said of oneself
	Dead                           // silent for too long, or gone; never said of oneself
)

// Vector is what a node holds of one origin.
type Vector struct {
	Origin record.Ref
	Set    dots.Set
}

// Mark says that an origin made its dots above Seq after At, in Unix milliseconds.
type Mark struct {
	Seq uint64
	At  int64
}

// Marks are an origin's, the earliest first.
type Marks struct {
	Origin record.Ref
	List   []Mark
}

// Heartbeat is the body of TypeHeartbeat. After data only its first fields are sent (Full false).
type Heartbeat struct {
	High uint64 // the sender's own dots sent so far are 1 to High
	Sent uint64 // multicast datagrams sent by this incarnation, this one included: receivers measure loss by it
	Full bool

	Incomplete bool // the sender lacks what a donor took with it as it joined

	State      MemberState
	Name       string
	Sessions   uint64
	Bytes      uint64
	FullPct    uint8 // of the memory limit; LacksPct or more: the sender lacks records for which it has no room
	WallMillis int64 // the sender's own clock, Unix milliseconds
	KeyIDs     [][4]byte
	Config     uint64 // hash of what all members must have alike
	VectorHash uint64 // of every interval set, dead origins' included
	DeadHash   uint64 // of the dead origins' sets alone
	Epoch      uint64 // hlc epoch at which Root was taken
	Root       uint64 // fingerprint of the whole table
	Made       uint64 // the sender's own dots made so far are 1 to Made: what comes later is younger than this frame
	Vectors    []Vector
	Heard      []Heard
}

// LacksPct is what a node says at least to be full while it lacks records for want of room, and what nobody else says.
const LacksPct = 110

// Heard is what the sender of a heartbeat makes of one peer.
type Heard struct {
	Origin    record.Ref
	Multicast bool  // heard from it by multicast within the last three seconds
	Shut      bool  // with Multicast: nothing comes from it by unicast, though it is asked again and again
	LossPct   uint8 // of its multicast datagrams over the last seconds, in half percents, at most 200
}

// Ack is the body of TypeAck: what its sender holds of the destination's dots, or the newest part of it.
type Ack struct {
	Set dots.Set
}

// Hello is the body of TypeHello. It is padded, so that no answer to it is larger.
type Hello struct {
	Name  string
	State MemberState
}

// Greet is the body of TypeGreet, the answer to a proven Hello.
type Greet struct {
	Name     string
	State    MemberState
	Sessions uint64
	Bytes    uint64
	Dots     uint64           // dots held, of all origins: who has more knows more
	FullPct  uint8            // as in a heartbeat
	Peers    []netip.AddrPort // where other members are, MaxIntroduced at most
}

// Leave is the body of TypeLeave.
type Leave struct {
	High uint64
}

// Probe is the body of TypeProbe and TypeProbeAck, which returns the nonce.
type Probe struct {
	Nonce uint64
}

// ProbeReq asks its receiver to probe Target and pass the answer on.
type ProbeReq struct {
	Target record.Ref
	Nonce  uint64
}

// Doubt says that the sender's connection to Target ended without a goodbye: whoever hears it looks for itself.
type Doubt struct {
	Target record.Ref
}

// Nonce is what a challenge asks to have returned.
type Nonce [16]byte

// Challenge is the body of TypeChallenge.
type Challenge struct {
	Nonce Nonce
}

// Response is the body of TypeResponse: the nonce returned, and the responder's own challenge unless it is zero.
type Response struct {
	Nonce     Nonce
	Challenge Nonce
	High      uint64 // as in a heartbeat
}

// Time is the sender's clock, the first field of every body.
type Time = hlc.Stamp
