package hostmem

import (
	"math"

	"golang.org/x/sys/unix"
)

func systemMemory() int64 {
	bytes, err := unix.SysctlUint64("hw.memsize")
	if err != nil || bytes == 0 || bytes > math.MaxInt64 {
		return unknownMemory
	}
	return int64(bytes)
}
