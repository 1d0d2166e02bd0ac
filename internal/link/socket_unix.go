//go:build unix

package link

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

func addressInUse(err error) bool    { return errors.Is(err, unix.EADDRINUSE) }
func addressNotReady(err error) bool { return errors.Is(err, unix.EADDRNOTAVAIL) }

// listenGroup binds a socket to the group itself, so that it hears nothing else. The net package turns such a bind into
// the wildcard, which would take the unicast datagrams of every other socket of that port.
func listenGroup(r Resolved) (*net.UDPConn, error) {
	family := unix.AF_INET
	if r.V6 {
		family = unix.AF_INET6
	}
	fd, err := newSocket(family)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	file := os.NewFile(uintptr(fd), "group")
	defer file.Close() // FilePacketConn has its own copy
	if err := groupOptions(fd, r.V6); err != nil {
		return nil, err
	}
	if err := unix.Bind(fd, groupSockaddr(r)); err != nil {
		return nil, os.NewSyscallError("bind", err)
	}
	conn, err := net.FilePacketConn(file)
	if err != nil {
		return nil, err
	}
	udp, ok := conn.(*net.UDPConn)
	if !ok {
		_ = conn.Close()
		return nil, fmt.Errorf("a datagram socket came back as %T", conn)
	}
	return udp, nil
}

func newSocket(family int) (int, error) {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	fd, err := unix.Socket(family, unix.SOCK_DGRAM, 0)
	if err != nil {
		return -1, err
	}
	unix.CloseOnExec(fd)
	if err := unix.SetNonblock(fd, true); err != nil {
		_ = unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

func groupOptions(fd int, v6 bool) error {
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
		return os.NewSyscallError("setsockopt SO_REUSEADDR", err)
	}
	if v6 {
		if err := unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 1); err != nil {
			return os.NewSyscallError("setsockopt IPV6_V6ONLY", err)
		}
	}
	return groupPlatformOptions(fd, v6)
}

func groupSockaddr(r Resolved) unix.Sockaddr {
	port := int(r.Group.Port())
	if !r.V6 {
		return &unix.SockaddrInet4{Port: port, Addr: r.Group.Addr().As4()}
	}
	a := &unix.SockaddrInet6{Port: port, Addr: r.Group.Addr().As16()}
	if needsZone(r.Group.Addr()) {
		a.ZoneId = uint32(r.Interface.Index)
	}
	return a
}

// listenUnicast binds the own address without SO_REUSEADDR: a second node must not share it.
func listenUnicast(r Resolved, addr netip.AddrPort) (*net.UDPConn, error) {
	config := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) error {
		var err error
		if e := raw.Control(func(fd uintptr) { err = dontFragment(int(fd), r.V6) }); e != nil {
			return e
		}
		return err
	}}
	conn, err := config.ListenPacket(context.Background(), "udp", addr.String())
	if err != nil {
		return nil, err
	}
	return conn.(*net.UDPConn), nil
}

// temporary tells errors that a datagram socket reports about an earlier datagram.
func temporary(err error) bool {
	return errors.Is(err, unix.ECONNREFUSED) || errors.Is(err, unix.EINTR)
}
