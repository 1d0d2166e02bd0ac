package engine

// Counters count what a Machine did and what it dropped, since its start.
type Counters struct {
	FramesIn, FramesOut uint64
	BytesIn, BytesOut   uint64

	// Dropped before decryption or by it.
	DropShort, DropForeign, DropKey, DropReplay, DropTag uint64
	DropOriginal                                         uint64 // JSON, as of express-session-multicast and of the check for its nodes at a start
	DropOwn                                              uint64 // under our own origin, and not from our address
	// Dropped after it.
	DropMalformed, DropUnproven uint64

	DataOut, DataIn   uint64 // frames with changes
	DotsOut, DotsIn   uint64
	Duplicates        uint64 // items whose dots were all held
	Conflated         uint64 // own dots superseded before they were sent
	FragmentsOut      uint64
	FragmentsIn       uint64
	FragmentDrops     uint64 // no room to assemble, or of another version
	NacksOut, NacksIn uint64
	GapsPulled        uint64 // transfers asked for because no repair came
	RepairsOut        uint64 // items sent again
	RepairsIn         uint64
	RepairDenied      uint64 // beyond a requester's budget
	HeartbeatsOut     uint64
	CopiesOut         uint64 // frames for the group sent by unicast
	CallsOut          uint64 // greetings to addresses at which no member is known
	SeedsDropped      uint64 // configured addresses beyond the limit
	CallsDropped      uint64 // addresses to greet beyond the limit
	SetAside          uint64 // receivers far worse than the others
	TurnedAway        uint64 // requests of such that were not answered
	LossReports       uint64 // told to who sent many datagrams
	AcksOut, AcksIn   uint64
	AckTimeouts       uint64 // writes told before as many peers had confirmed them as the configuration asks
	AckMoreUnmet      uint64 // calls that asked for more than that, told before so many had confirmed
	AckGivenUp        uint64 // of both, told at once: nobody who answers lately was left to wait for
	ControlDropped    uint64 // small frames beyond those kept between two polls; all are repeated by timers
	EventsDropped     uint64 // beyond those kept between two polls
	AwaitDenied       uint64 // too many writers waiting
	ClonesFound       uint64 // runs of others under this node's incarnation; it took a new one each time
	Challenges        uint64
	ChallengesDenied  uint64 // too many unproven origins
	SightingsDropped  uint64 // nodes heard and not proven beyond those remembered
	MembersForgotten  uint64 // the list being full, who was dead for longest, or silent for longest where none is dead
	RelaysDropped     uint64 // probes made for others whose answer is not passed on any more
	OtherKeysDropped  uint64 // frames under another key from addresses that found no room in the list
	WatchersDenied    uint64 // too many watch this node
	FetchesStarted    uint64
	FetchesFailed     uint64
	GivesUncounted    uint64 // transfers from this node beyond those that it waits for as it leaves
	JoinsIncomplete   uint64 // times that this node was synced without all that its donors had offered
	Divergences       uint64
	OriginsForgotten  uint64 // runs of nodes so long ago that their intervals are not kept
	EndedElsewhere    uint64 // births dropped: they ended in another part, during a long separation
	WatchesBroken     uint64 // connections of the death watch that the other side ended
	DoubtsIn          uint64 // told by others
	DoubtsProven      uint64 // dead within milliseconds
	DoubtsRefuted     uint64
	ShutsFound        uint64 // peers heard by multicast of which nothing came by unicast, though they were asked
	StoodStill        uint64 // times that this node was stopped or had no time at all
	NoRoom            uint64 // remote items that found no room in the table
	SealRefused       uint64 // must stay 0
	BacklogDropped    uint64 // own dots left to pulls, the backlog being full
}
