package wire

import (
	"encoding/binary"
	"errors"
	"strconv"

	"github.com/sessioncast/sessioncast/internal/record"
)

// The clear header of every datagram (docs/PROTOCOL.md). All of it is associated data of the sealed body behind
// it, so no bit of it can be changed in flight.
//
//	 0  2  magic "sc"
//	 2  1  version
//	 3  1  type; 0x80 set: addressed
//	 4  4  key id
//	 8 26  the sender's origin
//	34  8  packet number, big endian
//	42     sealed body, 16-byte tag
const (
	// Version is the only version of the format so far.
	Version = 1

	// HeaderSize is the length of the clear header.
	HeaderSize = 16 + record.OriginSize

	// TagSize is the length of the tag that ends every frame.
	TagSize = 16

	// Overhead is what sealing adds to a body; also the length of the shortest frame.
	Overhead = HeaderSize + TagSize
)

const (
	magic0, magic1 = 's', 'c'

	versionAt = 2
	typeAt    = 3
	keyAt     = 4
	originAt  = 8
	packetAt  = originAt + record.OriginSize

	addressedBit = 0x80
)

// Errors of ParseHeader, cheapest check first.
var (
	ErrShort   = errors.New("wire: frame too short")
	ErrMagic   = errors.New("wire: not a sessioncast frame")
	ErrVersion = errors.New("wire: unknown frame version")
	ErrType    = errors.New("wire: unknown frame type")
)

// Type says what a frame's body holds.
type Type uint8

// The frame types. Zero is none of them.
const (
	TypeData      Type = 1
	TypeFrag      Type = 2
	TypeHeartbeat Type = 3
	TypeNack      Type = 4
	TypeRepair    Type = 5
	TypeHello     Type = 6
	TypeGreet     Type = 7
	TypeLeave     Type = 8
	TypeProbe     Type = 9
	TypeProbeAck  Type = 10
	TypeProbeReq  Type = 11
	TypeAck       Type = 12
	TypeChallenge Type = 13
	TypeResponse  Type = 14
	TypeDoubt     Type = 15

	typeLast = TypeDoubt
)

var typeNames = [...]string{
	TypeData:      "DATA",
	TypeFrag:      "FRAG",
	TypeHeartbeat: "HEARTBEAT",
	TypeNack:      "NACK",
	TypeRepair:    "REPAIR",
	TypeHello:     "HELLO",
	TypeGreet:     "GREET",
	TypeLeave:     "LEAVE",
	TypeProbe:     "PROBE",
	TypeProbeAck:  "PROBE-ACK",
	TypeProbeReq:  "PROBE-REQ",
	TypeAck:       "ACK",
	TypeChallenge: "CHALLENGE",
	TypeResponse:  "RESPONSE",
	TypeDoubt:     "DOUBT",
}

// Valid reports whether t is a type of this version.
func (t Type) Valid() bool { return t >= TypeData && t <= typeLast }

func (t Type) String() string {
	if t.Valid() {
		return typeNames[t]
	}
	return "TYPE-" + strconv.Itoa(int(t))
}

// Header is the clear header of a frame. Read from the network it is only a claim until the frame has been opened.
type Header struct {
	Type Type

	// Addressed frames are sealed for one destination, whose origin is associated data but not sent.
	Addressed bool

	KeyID  [4]byte
	Origin record.Origin
	Packet uint64
}

// AppendHeader appends h's byte form to b.
func AppendHeader(b []byte, h *Header) []byte {
	typ := byte(h.Type)
	if h.Addressed {
		typ |= addressedBit
	}
	b = append(b, magic0, magic1, Version, typ)
	b = append(b, h.KeyID[:]...)
	b = h.Origin.Append(b)
	return binary.BigEndian.AppendUint64(b, h.Packet)
}

// ParseHeader reads the header at the start of b into h; h is unchanged when it fails.
func ParseHeader(b []byte, h *Header) error {
	switch {
	case len(b) < HeaderSize:
		return ErrShort
	case b[0] != magic0 || b[1] != magic1:
		return ErrMagic
	case b[versionAt] != Version:
		return ErrVersion
	}
	typ := Type(b[typeAt] &^ addressedBit)
	if !typ.Valid() {
		return ErrType
	}
	h.Type = typ
	h.Addressed = b[typeAt]&addressedBit != 0
	copy(h.KeyID[:], b[keyAt:originAt])
	h.Origin = record.OriginFrom(b[originAt:packetAt])
	h.Packet = binary.BigEndian.Uint64(b[packetAt:HeaderSize])
	return nil
}
