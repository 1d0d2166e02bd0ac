package hostmem

import (
	"io/fs"
	"testing"
)

func TestMemoryIsTheMachinesOrTheControlGroups(t *testing.T) {
	const machine = "MemTotal:  8388608 kB\n"
	for name, c := range map[string]struct {
		files map[string]string
		want  int64
	}{
		"the machine's":           {map[string]string{"/proc/meminfo": machine}, 8 << 30},
		"unknown":                 {nil, systemMemory()},
		"nonsense":                {map[string]string{"/proc/meminfo": "MemTotal: lots kB\nMemTotal:\n"}, systemMemory()},
		"no limit set":            {map[string]string{"/proc/meminfo": machine, "/proc/self/cgroup": "0::/a\n", "/sys/fs/cgroup/a/memory.max": "max\n"}, 8 << 30},
		"the group's":             {map[string]string{"/proc/meminfo": machine, "/proc/self/cgroup": "0::/a/b\n", "/sys/fs/cgroup/a/b/memory.max": "1073741824\n"}, 1 << 30},
		"a group's further up":    {map[string]string{"/proc/meminfo": machine, "/proc/self/cgroup": "0::/a/b\n", "/sys/fs/cgroup/a/b/memory.max": "max\n", "/sys/fs/cgroup/a/memory.max": "536870912"}, 512 << 20},
		"the container's root":    {map[string]string{"/proc/meminfo": machine, "/proc/self/cgroup": "0::/\n", "/sys/fs/cgroup/memory.max": "536870912"}, 512 << 20},
		"version 1":               {map[string]string{"/proc/meminfo": machine, "/proc/self/cgroup": "5:cpu,memory:/x\n1:name=systemd:/y\n", "/sys/fs/cgroup/memory/x/memory.limit_in_bytes": "268435456"}, 256 << 20},
		"version 1, no limit":     {map[string]string{"/proc/meminfo": machine, "/proc/self/cgroup": "5:memory:/x\n", "/sys/fs/cgroup/memory/x/memory.limit_in_bytes": "9223372036854771712"}, 8 << 30},
		"a path out of the mount": {map[string]string{"/proc/meminfo": machine, "/proc/self/cgroup": "0::/../../a\n", "/sys/fs/cgroup/a/memory.max": "1073741824"}, 1 << 30},
	} {
		readFile := func(path string) ([]byte, error) {
			if text, ok := c.files[path]; ok {
				return []byte(text), nil
			}
			return nil, fs.ErrNotExist
		}
		if got := Of(readFile); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}
