package link

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// Datagram is one to be sent; Data is only read and may be reused once Send returned.
type Datagram struct {
	Data      []byte
	To        netip.AddrPort // not looked at when Multicast is set
	Multicast bool
}

// Packet is one received. Data belongs to the Link again as soon as deliver returns.
type Packet struct {
	Data      []byte
	From      netip.AddrPort // without zone, in the family of the link
	Multicast bool           // came to the group, not to this node's own address
}

// Link is the sockets of one node.
type Link struct {
	resolved      Resolved
	system        System
	onChange      func(string)
	watchInterval time.Duration
	mayDoWithout  bool // multicast
	avoid         uint16

	group    *net.UDPConn // bound to the group: hears it and nothing else; nil without multicast
	unicast  *net.UDPConn // bound to the own address: hears unicast, sends everything
	listener net.Listener
	readers  []*reader
	sender   *sender

	gotBuffer int
	mtu       atomic.Int64
	counters  counters

	closing sync.Once
	closed  chan struct{}
}

// Open resolves c, opens the sockets and joins the group.
func Open(c Config) (*Link, error) {
	r, err := c.Resolve()
	if err != nil {
		return nil, err
	}
	l := &Link{resolved: r, system: c.system(), onChange: c.OnChange, watchInterval: c.watchInterval, closed: make(chan struct{}),
		mayDoWithout: c.Multicast == MulticastIfThere, avoid: uint16(c.Avoid)}
	if l.watchInterval == 0 {
		l.watchInterval = watchInterval
	}
	l.mtu.Store(int64(r.Interface.MTU))
	if err := l.open(); err != nil {
		_ = l.Close()
		return nil, err
	}
	return l, nil
}

func (l *Link) open() (err error) {
	if !l.resolved.Unicast {
		if l.group, err = listenGroup(l.resolved); err != nil {
			return l.groupError(err)
		}
	}
	if err := l.openOwn(); err != nil {
		return err
	}
	if err := l.openGroup(); err != nil {
		return err
	}
	l.gotBuffer = setReceiveBuffer(l.unicast, l.resolved.ReceiveBuffer)
	setSendBuffer(l.unicast)
	own, err := newReader(l.unicast, l.resolved.V6, false, &l.counters)
	if err != nil {
		return err
	}
	l.readers = append(l.readers, own)
	if l.group != nil {
		l.gotBuffer = min(l.gotBuffer, setReceiveBuffer(l.group, l.resolved.ReceiveBuffer))
		all, err := newReader(l.group, l.resolved.V6, true, &l.counters)
		if err != nil {
			return err
		}
		l.readers = append(l.readers, all)
	}
	l.sender, err = newSender(l.unicast, l.resolved, &l.counters)
	return err
}

// openGroup joins the group, or does without it where that is allowed and the interface does not let us.
func (l *Link) openGroup() error {
	if l.group == nil {
		return nil
	}
	err := l.join(l.resolved.Interface.Index)
	switch {
	case err == nil:
		return nil
	case l.mayDoWithout:
		_ = l.group.Close()
		l.group, l.resolved.Unicast = nil, true
		return nil
	}
	return fmt.Errorf("%w: joining %s on %s: %w", ErrNoMulticast, l.resolved.Group.Addr(), l.resolved.Interface.Name, err)
}

// tentativeWait is how long a freshly added IPv6 address may take to pass duplicate address detection.
const tentativeWait = 3 * time.Second

// openOwn takes the first port that is free for UDP and TCP at the own address. An address the kernel does not hand out
// yet is waited for: a node starts together with its host.
func (l *Link) openOwn() error {
	for deadline := time.Now().Add(tentativeWait); ; {
		err := l.firstFreePort()
		if err == nil || !addressNotReady(err) || time.Now().After(deadline) {
			return err
		}
		<-time.After(100 * time.Millisecond)
	}
}

func (l *Link) firstFreePort() error {
	base := int(l.resolved.Group.Port())
	for port := base; port < base+PortRange && port <= 65535; port++ {
		err := l.takePort(uint16(port))
		if err == nil || !addressInUse(err) {
			return err
		}
	}
	return fmt.Errorf("%w: UDP and TCP ports %d to %d of %s are all held; a program that is not sessioncast (for example an"+
		" original express-session-multicast node) may hold them: stop it or choose another port with --port",
		ErrPortTaken, base, min(base+PortRange-1, 65535), l.resolved.Address)
}

func (l *Link) takePort(port uint16) error {
	addr := zoned(netip.AddrPortFrom(l.resolved.Address, port), uint32(l.resolved.Interface.Index))
	conn, err := listenUnicast(l.resolved, addr)
	if err != nil {
		return fmt.Errorf("opening UDP %s: %w", addr, err)
	}
	listener, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(addr))
	if err != nil {
		_ = conn.Close()
		return fmt.Errorf("opening TCP %s: %w", addr, err)
	}
	l.unicast, l.listener = conn, listener
	return nil
}

func (l *Link) groupError(err error) error {
	if !addressInUse(err) {
		return fmt.Errorf("opening UDP %s: %w", l.resolved.Group, err)
	}
	return fmt.Errorf("%w: UDP port %d is held by a program that does not share it (for example an original"+
		" express-session-multicast node): stop it or choose another port with --port", ErrPortTaken, l.resolved.Group.Port())
}

// Zoned adds the interface to a link-local address, which dialling one needs. Other addresses stay as they are.
func (l *Link) Zoned(a netip.AddrPort) netip.AddrPort { return zoned(a, l.sender.scope.Load()) }

// zoned names the interface by number: the net package remembers the numbers of names for a minute, which is too long
// where interfaces come and go.
func zoned(a netip.AddrPort, index uint32) netip.AddrPort {
	if !needsZone(a.Addr()) {
		return a
	}
	return netip.AddrPortFrom(a.Addr().WithZone(strconv.Itoa(int(index))), a.Port())
}

func needsZone(a netip.Addr) bool {
	return a.Is6() && (a.IsLinkLocalUnicast() || a.IsLinkLocalMulticast() || a.IsInterfaceLocalMulticast())
}

// Resolved says what was chosen and why.
func (l *Link) Resolved() Resolved { return l.resolved }

// Addr is the own unicast address, without zone.
func (l *Link) Addr() netip.AddrPort {
	return netip.AddrPortFrom(l.resolved.Address, l.unicast.LocalAddr().(*net.UDPAddr).AddrPort().Port())
}

// Group is where multicast goes.
func (l *Link) Group() netip.AddrPort { return l.resolved.Group }

// Listener is the TCP listener at Addr. The Link closes it too.
func (l *Link) Listener() net.Listener { return l.listener }

// MTUPayload is what one datagram may carry now; it follows the interface's MTU.
func (l *Link) MTUPayload() int { return payloadFor(int(l.mtu.Load()), l.resolved.V6) }

// ReceiveBuffer tells the receive buffer asked for and the smaller of those the two sockets got.
func (l *Link) ReceiveBuffer() (asked, got int) { return l.resolved.ReceiveBuffer, l.gotBuffer }

// Close closes the sockets and the listener and ends Receive.
func (l *Link) Close() error {
	var errs []error
	l.closing.Do(func() {
		close(l.closed)
		for _, c := range []*net.UDPConn{l.group, l.unicast} {
			if c != nil {
				errs = append(errs, c.Close())
			}
		}
		if l.listener != nil {
			if err := l.listener.Close(); !errors.Is(err, net.ErrClosed) {
				errs = append(errs, err)
			}
		}
	})
	return errors.Join(errs...)
}
