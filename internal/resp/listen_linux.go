package resp

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// ownerOnly sets the mode that the socket file will be made with, so that it is never open to others, not even for a moment.
func ownerOnly(_, _ string, raw syscall.RawConn) error {
	var failed error
	err := raw.Control(func(fd uintptr) { failed = unix.Fchmod(int(fd), 0o600) })
	if err != nil {
		return err
	}
	return failed
}
