package daemon

import (
	"os"
	"runtime/debug"
)

// heapRoom is the most that keepHeapRoom takes.
const heapRoom = 64 << 20

// keepHeapRoom returns memory that is held and never touched. Go collects garbage whenever the heap has doubled, which
// with few sessions is every few megabytes of writes; with this beside them it is every 64 MiB at the soonest. Untouched
// memory costs address space and nothing else.
func keepHeapRoom(maxMemory Size) []byte {
	return make([]byte, min(heapRoom, int64(maxMemory)/8))
}

// limitMemory makes the collector work harder as the process nears what maxMemory of sessions should take with all that
// goes with them: half as much again, and heapOverhead. Whoever sets GOMEMLIMIT knows better.
func limitMemory(maxMemory Size) {
	if _, set := os.LookupEnv("GOMEMLIMIT"); !set {
		debug.SetMemoryLimit(int64(maxMemory) + int64(maxMemory)/2 + heapOverhead)
	}
}

// heapOverhead is for buffers, logs of dots, connections and the room for garbage.
const heapOverhead = 256 << 20
