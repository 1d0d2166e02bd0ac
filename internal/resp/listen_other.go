//go:build !linux

package resp

import "syscall"

// ownerOnly does nothing where a socket has no mode before it has a file; listenUnix sets it at once.
func ownerOnly(_, _ string, _ syscall.RawConn) error { return nil }
