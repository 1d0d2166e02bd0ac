package link

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Resolved is a Config with every choice made.
type Resolved struct {
	V6            bool
	Group         netip.AddrPort
	Address       netip.Addr // own address, without zone
	Interface     Interface
	HopLimit      int
	ReceiveBuffer int
	Why           string // the choice of interface and address, in a sentence for people
	Unicast       bool   // the group is not used
}

// IsOriginal reports whether group and port are the defaults shared with express-session-multicast.
func (r Resolved) IsOriginal() bool {
	return r.Group.Port() == DefaultPort && (r.Group.Addr() == defaultGroupV4 || r.Group.Addr() == defaultGroupV6)
}

// MTUPayload is what one datagram may carry on the interface.
func (r Resolved) MTUPayload() int { return payloadFor(r.Interface.MTU, r.V6) }

func payloadFor(mtu int, v6 bool) int {
	headers := 20 + 8
	if v6 {
		headers = 40 + 8
	}
	if mtu <= headers {
		return MaxPayload
	}
	return min(MaxPayload, mtu-headers)
}

// Resolve chooses interface and address: what is configured; else the first address of eth0, em0 or en0, as the original
// documents; else the interface of the default route; else the only one there is; else, on a host with nothing but
// loopback, loopback.
func (c *Config) Resolve() (Resolved, error) {
	if err := c.validate(); err != nil {
		return Resolved{}, err
	}
	list, err := c.system().Interfaces()
	if err != nil {
		return Resolved{}, fmt.Errorf("listing network interfaces: %w", err)
	}
	p := picker{v6: c.Use == "v6", list: list, system: c.system(), unicast: c.Multicast == MulticastOff}
	choice, err := p.pick(c.Interface, c.Address.Unmap())
	if c.Multicast == MulticastIfThere {
		choice, err = p.orUnicast(choice, err, c)
	}
	if err != nil {
		return Resolved{}, err
	}
	return Resolved{
		V6:            p.v6,
		Group:         netip.AddrPortFrom(c.group(), uint16(orDefault(c.Port, DefaultPort))),
		Address:       choice.address,
		Interface:     choice.iface,
		HopLimit:      max(0, orDefault(c.HopLimit, DefaultHopLimit)),
		ReceiveBuffer: orDefault(c.ReceiveBuffer, DefaultReceiveBuffer),
		Why:           choice.why,
		Unicast:       p.unicast,
	}, nil
}

// originalNames are the interfaces the original looks at, in its order.
var originalNames = []string{"eth0", "em0", "en0"}

type choice struct {
	iface   Interface
	address netip.Addr
	why     string
}

type picker struct {
	v6      bool
	list    []Interface
	system  System
	unicast bool // multicast is not needed
}

func (p picker) pick(name string, address netip.Addr) (choice, error) {
	switch {
	case address.IsValid():
		return p.byAddress(name, address)
	case name != "":
		return p.byName(name)
	}
	for _, f := range []func() (choice, bool){p.original, p.defaultRoute, p.onlyOne, p.loopback} {
		if c, ok := f(); ok {
			return c, nil
		}
	}
	return choice{}, p.nothing()
}

func (p picker) byAddress(name string, address netip.Addr) (choice, error) {
	for _, i := range p.list {
		if (name != "" && i.Name != name) || !slices.Contains(i.Addrs, address) {
			continue
		}
		if err := p.usable(i); err != nil {
			return choice{}, err
		}
		return choice{i, address, fmt.Sprintf("%s on %s: the address is configured", address, i.Name)}, nil
	}
	if name != "" {
		return choice{}, fmt.Errorf("%w: %s does not have the address %s; it has %s", ErrNoInterface, name, address, p.offer())
	}
	return choice{}, fmt.Errorf("%w: no interface has the address %s; this host has %s", ErrNoInterface, address, p.offer())
}

func (p picker) byName(name string) (choice, error) {
	n := slices.IndexFunc(p.list, func(i Interface) bool { return i.Name == name })
	if n < 0 {
		return choice{}, fmt.Errorf("%w: there is no interface %q; this host has %s", ErrNoInterface, name, p.offer())
	}
	i := p.list[n]
	if err := p.usable(i); err != nil {
		return choice{}, err
	}
	if a := p.address(i); a.IsValid() {
		return choice{i, a, fmt.Sprintf("%s on %s: the interface is configured", a, name)}, nil
	}
	return choice{}, fmt.Errorf("%w: %s has no IP%s address; give it one or name another interface", ErrNoInterface, name, p.family())
}

// orUnicast prefers, where multicast may be missing, an interface without it to none and to loopback.
func (p *picker) orUnicast(found choice, failed error, c *Config) (choice, error) {
	if failed == nil && (!found.iface.Loopback || c.Interface != "" || c.Address.IsValid()) {
		p.unicast = !found.iface.Multicast && !found.iface.Loopback
		return found, nil
	}
	p.unicast = true
	other, err := p.pick(c.Interface, c.Address.Unmap())
	if failed == nil && (err != nil || other.iface.Loopback) {
		p.unicast = false
		return found, nil
	}
	return other, err
}

func (p picker) usable(i Interface) error {
	switch {
	case !i.Up:
		return fmt.Errorf("%w: %s is down; bring it up (ip link set %s up) or name another", ErrNoInterface, i.Name, i.Name)
	case p.unicast:
	case i.Loopback && p.v6:
		return fmt.Errorf("%w: IPv6 multicast does not work on %s; use v4 there, or another interface", ErrNoMulticast, i.Name)
	}
	return nil
}

func (p picker) original() (choice, bool) {
	for _, name := range originalNames {
		for _, i := range p.candidates() {
			if i.Name == name {
				a := p.address(i)
				return choice{i, a, fmt.Sprintf("%s on %s: the first of eth0, em0, en0 that is up and has an IP%s address", a, name, p.family())}, true
			}
		}
	}
	return choice{}, false
}

func (p picker) defaultRoute() (choice, bool) {
	source := p.system.RouteSource(p.v6)
	for _, i := range p.candidates() {
		if source.IsValid() && slices.Contains(i.Addrs, source) {
			return choice{i, source, fmt.Sprintf("%s on %s: the interface of the default route", source, i.Name)}, true
		}
	}
	return choice{}, false
}

func (p picker) onlyOne() (choice, bool) {
	list := p.candidates()
	if len(list) != 1 {
		return choice{}, false
	}
	a := p.address(list[0])
	return choice{list[0], a, fmt.Sprintf("%s on %s: the only interface that is up and has an IP%s address", a, list[0].Name, p.family())}, true
}

func (p picker) loopback() (choice, bool) {
	if p.v6 && !p.unicast || len(p.candidates()) > 0 {
		return choice{}, false
	}
	for _, i := range p.list {
		if a := p.address(i); i.Loopback && i.Up && a.IsValid() {
			return choice{i, a, fmt.Sprintf("%s on %s: this host has only loopback, so only nodes on this host can be met", a, i.Name)}, true
		}
	}
	return choice{}, false
}

// nothing is the error for a host on which no choice is obvious.
func (p picker) nothing() error {
	names := []string{}
	for _, i := range p.candidates() {
		names = append(names, i.Name)
	}
	if len(names) > 0 {
		return fmt.Errorf("%w: several could be meant (%s) and there is no default route; name one with --interface",
			ErrNoInterface, strings.Join(names, ", "))
	}
	hint := "bring one up and give it an address, or name one with --interface"
	if p.v6 {
		hint += "; where only loopback is there, --use v4 works among the nodes of one host"
	}
	return fmt.Errorf("%w: none that is up has an IP%s address; %s", ErrNoInterface, p.family(), hint)
}

// candidates are the interfaces that may be chosen without being named.
func (p picker) candidates() []Interface {
	var out []Interface
	for _, i := range p.list {
		if i.Up && !i.Loopback && (i.Multicast || p.unicast) && p.address(i).IsValid() {
			out = append(out, i)
		}
	}
	return out
}

// address is the interface's first address of the family; for v6 one that is valid beyond the link comes first.
func (p picker) address(i Interface) netip.Addr {
	var linkLocal netip.Addr
	for _, a := range i.Addrs {
		switch {
		case a.Is4() == p.v6:
		case !p.v6 || !a.IsLinkLocalUnicast():
			return a
		case !linkLocal.IsValid():
			linkLocal = a
		}
	}
	return linkLocal
}

func (p picker) offer() string {
	var out []string
	for _, i := range p.list {
		for _, a := range i.Addrs {
			if a.Is4() != p.v6 {
				out = append(out, fmt.Sprintf("%s (%s)", a, i.Name))
			}
		}
	}
	if len(out) == 0 {
		return "no IP" + p.family() + " address"
	}
	return strings.Join(out, ", ")
}

func (p picker) family() string {
	if p.v6 {
		return "v6"
	}
	return "v4"
}
