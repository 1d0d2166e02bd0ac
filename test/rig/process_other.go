//go:build !linux

package rig

import "os/exec"

// dieWithParent is Linux's; elsewhere a test binary that is killed leaves its processes.
func dieWithParent(*exec.Cmd) {}
