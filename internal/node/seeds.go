package node

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/sessioncast/sessioncast/internal/engine"
	"github.com/sessioncast/sessioncast/internal/link"
	"github.com/sessioncast/sessioncast/internal/peers"
)

// firstLook is how long a node without multicast waits for the addresses of the others before it starts to join.
const firstLook = 2 * time.Second

// The ways to configure a network without multicast wrongly.
var (
	ErrNoPeers    = errors.New("the mode is unicast and no peers are given: name the other nodes, or a DNS name that stands for all of them")
	ErrPeersUnfit = errors.New("the mode is multicast and peers are given: leave the mode out to use both, or the peers")
)

// validateMode checks the mode and the peers against each other.
func (c *Config) validateMode() error {
	switch {
	case c.Mode == engine.ModeUnicast && !c.Peers.Any():
		return ErrNoPeers
	case c.Mode == engine.ModeMulticast && c.Peers.Any():
		return ErrPeersUnfit
	}
	return nil
}

// Multicast is whether the sockets of a node in this mode need the group.
func Multicast(mode engine.Mode, havePeers bool) link.Multicast {
	switch {
	case mode == engine.ModeUnicast:
		return link.MulticastOff
	case mode == engine.ModeAuto && havePeers:
		return link.MulticastIfThere
	}
	return link.MulticastNeeded
}

// openLink opens the sockets that the mode wants; where they came without the group, the mode is unicast from here on.
func (n *Node) openLink() (*link.Link, error) {
	n.cfg.Network.Multicast = Multicast(n.cfg.Mode, n.cfg.Peers.Any())
	l, err := link.Open(n.cfg.Network)
	if errors.Is(err, link.ErrNoMulticast) {
		return nil, fmt.Errorf("%w; without multicast the other nodes must be named as peers", err)
	}
	if err != nil {
		return nil, err
	}
	if l.Resolved().Unicast && n.cfg.Mode == engine.ModeAuto {
		n.cfg.Mode = engine.ModeUnicast
		n.cfg.Log.Warn("no multicast on this interface: every peer gets everything by unicast", "interface", l.Resolved().Interface.Name)
	}
	return l, nil
}

// makeFinder prepares the search for peers, for a node whose own port is port.
func (n *Node) makeFinder() (err error) {
	c := n.cfg.Peers
	c.Port, c.V6, c.Log = uint16(n.cfg.Network.Port), n.cfg.Network.Use == "v6", n.cfg.Log
	if c.Port == 0 {
		c.Port = link.DefaultPort
	}
	if !c.Any() {
		return nil
	}
	n.finder, err = peers.New(c)
	return err
}

// findPeers looks for peers until the node stops. A node that has no other way to find them looks before it joins.
func (n *Node) findPeers() {
	if n.finder == nil {
		return
	}
	n.step(engine.Seeds{Unsure: true}) // until the first answer
	if n.cfg.Mode == engine.ModeUnicast {
		ctx, cancel := context.WithTimeout(n.ctx, firstLook)
		n.finder.Look(ctx, n.found)
		cancel()
	}
	n.wg.Go(func() { n.finder.Run(n.ctx, n.found) })
}

// found hands the machine where others may be.
func (n *Node) found(addrs []netip.AddrPort) {
	n.step(engine.Seeds{Addrs: addrs, Unsure: n.finder.Unsure()})
}

// Mode is how this node reaches the others.
func (n *Node) Mode() engine.Mode { return n.cfg.Mode }

// PeerProblems lists why configured peers cannot be found at present, a sentence each.
func (n *Node) PeerProblems() []string {
	if n.finder == nil {
		return nil
	}
	return n.finder.Problems()
}
