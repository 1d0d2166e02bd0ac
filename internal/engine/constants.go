package engine

import "time"

// Constants of the protocol: docs/PROTOCOL.md, "Timers". All nodes of a cluster should agree on them.
const (
	batchDelay      = time.Millisecond // changes wait this long for company, unless none left lately
	nackJitterMin   = 200 * time.Microsecond
	nackJitterMax   = time.Millisecond
	nackRetryMin    = 2 * time.Millisecond
	nackRetryMax    = 128 * time.Millisecond
	gapPatience     = 2 * time.Second  // a dot asked for in vain for so long is pulled over a stream
	nackOriginMax   = 2                // tries at the origin before any holder is asked
	repairDelay     = time.Millisecond // between answers: the first request is answered at once, those after it together
	repairGroup     = 3                // requesters of one dot from which its repair is multicast
	repairMaxBytes  = 64 << 10         // per NACK; what is left is asked for again,
	repairPullBytes = 256 << 10        // or, if it is more than this and twice what the comparison of tables costs, pulled
	ringDots        = 8192             // a larger gap is pulled over a stream

	askAgainMin = 5 * time.Millisecond // for an acknowledgement that a writer waits for, doubling
	askAgainMax = 40 * time.Millisecond

	tailMin       = 2 * time.Millisecond // heartbeat after data, doubling up to steady
	steady        = time.Second
	steadyJitter  = 100 * time.Millisecond
	silentAfter   = 3 * time.Second // suspect
	keepDead      = time.Hour       // the log of a dead origin's dots
	deadAfter     = time.Second     // from suspect to dead
	probeInterval = 200 * time.Millisecond
	probeHelpers  = 3
	refuteAgain   = 100 * time.Millisecond
	refuteTwice   = doubtInFlight + 2*time.Millisecond // after the first heartbeat that refutes, another that cannot have been under way

	watchNext      = 2                      // nodes that each watches
	watchSettle    = 200 * time.Millisecond // members that come are watched after this while
	doubtInterval  = 8 * time.Millisecond   // between the probes of who is doubted, longer where the way is long:
	tripsWaited    = 2                      // the last answer of the way there and back counts so many times
	tripMax        = time.Second
	doubtProbes    = 3  // unanswered: dead
	doubtProbesMax = 10 // where the verdict came late
	doubtLate      = 10 * time.Millisecond
	doubtInFlight  = 10 * time.Millisecond  // frames may have been under way when the process died
	doubtSpread    = 2                      // times that a doubt is told
	doubtAgain     = time.Second            // a doubt that others tell is not followed again so soon
	doubtLooks     = 4                      // at who is doubted and does not answer, before its silence has to tell
	doubtAgainMin  = 150 * time.Millisecond // between two looks, doubling; longer than refuteAgain

	lateAfter  = 50 * time.Millisecond // behind its own deadline a node is overloaded
	stillAfter = time.Second           // ... stood still
	backlogFor = time.Second           // after which it has read what waited in its sockets
	lateShown  = 10 * time.Second
	healthMax  = 7 // timeouts are eight times as long then
	healthCalm = 2 * time.Second
	lossWindow = 30  // heartbeats over which loss is averaged at most
	lossSample = 200 // multicast datagrams that suffice
	lossLeast  = 10  // fewer say nothing

	joinWait        = time.Second     // without a synced greeting: alone
	givenFor        = 5 * time.Second // in which a donor's full heartbeat tells of what it lacked as it gave
	unsureWait      = time.Minute     // for a first answer to where the others are
	voicesWait      = 2 * time.Second // for a second clock, by who is far behind the first
	helloSteady     = 5 * time.Second
	greetAfterProof = time.Millisecond
	greetBusy       = 100 * time.Millisecond // delay of a greeting by one who is not synced
	challengeMin    = 50 * time.Millisecond  // until a challenge is repeated, doubling
	challengeMax    = 5 * time.Second
	proofPatience   = 2 * time.Second  // heard for so long without a proof: unicast is shut
	sightedFor      = 10 * time.Second // silence after which such a node is not spoken of any more
	leaveWait       = 2 * time.Second  // for peers to confirm the last changes
	giveWait        = 8 * time.Second  // for who can get sessions here only; service managers kill after 10 s or more
	leaveFrames     = 3
	lossPatience    = 3 * time.Second // for what a donor offered and did not give to come from others

	paceInterval = 200 * time.Millisecond
	paceCut      = 0.7
	paceGain     = 0.05
	paceAnswer   = 40 * time.Millisecond // within which receivers answer
	reportAgain  = paceInterval / 2
	paceFrames   = lossLeast // multicast datagrams in an interval from which receivers are asked
	paceLoss     = 0.01
	paceFloor    = 0.01 // of the ceiling: never slower
	paceTrial    = 4    // cuts that do not lower the loss: it is no congestion
	paceSteady   = 0.1  // the most that is taken for the road's own loss

	deafAfter        = 2200 * time.Millisecond // silence by multicast from which a node says that it hears none: two heartbeats lost in a row
	complainInterval = 500 * time.Millisecond  // between two unicast heartbeats that say so
	briskBeats       = 12                      // heartbeats by multicast to who says so first
	briskInterval    = 100 * time.Millisecond  // between two of them
	deafSure         = 1200 * time.Millisecond // when it still hears none then, it is no chance
	copiesLinger     = 5 * time.Second         // copies to who hears multicast again
	newcomerGrace    = 500 * time.Millisecond  // for the first multicast of a newcomer to arrive
	newcomerBeats    = 4
	introducedFor    = time.Minute     // that somebody introduced by a member is called
	helloAgain       = 2 * time.Second // between two greetings of a member: to ask whom else it hears, or because it names this node nowhere
	asideLook        = time.Second
	asideLooks       = 3    // in a row that find a receiver far worse than the others, or well again
	asideLeast       = 3    // receivers; of fewer none is set aside
	asideLoss        = 0.05 // beyond asideFactor times the median
	asideLag         = ringDots
	asideFactor      = 4
	asideBudget      = 256 // dots repaired between two looks
	asidePullMin     = time.Second
	asidePullMax     = 8 * time.Second

	divergenceBeats = 3 // equal vectors with unequal roots, in a row
)

// helloAt are the moments of the first HELLOs, from the start.
var helloAt = [...]time.Duration{0, 50 * time.Millisecond, 150 * time.Millisecond, 350 * time.Millisecond}

// Constants of this implementation: limits on memory and work. Each drop beyond one has a counter.
const (
	maxStrangers    = 1024      // unproven origins under challenge
	maxSighted      = 256       // nodes heard and not proven
	maxPeers        = 1024      // members, dead ones included
	maxOrigins      = 65_536    // runs of nodes whose intervals are kept, the latest
	maxSeeds        = 256       // configured addresses
	maxCalls        = 2048      // addresses greeted by unicast, of the configured, the introduced and the dead
	maxRelays       = 64        // probes made for others and not answered yet
	maxBacklog      = 65_536    // keys waiting to be pushed
	maxControl      = 4096      // small frames waiting for the next Poll
	maxWaiters      = 65_536    // writers waiting for acknowledgements
	maxAssemblies   = 256       // items being put together from fragments
	maxAssembly     = 64 << 20  // bytes of all of them
	maxRepairWants  = 16 * 1024 // dots asked of us in one window
	maxOutgoing     = 16        // items being sent in fragments, besides
	maxPieces       = 64        // items of which pieces are sent again
	maxSpareDirty   = 1024
	maxGiving       = 512 // transfers from this node that it waits for as it leaves; streams are limited to as many
	assemblyTries   = 8
	assemblyStall   = 250 * time.Millisecond
	otherKeySources = 64          // addresses remembered as having another key
	otherKeyRecent  = time.Minute // heard lately
	maxForeigners   = 8           // addresses remembered as sending what is no frame of this cluster
	foreignRecent   = time.Minute
	maxEvents       = 1024
	defaultRate     = 125_000_000
	paceBurst       = 1 << 20
	ackMissesMax    = 2
	ackBench        = time.Second
	ackMissAfter    = 20 * time.Millisecond
	fullRetryMin    = time.Second
	fullRetryMax    = 30 * time.Second
	fetchRetryMin   = 500 * time.Millisecond
	fetchRetryMax   = 30 * time.Second
)
