package link

import (
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// sendBuffer is asked for sending, so that one batch never waits for a device.
const sendBuffer = 2 << 20

// groupPlatformOptions keeps away what other sockets of this host joined: Linux gives it to everybody by default.
func groupPlatformOptions(fd int, v6 bool) error {
	if v6 {
		return os.NewSyscallError("setsockopt IPV6_MULTICAST_ALL", unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_ALL, 0))
	}
	return os.NewSyscallError("setsockopt IP_MULTICAST_ALL", unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_MULTICAST_ALL, 0))
}

// dontFragment makes a datagram that is too large an error instead of fragments.
func dontFragment(fd int, v6 bool) error {
	if !v6 {
		return os.NewSyscallError("setsockopt IP_MTU_DISCOVER", unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_MTU_DISCOVER, unix.IP_PMTUDISC_PROBE))
	}
	if err := unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_MTU_DISCOVER, unix.IPV6_PMTUDISC_PROBE); err != nil {
		return os.NewSyscallError("setsockopt IPV6_MTU_DISCOVER", err)
	}
	return os.NewSyscallError("setsockopt IPV6_DONTFRAG", unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_DONTFRAG, 1))
}

// setReceiveBuffer asks past the limit first, which needs CAP_NET_ADMIN, and reads back what came of it.
func setReceiveBuffer(conn *net.UDPConn, bytes int) (got int) {
	control(conn, func(fd int) {
		if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, bytes) != nil {
			_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, bytes) // what it did is read back
		}
		if doubled, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF); err == nil {
			got = doubled / 2 // the kernel adds as much again for its bookkeeping
		}
	})
	return got
}

func setSendBuffer(conn *net.UDPConn) {
	control(conn, func(fd int) {
		if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, sendBuffer) != nil {
			_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, sendBuffer) // less is slower, not wrong
		}
	})
}

// memInfoDrops is SK_MEMINFO_DROPS of linux/sock_diag.h.
const memInfoDrops = 8

func kernelDrops(conn *net.UDPConn) (drops uint64) {
	control(conn, func(fd int) {
		var info [memInfoDrops + 1]uint32
		if getsockopt(fd, unix.SOL_SOCKET, unix.SO_MEMINFO, info[:]) == nil {
			drops = uint64(info[memInfoDrops])
		}
	})
	return drops
}

// control runs f on the descriptor, or not at all once conn is closed.
func control(conn *net.UDPConn, f func(fd int)) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) { f(int(fd)) })
}
