package node

import (
	"context"
	"errors"
	"net/netip"

	"github.com/sessioncast/sessioncast/internal/record"
	"github.com/sessioncast/sessioncast/internal/stream"
)

// errWrongPeer: the address belongs to another run of a node by now.
var errWrongPeer = errors.New("the stream leads to another process than the one that was called")

// call opens a stream to one run of a node and has talk use it, until that returns or ctx ends.
func (n *Node) call(ctx context.Context, to netip.AddrPort, whom record.Origin, talk func(*stream.Conn) error) error {
	if n.link != nil {
		to = n.link.Zoned(to)
	}
	conn, err := stream.DialOver(ctx, n.cfg.Dialer, to, n.identity())
	if err != nil {
		return err
	}
	defer context.AfterFunc(ctx, conn.Close)()
	defer conn.Close()
	if conn.Peer() != whom {
		return errWrongPeer
	}
	return talk(conn)
}

// identity is what this node proves on streams.
func (n *Node) identity() stream.Identity {
	id := stream.Identity{Self: n.Self()}
	for _, key := range n.ring.IDs() {
		if seed, ok := n.ring.DeriveFor(key, "stream identity", 32); ok {
			id.Seeds = append(id.Seeds, [32]byte(seed))
		}
	}
	return id
}
