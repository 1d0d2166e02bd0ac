package bridge

// Counters count since the start. Hosts and Queued are of now.
type Counters struct {
	Hosts  int64 // nodes of the originals' group that are known
	Queued int64 // sessions that wait to be told to originals

	DatagramsIn  uint64 // of originals
	DatagramsOut uint64
	Greeted      uint64 // newcomers
	Asked        uint64 // originals, for their sessions
	Answered     uint64 // answers sent, each of some sessions

	Taken     uint64 // sessions of originals that are new here
	Updated   uint64 // sessions that originals wrote again, and that changed by that
	Extended  uint64 // of which only the end moved
	Unchanged uint64 // of which nothing changed
	Ended     uint64 // destroyed by originals

	Told     uint64 // sessions told to the originals
	ToldEnds uint64 // destroyed sessions told to them
	ToldBack uint64 // of which they spoke again, so that they were told again

	NotUpdated uint64 // changes here that originals cannot be told
	NotExpired uint64 // sessions that ended here by themselves, and stay there

	DropMalformed uint64 // not a message of an original
	DropUnknown   uint64 // a message of no kind that is known
	DropDepth     uint64 // nested too deep
	DropSession   uint64 // a session that is none: no id, no object, no cookie
	DropSID       uint64 // an id that is too long
	DropExpired   uint64 // past its end
	DropDestroyed uint64 // logged out before
	DropRate      uint64 // more than SessionsPerSecond
	DropHosts     uint64 // greetings and answers beyond their limits
	DropBridge    uint64 // of another bridge
	DropRefused   uint64 // not taken by the store: full, too large, clock ahead

	TooLarge   uint64 // sessions of more than a datagram, not told to originals
	Unfit      uint64 // sessions that originals would die of or not take, not told
	QueueFull  uint64 // sessions not told because too many waited
	EventsLost uint64 // changes here that came too fast: new sessions are looked for then, ends are not told
	SendErrors uint64 // datagrams that the system did not send
}
