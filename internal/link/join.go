package link

import (
	"net"

	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
)

// join makes the interface with this index the one the group is heard on and multicast leaves by.
func (l *Link) join(index int) error {
	iface := &net.Interface{Index: index, Name: l.resolved.Interface.Name}
	group := &net.UDPAddr{IP: l.resolved.Group.Addr().AsSlice()}
	if l.resolved.V6 {
		return l.joinV6(iface, group)
	}
	return l.joinV4(iface, group)
}

func (l *Link) joinV4(iface *net.Interface, group *net.UDPAddr) error {
	in, out := ipv4.NewPacketConn(l.group), ipv4.NewPacketConn(l.unicast)
	_ = in.LeaveGroup(iface, group) // fails where we are no member, which is what we want to be sure of
	return firstError(
		func() error { return in.JoinGroup(iface, group) },
		func() error { return out.SetMulticastInterface(iface) },
		func() error { return out.SetMulticastTTL(l.resolved.HopLimit) },
		func() error { return out.SetMulticastLoopback(true) },
		func() error { return in.SetMulticastLoopback(true) }, // Windows asks the receiver
	)
}

func (l *Link) joinV6(iface *net.Interface, group *net.UDPAddr) error {
	in, out := ipv6.NewPacketConn(l.group), ipv6.NewPacketConn(l.unicast)
	_ = in.LeaveGroup(iface, group)
	return firstError(
		func() error { return in.JoinGroup(iface, group) },
		func() error { return out.SetMulticastInterface(iface) },
		func() error { return out.SetMulticastHopLimit(l.resolved.HopLimit) },
		func() error { return out.SetMulticastLoopback(true) },
		func() error { return in.SetMulticastLoopback(true) },
	)
}

func firstError(steps ...func() error) error {
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}
