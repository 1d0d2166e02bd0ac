// Package transfer is both ends of a state transfer: the Donor, which tells a puller what it holds, and the Taker,
// which merges that into its own table.
//
// Neither connects to anything: they make and take the bodies of stream messages, which internal/stream carries over
// TLS and the simulation over its virtual network. Each belongs to the one goroutine that carries its messages; the
// tables they work on are shared with everybody.
//
// The exchange is pull, offer, chunks, end (docs/PROTOCOL.md, "Stream"). Each chunk ends in a cursor: once it is
// merged, a transfer from any donor may go on from there.
package transfer

import "errors"

// Errors of a Taker, beside those of wire for bodies that do not parse.
var (
	ErrOrder = errors.New("transfer: a message that does not belong here")
	ErrKind  = errors.New("transfer: a record that is no whole state")
)

// lastCursor is behind every record, but for those whose hash it is, which are sent again from it.
const lastCursor = 1<<64 - 1
