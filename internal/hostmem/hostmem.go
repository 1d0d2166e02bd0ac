// Package hostmem tells how much memory this process may use. It holds no state.
package hostmem

import (
	"path"
	"strconv"
	"strings"
)

// unknownMemory is the memory assumed where the system does not say: small enough to be there.
const unknownMemory int64 = 1 << 30

// Of is the memory this process may use: the machine's, or less where control groups say so.
func Of(readFile func(string) ([]byte, error)) int64 {
	all := total(readFile)
	if limit := cgroupLimit(readFile); limit > 0 && limit < all {
		return limit
	}
	return all
}

// total reads the machine's memory as Linux tells it.
func total(readFile func(string) ([]byte, error)) int64 {
	data, err := readFile("/proc/meminfo")
	if err != nil {
		return systemMemory()
	}
	for line := range strings.Lines(string(data)) {
		f := strings.Fields(line)
		if len(f) < 2 || f[0] != "MemTotal:" {
			continue
		}
		if kib, err := strconv.ParseInt(f[1], 10, 64); err == nil && kib > 0 {
			return kib << 10
		}
	}
	return systemMemory()
}

// cgroupLimit is the smallest memory limit on the way from this process's control group to the root, 0 where there is
// none. Inside a container the path that the kernel tells may not exist, and the root is the container's own group.
func cgroupLimit(readFile func(string) ([]byte, error)) int64 {
	data, _ := readFile("/proc/self/cgroup")
	limit := int64(0)
	for line := range strings.Lines(string(data)) {
		id, rest, _ := strings.Cut(strings.TrimSpace(line), ":")
		controllers, group, _ := strings.Cut(rest, ":")
		root, file := "", ""
		switch {
		case id == "0" && controllers == "":
			root, file = "/sys/fs/cgroup", "memory.max"
		case strings.Contains(","+controllers+",", ",memory,"):
			root, file = "/sys/fs/cgroup/memory", "memory.limit_in_bytes"
		default:
			continue
		}
		if l := smallestLimit(readFile, root, group, file); l > 0 && (limit == 0 || l < limit) {
			limit = l
		}
	}
	return limit
}

func smallestLimit(readFile func(string) ([]byte, error), root, group, file string) int64 {
	limit := int64(0)
	for group = path.Join("/", group); ; group = path.Dir(group) {
		data, err := readFile(path.Join(root, group, file))
		// Version 2 writes "max" for no limit, which is no number; version 1 a number beyond any memory.
		n, perr := strconv.ParseInt(strings.TrimSpace(string(data)), 10, 64)
		if err == nil && perr == nil && n > 0 && (limit == 0 || n < limit) {
			limit = n
		}
		if group == "/" {
			return limit
		}
	}
}
