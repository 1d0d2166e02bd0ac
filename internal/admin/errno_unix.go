//go:build !windows

package admin

import "syscall"

const errInUse = syscall.EADDRINUSE
