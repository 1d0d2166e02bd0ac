package seal

import (
	"encoding/binary"

	"github.com/sessioncast/sessioncast/internal/record"
	"github.com/sessioncast/sessioncast/internal/wire"
)

const (
	nonceSize = 12
	aadSize   = wire.HeaderSize + record.OriginSize
)

// scratch is where the inputs of one call to the cipher stand, so that none has to be allocated.
type scratch struct {
	nonce [nonceSize]byte
	aad   [aadSize]byte
}

// nonceOf is four zero bytes and the packet number, which never repeats under one sender key.
func (s *scratch) nonceOf(packet uint64) []byte {
	binary.BigEndian.PutUint64(s.nonce[nonceSize-8:], packet)
	return s.nonce[:]
}

// aadOf is the header, and the destination's origin if it is addressed.
func (s *scratch) aadOf(header []byte, addressed bool, to record.Origin) []byte {
	aad := append(s.aad[:0], header[:wire.HeaderSize]...)
	if addressed {
		aad = to.Append(aad)
	}
	return aad
}
