//go:build unix && !linux

package link

import (
	"errors"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// groupPlatformOptions: the BSDs share a group's port by SO_REUSEPORT.
func groupPlatformOptions(fd int, _ bool) error {
	return os.NewSyscallError("setsockopt SO_REUSEPORT", unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1))
}

// setReceiveBuffer asks for less and less until the kernel agrees: the BSDs refuse what is above their limit.
func setReceiveBuffer(conn *net.UDPConn, bytes int) (got int) {
	for size := bytes; size >= 64<<10; size /= 2 {
		if conn.SetReadBuffer(size) == nil {
			return size
		}
	}
	return 0
}

func setSendBuffer(*net.UDPConn) {}

func kernelDrops(*net.UDPConn) uint64 { return 0 }

func datagramTooLarge(err error) bool { return errors.Is(err, unix.EMSGSIZE) }
