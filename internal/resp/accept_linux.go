package resp

import (
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

func descriptor(ln net.Listener) (fd int, err error) {
	sc, ok := ln.(syscall.Conn)
	if !ok {
		return 0, fmt.Errorf("a %T has no descriptor", ln)
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return 0, err
	}
	err = raw.Control(func(p uintptr) { fd = int(p) })
	return fd, err
}

func (l *loop) accept(ln int, addr string) {
	for range acceptsPerTurn {
		fd, from, err := unix.Accept4(ln, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
		switch err {
		case nil:
			l.accepted(fd, from, addr)
		case unix.EAGAIN:
			return
		case unix.EINTR, unix.ECONNABORTED:
		default:
			l.pause(err)
			return
		}
	}
}

// pause stops accepting for a moment: without descriptors or memory the listener would stay readable and the loop spin.
func (l *loop) pause(err error) {
	l.s.count.acceptErrors.Add(1)
	l.s.cfg.Logger.Warn("cannot accept a connection", slog.Any("error", err))
	l.paused = l.now.Add(acceptPause)
	for fd := range l.listeners {
		unix.EpollCtl(l.epfd, unix.EPOLL_CTL_DEL, fd, nil)
	}
}

func (l *loop) accepted(fd int, from unix.Sockaddr, addr string) {
	if len(l.s.clients) >= l.s.cfg.MaxClients {
		l.s.count.closedTooMany.Add(1)
		unix.Write(fd, []byte(tooManyClients))
		unix.Close(fd)
		return
	}
	peer := peerName(from, addr)
	if _, local := from.(*unix.SockaddrUnix); !local {
		unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1)
		unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, int(keepAlive.Seconds()))
	}
	k := &sock{l: l, fd: fd, progress: l.now}
	if l.watch(fd, unix.EPOLLIN|unix.EPOLLRDHUP|unix.EPOLLET) != nil {
		l.s.count.acceptErrors.Add(1)
		unix.Close(fd)
		return
	}
	for fd >= len(l.socks) {
		l.socks = append(l.socks, nil)
	}
	l.socks[fd] = k
	l.open++
	k.c = newClient(l.s, k, peer, addr)
}

// peerName is the client's address as CLIENT LIST shows it.
func peerName(from unix.Sockaddr, listener string) string {
	switch a := from.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(a.Addr), uint16(a.Port)).String()
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(a.Addr).Unmap(), uint16(a.Port)).String()
	}
	return unixPeer(listener)
}

// The calls below never block, so they go past the scheduler, which would otherwise be told of each.

func read(fd int, b []byte) (int, syscall.Errno) {
	n, _, err := unix.RawSyscall(unix.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
	return int(n), err
}

func write(fd int, b []byte) (int, syscall.Errno) {
	n, _, err := unix.RawSyscall(unix.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
	return int(n), err
}

func epollWait(fd int, events []unix.EpollEvent, ms int) (int, syscall.Errno) {
	n, _, err := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(fd), uintptr(unsafe.Pointer(&events[0])), uintptr(len(events)), uintptr(ms), 0, 0)
	return int(n), err
}

func epollWaitBlocking(fd int, events []unix.EpollEvent, ms int) (int, syscall.Errno) {
	n, _, err := unix.Syscall6(unix.SYS_EPOLL_PWAIT, uintptr(fd), uintptr(unsafe.Pointer(&events[0])), uintptr(len(events)), uintptr(ms), 0, 0)
	return int(n), err
}
