package link

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strconv"
	"syscall"

	"golang.org/x/sys/windows"
)

// Socket options of ws2ipdef.h.
const (
	ipDontFragment = 14
	ipv6DontFrag   = 14
)

func addressInUse(err error) bool {
	return errors.Is(err, windows.WSAEADDRINUSE) || errors.Is(err, windows.WSAEACCES)
}

func addressNotReady(err error) bool { return errors.Is(err, windows.WSAEADDRNOTAVAIL) }

func datagramTooLarge(err error) bool { return errors.Is(err, windows.WSAEMSGSIZE) }

// listenGroup shares the wildcard of the port: Windows does not bind to a group.
func listenGroup(r Resolved) (*net.UDPConn, error) {
	network := "udp4"
	if r.V6 {
		network = "udp6"
	}
	return listen(network, ":"+strconv.Itoa(int(r.Group.Port())), windows.SOL_SOCKET, windows.SO_REUSEADDR)
}

// listenUnicast binds the own address alone and keeps its datagrams whole.
func listenUnicast(r Resolved, addr netip.AddrPort) (*net.UDPConn, error) {
	if r.V6 {
		return listen("udp6", addr.String(), windows.IPPROTO_IPV6, ipv6DontFrag)
	}
	return listen("udp4", addr.String(), windows.IPPROTO_IP, ipDontFragment)
}

func listen(network, addr string, level, option int) (*net.UDPConn, error) {
	config := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) error {
		var err error
		if e := raw.Control(func(fd uintptr) { err = windows.SetsockoptInt(windows.Handle(fd), level, option, 1) }); e != nil {
			return e
		}
		return err
	}}
	conn, err := config.ListenPacket(context.Background(), network, addr)
	if err != nil {
		return nil, err
	}
	return conn.(*net.UDPConn), nil
}

func setReceiveBuffer(conn *net.UDPConn, bytes int) (got int) {
	if conn.SetReadBuffer(bytes) != nil {
		return 0
	}
	return bytes
}

func setSendBuffer(*net.UDPConn) {}

func kernelDrops(*net.UDPConn) uint64 { return 0 }

// temporary tells errors that a datagram socket reports about an earlier datagram.
func temporary(err error) bool {
	return errors.Is(err, windows.WSAECONNRESET) || errors.Is(err, windows.WSAEMSGSIZE)
}
