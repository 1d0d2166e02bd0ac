package seal

import (
	"crypto/cipher"
	"encoding/binary"

	"github.com/sessioncast/sessioncast/internal/record"
	"github.com/sessioncast/sessioncast/internal/replay"
	"github.com/sessioncast/sessioncast/internal/wire"
)

// Sealer seals what one origin sends, counting its packets. There must never be two for one origin: both would count
// from 1 and repeat nonces. One loop owns it.
type Sealer struct {
	self record.Origin
	ring *Keyring
	last uint64        // the latest packet number given out
	done replay.Window // the packet numbers that Finish has used: none is used twice

	// How the latest packets' tags begin, by their numbers; 0 where none was sealed. Two runs under one origin show by it.
	tags [replay.Size]uint64

	// The cipher of the epoch sealed last.
	aead  cipher.AEAD
	epoch uint64

	scratch scratch
}

// NewSealer makes the Sealer of self, whose incarnation must be a new one.
func NewSealer(k *Keyring, self record.Origin) *Sealer {
	return &Sealer{self: self, ring: k}
}

// SetKeyring seals with k's primary from the next frame on. A frame begun before cannot be finished any more. The
// packet numbers go on.
func (s *Sealer) SetKeyring(k *Keyring) {
	s.ring, s.aead = k, nil
}

// Packet is the number that the next frame will carry.
func (s *Sealer) Packet() uint64 { return s.last + 1 }

// Seal appends the sealed frame of body to dst; body may not overlap the space behind dst. With a destination the
// frame is addressed: only the node with that origin can open it. It gives nil for the zero destination.
func (s *Sealer) Seal(dst []byte, typ wire.Type, to *record.Origin, body []byte) []byte {
	start := len(dst)
	frame := append(s.Begin(dst, typ, to != nil), body...)
	if to == nil {
		return s.Finish(frame, start, record.Origin{})
	}
	return s.Finish(frame, start, *to)
}

// Begin appends the header of a new frame to dst and uses up a packet number. The caller appends the body and hands
// all of it to Finish. A frame never finished leaves a gap in the numbers, which means nothing. Several
// frames may be open at a time and be finished in any order, within replay.Size packets.
func (s *Sealer) Begin(dst []byte, typ wire.Type, addressed bool) []byte {
	s.last++
	s.tags[s.last%replay.Size] = 0
	return wire.AppendHeader(dst, &wire.Header{
		Type:      typ,
		Addressed: addressed,
		KeyID:     s.ring.PrimaryID(),
		Origin:    s.self,
		Packet:    s.last,
	})
}

// Finish seals the frame that starts at start in place and appends its tag. An addressed frame needs its
// destination, any other the zero Origin.
//
// It gives nil, and seals nothing, when the frame is not one that this Sealer began and has not finished yet, or to
// does not fit it: sealing one packet number twice would give the key away. The number is used up all the same.
func (s *Sealer) Finish(frame []byte, start int, to record.Origin) []byte {
	if start < 0 || start > len(frame) {
		return nil
	}
	var h wire.Header
	header := frame[start:]
	if wire.ParseHeader(header, &h) != nil || h.Origin != s.self || h.KeyID != s.ring.PrimaryID() || h.Packet > s.last {
		return nil
	}
	if !s.done.Accept(h.Packet) || h.Addressed == to.IsZero() {
		return nil
	}
	aad := s.scratch.aadOf(header, h.Addressed, to)
	aead := s.cipher(h.Packet >> epochBits)
	body := start + wire.HeaderSize
	sealed := aead.Seal(frame[:body], s.scratch.nonceOf(h.Packet), frame[body:], aad)
	if h.Packet+replay.Size > s.last {
		s.tags[h.Packet%replay.Size] = tagStart(sealed)
	}
	return sealed
}

// MayHaveSealed reports whether a whole frame under this Sealer's origin, whose header is h, may be one of its own: not where it
// never gave out the number, or sealed something else under it. Of numbers too long ago it remembers nothing, and
// says yes.
func (s *Sealer) MayHaveSealed(h *wire.Header, frame []byte) bool {
	switch {
	case h.Packet > s.last:
		return false
	case h.Packet+replay.Size <= s.last:
		return true
	}
	return s.tags[h.Packet%replay.Size] == tagStart(frame)
}

// tagStart is the first half of a frame's tag.
func tagStart(frame []byte) uint64 {
	return binary.BigEndian.Uint64(frame[len(frame)-wire.TagSize:])
}

func (s *Sealer) cipher(epoch uint64) cipher.AEAD {
	if s.aead == nil || s.epoch != epoch {
		s.aead = s.ring.keys[0].senderAEAD(s.ring.cluster, s.self, epoch)
		s.epoch = epoch
	}
	return s.aead
}
