package daemon

import (
	"os"
	"runtime/debug"
)

// What the collector is told. A session is one piece of memory that it need not look into, so that a round costs little,
// and rounds may come often: garbage is what the sessions written over since the last one took.
const (
	joinPercent  = 50        // while joining: little is garbage, and much is new
	gcPercent    = 5         // garbage that may come to so much of what is in use
	heapRoom     = 256 << 20 // address space counted as in use, so that with few sessions garbage comes to 13 MiB
	heapOverhead = 128 << 20 // what the collector is to leave for buffers, logs of dots and connections
)

// collect makes the collector, once joined is called, keep the process close to the memory of its sessions, and returns memory that is to be
// held and never touched. GOGC and GOMEMLIMIT, where they are set, are left as they are.
func collect(maxMemory Size) (room []byte) {
	if _, set := os.LookupEnv("GOGC"); !set {
		debug.SetGCPercent(joinPercent)
		room = make([]byte, min(heapRoom, 2*int64(maxMemory)))
	}
	if _, set := os.LookupEnv("GOMEMLIMIT"); !set {
		debug.SetMemoryLimit(int64(maxMemory) + int64(maxMemory)/4 + heapOverhead + int64(len(room)))
	}
	return room
}

// joined has the collector run often from now on, and gives back what joining took.
func joined() {
	if _, set := os.LookupEnv("GOGC"); !set {
		debug.SetGCPercent(gcPercent)
		debug.FreeOSMemory()
	}
}
