package sim

import (
	"net/netip"

	"github.com/cespare/xxhash/v2"
	"github.com/sessioncast/sessioncast/internal/record"
	"github.com/sessioncast/sessioncast/internal/wire"
)

// nonces holds what was sealed under every packet number of every origin: two frames under one would give the key away.
type nonces struct {
	sent map[record.Origin][]uint64 // hash of the frame, by packet number
}

// maxPackets is more than one incarnation sends in a run.
const maxPackets = 1 << 24

func (s *nonces) check(w *World, n *Node, frame []byte) {
	var h wire.Header
	if err := wire.ParseHeader(frame, &h); err != nil {
		w.fail("frames", "node %d sends what does not parse: %v", n.id, err)
		return
	}
	switch {
	case h.Origin != n.origin:
		w.fail("frames", "node %d sends in the name of another", n.id)
		return
	case h.Packet == 0 || h.Packet > maxPackets:
		w.fail("nonce", "node %d: packet number %d", n.id, h.Packet)
		return
	case len(frame) > wire.MaxPayload:
		w.fail("frames", "node %d sends %d bytes", n.id, len(frame))
		return
	}
	if s.sent == nil {
		s.sent = make(map[record.Origin][]uint64)
	}
	seen := s.sent[h.Origin]
	for uint64(len(seen)) <= h.Packet {
		seen = append(seen, 0)
	}
	hash := xxhash.Sum64(frame) | 1
	if seen[h.Packet] != 0 && seen[h.Packet] != hash {
		w.fail("nonce", "node %d seals two frames under packet number %d", n.id, h.Packet)
	}
	seen[h.Packet] = hash
	s.sent[h.Origin] = seen
}

// traceFrame writes what a frame says, for who holds its key.
func (w *World) traceFrame(n *Node, frame []byte, to netip.AddrPort) {
	w.trace.frame(w, n, frame, to)
}
