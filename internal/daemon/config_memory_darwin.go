package daemon

import "golang.org/x/sys/unix"

func systemMemory() Size {
	bytes, err := unix.SysctlUint64("hw.memsize")
	if err != nil || bytes == 0 || bytes > uint64(MaxSize) {
		return unknownMemory
	}
	return Size(bytes)
}
