package wire

import "errors"

// Errors of the parsers of bodies. They say nothing of the content, so that they can be logged.
var (
	ErrTruncated = errors.New("wire: body cut short")
	ErrLimit     = errors.New("wire: body exceeds a limit")
	ErrValue     = errors.New("wire: body holds an impossible value")
	ErrUnknown   = errors.New("wire: body uses a kind or flag of a later version")
)
