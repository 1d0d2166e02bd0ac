package resp

import "sync/atomic"

// Stats counts what the server did since it started.
type Stats struct {
	Clients   int64 // connected now
	Blocked   int64 // of them, waiting for acknowledgements now
	Tracking  int64 // of them, told when what they read changes
	Output    int64 // bytes of replies that wait for clients now
	Input     int64 // bytes kept of unfinished and queued commands now
	Accepted  uint64
	Commands  uint64
	Failed    uint64 // commands answered with an error
	Hits      uint64
	Misses    uint64
	Expired   uint64 // commands that found a deadline already past and deleted
	BytesIn   uint64
	BytesOut  uint64
	Reads     uint64 // read calls
	Writes    uint64 // write calls
	Held      uint64 // batches whose replies waited for acknowledgements
	Destroyed uint64 // writes refused by the logout hold
	Full      uint64 // writes refused because the table is full

	// Connections closed or refused, and why.
	ClosedTooMany  uint64 // more than MaxClients
	ClosedProtocol uint64 // malformed commands
	ClosedHTTP     uint64 // POST or Host:, so a browser's request
	ClosedOutput   uint64 // replies beyond the output limit
	ClosedInput    uint64 // too many unfinished and queued commands of all clients together
	ClosedStalled  uint64 // read none of its replies for a minute
	AcceptErrors   uint64
	AuthFailures   uint64
	TooBig         uint64 // commands read past because they are too large
	Invalidations  uint64 // messages sent to tracking clients
	SessionEvents  uint64 // messages sent to clients that watch sessions
	TrackingLost   uint64 // times tracking clients were told to forget all, because there was too much to tell
}

type counters struct {
	clients, blocked, tracking, output, input                                    atomic.Int64
	accepted, commands, failed, hits, misses, expired                            atomic.Uint64
	bytesIn, bytesOut, reads, writes, held, destroyed, full                      atomic.Uint64
	closedTooMany, closedProtocol, closedHTTP, closedOutput, closedStall         atomic.Uint64
	acceptErrors, authFailures, tooBig, invalidations, trackingLost, closedInput atomic.Uint64
	sessionEvents                                                                atomic.Uint64
}

// Stats may be called from any goroutine.
func (s *Server) Stats() Stats {
	n := &s.count
	return Stats{
		Clients: n.clients.Load(), Blocked: n.blocked.Load(), Tracking: n.tracking.Load(), Output: n.output.Load(), Input: n.input.Load(),
		Accepted: n.accepted.Load(), Commands: n.commands.Load(), Failed: n.failed.Load(),
		Hits: n.hits.Load(), Misses: n.misses.Load(), Expired: n.expired.Load(),
		BytesIn: n.bytesIn.Load(), BytesOut: n.bytesOut.Load(), Reads: n.reads.Load(), Writes: n.writes.Load(),
		Held: n.held.Load(), Destroyed: n.destroyed.Load(), Full: n.full.Load(),
		ClosedTooMany: n.closedTooMany.Load(), ClosedProtocol: n.closedProtocol.Load(), ClosedHTTP: n.closedHTTP.Load(),
		ClosedOutput: n.closedOutput.Load(), ClosedStalled: n.closedStall.Load(), ClosedInput: n.closedInput.Load(),
		AcceptErrors: n.acceptErrors.Load(), AuthFailures: n.authFailures.Load(), TooBig: n.tooBig.Load(),
		Invalidations: n.invalidations.Load(), TrackingLost: n.trackingLost.Load(),
		SessionEvents: n.sessionEvents.Load(),
	}
}
