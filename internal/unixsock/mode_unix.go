//go:build unix

package unixsock

import (
	"syscall"

	"golang.org/x/sys/unix"
)

const errRefused = syscall.ECONNREFUSED

// ownerOnly sets the mode with which the socket's file is made, where the system has it so: it is never open to others, not
// even for a moment.
func ownerOnly(_, _ string, raw syscall.RawConn) error {
	return raw.Control(func(fd uintptr) { _ = unix.Fchmod(int(fd), 0o600) })
}
