package link

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"

	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
)

// Originals is the sockets of a node in a group of express-session-multicast nodes. Its datagrams may be as long as theirs, so they
// may be fragmented. Send and Rejoin are for one goroutine at a time.
type Originals struct {
	resolved Resolved
	group    *net.UDPConn // hears the group
	own      *net.UDPConn // hears what is for this node alone, and sends everything
	closing  sync.Once
}

// OpenOriginals opens the sockets and joins r's group, as originals do; they share no port with anything else on their host.
func OpenOriginals(r Resolved) (*Originals, error) {
	o := &Originals{resolved: r}
	group, err := listenGroup(r)
	if err != nil {
		return nil, originalsError(r, err)
	}
	o.group = group
	at := zoned(netip.AddrPortFrom(r.Address, r.Group.Port()), uint32(r.Interface.Index))
	if o.own, err = net.ListenUDP("udp", net.UDPAddrFromAddrPort(at)); err != nil {
		_ = group.Close()
		return nil, originalsError(r, err)
	}
	setReceiveBuffer(o.own, r.ReceiveBuffer)
	setReceiveBuffer(o.group, r.ReceiveBuffer)
	if err := errors.Join(multicastBy(o.own, r), o.join()); err != nil {
		_ = o.Close()
		return nil, fmt.Errorf("%w: joining the originals' group %s on %s: %w", ErrNoMulticast, r.Group.Addr(), r.Interface.Name, err)
	}
	return o, nil
}

func originalsError(r Resolved, err error) error {
	if !addressInUse(err) {
		return fmt.Errorf("opening UDP %s: %w", r.Group, err)
	}
	return fmt.Errorf("%w: UDP port %d is held by another program on this host, perhaps an express-session-multicast node, which shares its port with"+
		" nobody: run the bridge on a host without one", ErrPortTaken, r.Group.Port())
}

func (o *Originals) join() error {
	iface, err := net.InterfaceByName(o.resolved.Interface.Name)
	if err != nil {
		return err
	}
	group := &net.UDPAddr{IP: o.resolved.Group.Addr().AsSlice()}
	if o.resolved.V6 {
		return ipv6.NewPacketConn(o.group).JoinGroup(iface, group)
	}
	return ipv4.NewPacketConn(o.group).JoinGroup(iface, group)
}

// Rejoin joins the group again where the interface was made anew; a member stays one.
func (o *Originals) Rejoin() {
	_ = o.join() // of a member, that it is one
	if iface, err := net.InterfaceByName(o.resolved.Interface.Name); err == nil && iface.Index != o.resolved.Interface.Index {
		o.resolved.Interface.Index = iface.Index
		_ = multicastBy(o.own, o.resolved) // what does not work now works the next time
	}
}

// Self is the address by which the originals know this node.
func (o *Originals) Self() netip.AddrPort {
	return netip.AddrPortFrom(o.resolved.Address, o.resolved.Group.Port())
}

// Group is where multicast for originals goes.
func (o *Originals) Group() netip.AddrPort { return o.resolved.Group }

// FirewallLines let the originals' datagrams in, for nft and for iptables. They name no address: a large datagram comes in fragments, which have no port,
// and are put together before these rules look at them.
func (o *Originals) FirewallLines() (nft, iptables string) {
	tables, name, port := "iptables", o.resolved.Interface.Name, o.resolved.Group.Port()
	if o.resolved.V6 {
		tables = "ip6tables"
	}
	return fmt.Sprintf("nft add rule inet filter input iifname %q udp dport %d accept", name, port),
		fmt.Sprintf("%s -A INPUT -i %s -p udp --dport %d -j ACCEPT", tables, name, port)
}

// Send sends a datagram; the zero address is the group.
func (o *Originals) Send(to netip.AddrPort, text []byte) error {
	if !to.IsValid() {
		to = o.resolved.Group
	}
	_, err := o.own.WriteToUDPAddrPort(text, zoned(to, uint32(o.resolved.Interface.Index)))
	return err
}

// Receive hands every datagram to deliver, from two goroutines, until Close. The text may be kept.
func (o *Originals) Receive(deliver func(from netip.AddrPort, text []byte)) error {
	var wg sync.WaitGroup
	errs := make([]error, 2)
	for i, conn := range []*net.UDPConn{o.group, o.own} {
		wg.Go(func() { errs[i] = receiveOriginals(conn, deliver) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

func receiveOriginals(conn *net.UDPConn, deliver func(netip.AddrPort, []byte)) error {
	buffer := make([]byte, 1<<16)
	for {
		n, from, err := conn.ReadFromUDPAddrPort(buffer)
		switch {
		case err == nil:
			deliver(netip.AddrPortFrom(from.Addr().Unmap().WithZone(""), from.Port()), append([]byte{}, buffer[:n]...))
		case errors.Is(err, net.ErrClosed):
			return nil
		case !temporary(err):
			return err
		}
	}
}

// Close closes the sockets and ends Receive.
func (o *Originals) Close() (err error) {
	o.closing.Do(func() { err = errors.Join(o.own.Close(), o.group.Close()) })
	return err
}
