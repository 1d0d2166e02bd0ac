package sessioncast

import (
	"errors"

	"github.com/sessioncast/sessioncast/internal/keyfile"
	"github.com/sessioncast/sessioncast/internal/link"
	"github.com/sessioncast/sessioncast/internal/node"
	"github.com/sessioncast/sessioncast/internal/table"
)

// Errors to compare with by errors.Is.
var (
	// ErrNotFound says that there is no such session: never made, ended, or destroyed.
	ErrNotFound = errors.New("sessioncast: no such session")
	// ErrIncomplete says that a session is not here and may be elsewhere: Config.MaxMemory leaves no room for all that the others
	// hold, or this node, which was alone, is fetching what others had meanwhile. It is not an ErrNotFound: whoever creates the
	// session anew overwrites it.
	ErrIncomplete = errors.New("sessioncast: this node does not hold every session, and not this one")
	// ErrNoRoom says that the others hold more than Config.MaxMemory leaves room for.
	ErrNoRoom = node.ErrNoRoom
	// ErrExists says that Create met a session of that id.
	ErrExists = errors.New("sessioncast: the session exists already")
	// ErrDestroyed says that Set met a session destroyed a moment ago, which a request that was still running would
	// bring back. Create, which states that the session is new, is not refused.
	ErrDestroyed = table.ErrDestroyed
	// ErrFull says that Config.MaxMemory is reached: no session may be made or grow until others end.
	ErrFull = table.ErrFull
	// ErrTooLarge says that data exceeds Config.MaxSession.
	ErrTooLarge = table.ErrTooLarge
	// ErrNoID says that a session's id is empty, as of an absent cookie: all visitors would share it.
	ErrNoID = errors.New("sessioncast: a session's id must not be empty")
	// ErrIDTooLong says that a session's id exceeds 512 bytes.
	ErrIDTooLong = table.ErrKeyTooLong
	// ErrClock says that this node's clock is ahead of the others' by more than five seconds: it writes nothing until
	// that is mended, since its writes would win every conflict.
	ErrClock = table.ErrClock
	// ErrClosed says that the node is closed or closing.
	ErrClosed = table.ErrClosed
	// ErrLeftEarly says that a node closed before a joining one had all sessions, which no other node has: some may be lost.
	ErrLeftEarly = node.ErrLeftEarly
	// ErrNoInterface says that no network interface could be chosen.
	ErrNoInterface = link.ErrNoInterface
	// ErrPortTaken says that other programs hold the ports.
	ErrPortTaken = link.ErrPortTaken
	// ErrKeyReadable says that others than its owner may read the key file.
	ErrKeyReadable = keyfile.ErrReadable
)
