//go:build !windows

package resp

import "syscall"

var errInUse error = syscall.EADDRINUSE
