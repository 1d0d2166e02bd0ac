package stream

import "errors"

var (
	// ErrForeign says that one side does not accept the other's cluster key.
	ErrForeign = errors.New("the peer does not share our cluster key")
	// ErrNoKey says that an Identity has no seed and is not explicitly insecure.
	ErrNoKey = errors.New("no cluster key for the stream")
	// ErrVersion says that the peer speaks another version of the protocol.
	ErrVersion = errors.New("the peer speaks another protocol version")
	// ErrSilent says that the peer sent nothing while something was waited for.
	ErrSilent = errors.New("the peer is silent")
	// ErrStalled says that the peer does not take what is sent to it.
	ErrStalled = errors.New("the peer does not read")
	// ErrTooLarge says that a frame, ours or the peer's, exceeds MaxFrame.
	ErrTooLarge = errors.New("frame too large")
	// ErrHello says that a connection did not begin with who is there, or that one is sent again.
	ErrHello = errors.New("bad hello on the stream")
)
