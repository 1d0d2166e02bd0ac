package bridge

import "time"

// Limits on what others can make a bridge hold, do or send.
const (
	// MaxDatagram is the most that a UDP datagram over IPv4 carries, and so the longest message of an original.
	MaxDatagram = 65507
	// MaxSID bounds a session's id; with the prefix it must fit into a key, too.
	MaxSID = 512
	// MaxDepth bounds how deep a session's objects and arrays nest.
	MaxDepth = 64
	// MaxHosts bounds the nodes of the group that are remembered.
	MaxHosts = 256
	// MaxQueue bounds the sessions that wait to be told to the originals.
	MaxQueue = 65536
	// MaxGivings bounds the nodes that are given all sessions at the same time.
	MaxGivings = 16
	// MaxBases bounds the copies of sessions whose fields are remembered, by hashes.
	MaxBases = 65536
	// MaxBaseFields bounds the fields of a session that are remembered so.
	MaxBaseFields = 32

	// SessionsPerSecond is how many of the originals' messages about sessions are taken, SessionsBurst how many at once.
	SessionsPerSecond = 2000
	SessionsBurst     = 8192
	// GreetingsPerSecond is how many newcomers are greeted.
	GreetingsPerSecond = 10

	// tellPerSecond is how many datagrams about single sessions are sent. An original looks through all that it holds for each, some
	// milliseconds where that is thousands, and its receive buffer holds some 90.
	tellPerSecond = 200
	tellBurst     = 16
	// givingStep is the time that a newcomer is given for each session, and backfillStep the time between two that are told to all
	// because some may lack them; searchTime is added for each session that was given before, as it will be searched through.
	givingStep   = 5 * time.Millisecond
	backfillStep = 10 * time.Millisecond
	searchTime   = 2 * time.Microsecond
	// AnswerSize is where an answer is full, if it is not one session that is larger: what is lost of it is not asked for again. It has
	// AnswerSessions at most.
	AnswerSize     = 1400
	AnswerSessions = 16

	// unaskedAfter is how long a newcomer has to ask before it is given the sessions anyway: it asks the one that greeted it first, whose
	// answer may be too long to be sent.
	unaskedAfter = time.Second
	// giveAgain is the time within which a node is not given everything twice.
	giveAgain = 10 * time.Second
	// helloAgain and hellos: a hello may be lost.
	helloAgain = time.Second
	hellos     = 3
	// Starting is how long after its first hello a bridge gives way to another one that answers.
	Starting = 5 * time.Second
	// backfillAfter is when, after the first hello, the originals' answers are expected to have come.
	backfillAfter = 3 * time.Second
)

// Lifetimes of sessions that come from originals, which keep them for ever.
const (
	// DefaultLife is that of a session that says nothing about its end.
	DefaultLife = 24 * time.Hour
	// MaxLife is as long as browsers keep a cookie.
	MaxLife = 400 * 24 * time.Hour
)
