package admin

import "errors"

var (
	// ErrRunning says that a daemon of the same name runs on this host.
	ErrRunning = errors.New("another daemon holds this name on this host")
	// ErrTaken says that the admin address is in use.
	ErrTaken = errors.New("admin address is taken")
	// ErrUnsafe says that others could put something into the socket's place.
	ErrUnsafe = errors.New("the socket's folder is not this user's own")
	// ErrSilent says that nobody answers at a socket.
	ErrSilent = errors.New("no daemon answers there")
)
