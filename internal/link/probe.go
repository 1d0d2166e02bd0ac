package link

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"time"

	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
)

// How an original node is asked: its answer to a hello takes it less than a millisecond; a hello may be lost.
const (
	probeWindow = 300 * time.Millisecond
	probeAgain  = 100 * time.Millisecond
)

// originalMessage is what originals say to each other, as far as it concerns the probe, in their order of fields.
type originalMessage struct {
	Status  string `json:"status"`
	Type    string `json:"type"`
	Address string `json:"address,omitempty"`
	Port    uint16 `json:"port,omitempty"`
}

// ProbeOriginal tells whether an express-session-multicast node listens on r's group and port, and where. Such a node
// dies of the first datagram that is not its own JSON, so a node that shares the defaults asks before it sends anything
// else. It asks in the original's own words, from ports of its own, and says goodbye. log may be nil.
//
// An original does not answer a hello with its own address. One that runs on this host has ours, so it is asked a second
// time by loopback, where it listens too.
func ProbeOriginal(ctx context.Context, r Resolved, log *slog.Logger) (found bool, from netip.Addr, err error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	ctx, cancel := context.WithTimeout(ctx, probeWindow)
	defer cancel()
	network, err := newAsker(r, r.Address, r.Group)
	if err != nil {
		return false, netip.Addr{}, fmt.Errorf("asking for original nodes: %w", err)
	}
	defer network.leave()
	askers := []*asker{network}
	if local, err := newAsker(r, loopbackOf(r.V6), netip.AddrPortFrom(loopbackOf(r.V6), r.Group.Port())); err != nil {
		log.Debug("original nodes on this host are not asked for", "error", err)
	} else {
		defer local.leave()
		askers = append(askers, local)
	}
	from, err = ask(ctx, askers)
	return from.IsValid(), from, err
}

func loopbackOf(v6 bool) netip.Addr {
	if v6 {
		return netip.IPv6Loopback()
	}
	return netip.AddrFrom4([4]byte{127, 0, 0, 1})
}

// ask says hello, twice, and waits for the first greeting or the end of ctx.
func ask(ctx context.Context, askers []*asker) (from netip.Addr, err error) {
	greeted := make(chan netip.Addr, len(askers))
	var listening int
	for _, a := range askers {
		listening++
		go func() { greeted <- a.listen(ctx) }()
	}
	timer := time.NewTimer(probeAgain)
	defer timer.Stop()
	err = hello(askers)
	for listening > 0 {
		select {
		case <-timer.C:
			err = errors.Join(err, hello(askers))
		case a := <-greeted:
			listening--
			if a.IsValid() && !from.IsValid() {
				from = a
				for _, a := range askers { // ends the others' listening
					_ = a.conn.SetReadDeadline(time.Unix(1, 0))
				}
			}
		}
	}
	if from.IsValid() {
		return from, nil
	}
	return from, err
}

// hello's error is that of the first asker, who asks the network.
func hello(askers []*asker) error {
	err := askers[0].say("new", true)
	for _, a := range askers[1:] {
		_ = a.say("new", true) // nobody listens there: so much the better
	}
	return err
}

// asker is one socket that plays an original node.
type asker struct {
	conn *net.UDPConn
	to   netip.AddrPort
	self netip.AddrPort
}

func newAsker(r Resolved, address netip.Addr, to netip.AddrPort) (*asker, error) {
	index := uint32(r.Interface.Index)
	conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(zoned(netip.AddrPortFrom(address, 0), index)))
	if err != nil {
		return nil, err
	}
	if to.Addr().IsMulticast() {
		if err := multicastBy(conn, r); err != nil {
			_ = conn.Close()
			return nil, err
		}
	}
	port := conn.LocalAddr().(*net.UDPAddr).AddrPort().Port()
	return &asker{conn: conn, to: zoned(to, index), self: netip.AddrPortFrom(named(address, r), port)}, nil
}

// named is the address under which another host can answer: a link-local one needs an interface there, which most
// likely has our interface's name.
func named(a netip.Addr, r Resolved) netip.Addr {
	if needsZone(a) {
		return a.WithZone(r.Interface.Name)
	}
	return a
}

func multicastBy(conn *net.UDPConn, r Resolved) error {
	iface := &net.Interface{Index: r.Interface.Index, Name: r.Interface.Name}
	if r.V6 {
		p := ipv6.NewPacketConn(conn)
		return firstError(
			func() error { return p.SetMulticastInterface(iface) },
			func() error { return p.SetMulticastHopLimit(r.HopLimit) },
			func() error { return p.SetMulticastLoopback(true) },
		)
	}
	p := ipv4.NewPacketConn(conn)
	return firstError(
		func() error { return p.SetMulticastInterface(iface) },
		func() error { return p.SetMulticastTTL(r.HopLimit) },
		func() error { return p.SetMulticastLoopback(true) },
	)
}

// say sends a node's hello or goodbye.
func (a *asker) say(status string, withSelf bool) error {
	m := originalMessage{Status: status, Type: "node"}
	if withSelf {
		m.Address, m.Port = a.self.Addr().String(), a.self.Port()
	}
	text, err := json.Marshal(m)
	if err != nil {
		return err
	}
	_, err = a.conn.WriteToUDPAddrPort(text, a.to)
	return err
}

// listen waits for a greeting and tells whose it was; zero when none came before ctx ended.
func (a *asker) listen(ctx context.Context) netip.Addr {
	stop := context.AfterFunc(ctx, func() { _ = a.conn.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	buffer := make([]byte, maxDatagram)
	for {
		n, from, err := a.conn.ReadFromUDPAddrPort(buffer)
		if err != nil {
			if ctx.Err() != nil || !temporary(err) {
				return netip.Addr{}
			}
			continue
		}
		if isGreeting(buffer[:n]) {
			return from.Addr().Unmap().WithZone("")
		}
	}
}

// isGreeting looks at nothing but what makes a greeting: the other fields are as the node's user wrote them.
func isGreeting(text []byte) bool {
	var m struct{ Status, Type string }
	return json.Unmarshal(text, &m) == nil && m.Status == "new" && m.Type == "greeting"
}

// leave says goodbye as an original does, so that none keeps us in its list of hosts.
func (a *asker) leave() {
	_ = a.say("destroy", false)
	_ = a.conn.Close()
}
