package link

import (
	"os"

	"golang.org/x/sys/unix"
)

// dontFragment makes a datagram that is too large an error instead of fragments.
func dontFragment(fd int, v6 bool) error {
	if v6 {
		return os.NewSyscallError("setsockopt IPV6_DONTFRAG", unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_DONTFRAG, 1))
	}
	return os.NewSyscallError("setsockopt IP_DONTFRAG", unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_DONTFRAG, 1))
}
