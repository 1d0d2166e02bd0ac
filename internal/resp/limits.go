package resp

import (
	"math"
	"time"
)

// Limits of what one peer may make the server hold or do. Those with a Redis counterpart answer with Redis's words.
const (
	maxItems           = 65_536    // items of one command (Redis: 1,048,576)
	maxItemsNoAuth     = 10        // the same before AUTH, as in Redis
	maxBulkNoAuth      = 16 << 10  // one argument, and one whole command, before AUTH, as in Redis
	maxInline          = 64 << 10  // an inline command, or a length line, as in Redis
	maxSkippedBulk     = 512 << 20 // a bulk announced longer is a protocol error, as in Redis; shorter ones are read past
	maxCommandOverhead = 64 << 10  // what a command may have beside its one value
	maxManyKeys        = 16 << 20  // a whole command that takes many keys (MSET, MGET, DEL …)

	maxQueued      = 65_536   // commands between MULTI and EXEC
	maxQueuedBytes = 16 << 20 // and their bytes
	maxWatched     = 1024     // keys watched by one connection
	maxMissing     = 1024     // destroyed keys that one connection is known to have read as missing
	maxName        = 512      // bytes of a client name, library name or library version

	defaultMaxClients = 10_000
	defaultMaxValue   = 1 << 20
	maxOutput         = 64 << 20  // replies that wait for one client
	maxBuffers        = 512 << 20 // replies that wait for all of them, and as much of unfinished and queued commands
	minBuffers        = 64 << 20  // the same where there is little memory for sessions; half of that in between
	flushAt           = 256 << 10 // replies are written in between once there are this many bytes
	stuckSlice        = 1 << 20   // of replies that a client's socket does not take, made in one turn

	readSize         = 64 << 10 // one read
	readsPerTurn     = 4        // of one connection before the others have their turn
	acceptsPerTurn   = 64
	eventsPerWait    = 256
	spareBuffers     = 8       // read buffers kept for reuse by all connections together
	spareBufferBytes = 2 << 20 // larger ones go to the garbage collector
	keptArgs         = 64      // argument slots that a connection keeps between commands
	keptInline       = 1 << 10 // and bytes for inline commands

	stallTimeout = 60 * time.Second // a client that reads none of its replies for so long is closed
	closeTimeout = 2 * time.Second  // Close waits no longer for clients to take their replies
	acceptPause  = 100 * time.Millisecond
	keepAlive    = 300 * time.Second // TCP keep-alive, as Redis has it
	maxWait      = 10 * time.Second  // WAIT … 0, and any longer one
	maxAck       = 31                // of CLIENT ACK, as of --ack
	maxScanCount = 10_000            // SCAN … COUNT

	maxInvalidations = 65_536  // invalidation messages waiting to be sent; beyond, every tracking client forgets all it cached
	maxPrefixes      = 64      // of CLIENT TRACKING … BCAST
	maxTracked       = 1 << 20 // keys tracked for all clients together, as Redis's tracking-table-max-keys
	minTracked       = 1 << 16 // the same where there is little memory for sessions; one for each trackedShare of it in between
	trackedShare     = 2 << 10
)

// buffers is how many bytes all clients together may have wait, of replies and again of commands: what they hold counts beside
// the memory of the sessions, and is to stay in proportion to it.
func (cfg *Config) buffers() int64 { return share(cfg.MaxMemory, 2, minBuffers, maxBuffers) }

// tracked is how many keys are tracked for all clients together.
func (cfg *Config) tracked() int {
	return int(share(cfg.MaxMemory, trackedShare, minTracked, maxTracked))
}

// share is a part of the memory for sessions; of 0, which is no limit, the most.
func share(memory, part, least, most int64) int64 {
	if memory <= 0 {
		memory = math.MaxInt64
	}
	return min(max(memory/part, least), most)
}
