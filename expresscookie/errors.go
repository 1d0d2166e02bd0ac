package expresscookie

import (
	"errors"
	"fmt"
)

// Errors to compare with by errors.Is. None holds an id.
var (
	// ErrDestroyed says that a session was destroyed or has ended since the request began: nothing was written, and it stays so.
	ErrDestroyed = errors.New("expresscookie: the session was destroyed or has ended meanwhile")
	// ErrOutside says that the request's path is not under Config.Cookie.Path: it has no session.
	ErrOutside = errors.New("expresscookie: no session: the request's path is outside of Config.Cookie.Path")
	// ErrReserved says that express-session keeps a top-level key for itself, or does not see it.
	ErrReserved = errors.New("expresscookie: the key is express-session's own")
	// ErrTooLarge says that a session exceeds MaxSession, as JSON.
	ErrTooLarge = errors.New("expresscookie: the session is too large")
	// ErrNotSession says that what the store has under a session's key is no session of express-session.
	ErrNotSession = errors.New("expresscookie: what is stored is no session of express-session")
	// ErrUser says that what Config.User leads to is neither a text nor a number, or is longer than 256 bytes.
	ErrUser = errors.New("expresscookie: what Config.User leads to is no user's id")
	// ErrCookie says that a session's cookie has an attribute, or a length, that no cookie may have.
	ErrCookie = errors.New("expresscookie: the cookie cannot be sent")
	// ErrTooLate says that a new session was first changed after the response's head had left, so that its cookie could not be
	// sent; the session was not made.
	ErrTooLate = errors.New("expresscookie: the session was begun after the response's head had left")

	// ErrNotFound is what a Store says of a session that it does not have.
	ErrNotFound = errors.New("expresscookie: no such session")
)

// errNotObject says of what is stored that it may be anything.
var errNotObject = fmt.Errorf("%w: it is no JSON object", ErrNotSession)

// Limits.
const (
	// MaxCookie is how many bytes a cookie may have, name and attributes included where it is sent: what browsers take.
	MaxCookie = 4096
	// MaxSession is how many bytes a session may have as JSON.
	MaxSession = 1 << 20
	// MaxSecrets is how many secrets may be in use.
	MaxSecrets = 16
)
