package daemon

// heapRoom is the most that keepHeapRoom takes.
const heapRoom = 64 << 20

// keepHeapRoom returns memory that is held and never touched. Go collects garbage whenever the heap has doubled, which
// with few sessions is every few megabytes of writes; with this beside them it is every 64 MiB at the soonest. Untouched
// memory costs address space and nothing else.
func keepHeapRoom(maxMemory Size) []byte {
	return make([]byte, min(heapRoom, int64(maxMemory)/8))
}
