package link

import (
	"net"
	"net/netip"
)

// Interface is what the choice of one needs to know.
type Interface struct {
	Name                    string
	Index, MTU              int
	Up, Loopback, Multicast bool
	Addrs                   []netip.Addr // without zones
}

// System answers what a Link asks of its host. Tests put a namespace or a list in its place.
type System interface {
	Interfaces() ([]Interface, error)
	Interface(name string) (i Interface, found bool)
	RouteSource(v6 bool) netip.Addr // the address a datagram to the world would carry; zero: no default route
}

// host is the System of this process.
type host struct{}

// ThisHost is the System of the calling process, in the network namespace of the calling thread.
func ThisHost() System { return host{} }

func (host) Interfaces() ([]Interface, error) {
	list, err := net.Interfaces()
	if err != nil {
		return nil, err
	}
	out := make([]Interface, 0, len(list))
	for _, i := range list {
		out = append(out, describe(i))
	}
	return out, nil
}

func (host) Interface(name string) (Interface, bool) {
	i, err := net.InterfaceByName(name)
	if err != nil {
		return Interface{}, false
	}
	return describe(*i), true
}

func describe(i net.Interface) Interface {
	return Interface{
		Name: i.Name, Index: i.Index, MTU: i.MTU,
		Up:        i.Flags&net.FlagUp != 0,
		Loopback:  i.Flags&net.FlagLoopback != 0,
		Multicast: i.Flags&net.FlagMulticast != 0,
		Addrs:     addresses(i),
	}
}

// addresses of an interface that went away meanwhile are none.
func addresses(i net.Interface) []netip.Addr {
	list, err := i.Addrs()
	if err != nil {
		return nil
	}
	var out []netip.Addr
	for _, a := range list {
		if n, ok := a.(*net.IPNet); ok {
			if addr, ok := netip.AddrFromSlice(n.IP); ok {
				out = append(out, addr.Unmap())
			}
		}
	}
	return out
}

// RouteSource asks the kernel by connecting a UDP socket, which sends nothing.
func (host) RouteSource(v6 bool) netip.Addr {
	network, world := "udp4", "203.0.113.1:9"
	if v6 {
		network, world = "udp6", "[2000::1]:9"
	}
	conn, err := net.Dial(network, world)
	if err != nil {
		return netip.Addr{}
	}
	defer conn.Close()
	return conn.LocalAddr().(*net.UDPAddr).AddrPort().Addr().Unmap().WithZone("")
}
