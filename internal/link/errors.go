package link

import (
	"errors"
	"fmt"
)

var (
	// ErrNoInterface says that no interface could be chosen; its message says what to do.
	ErrNoInterface = errors.New("no usable network interface")
	// ErrNoMulticast is an ErrNoInterface where one would do that need not carry multicast.
	ErrNoMulticast = fmt.Errorf("%w for multicast", ErrNoInterface)
	// ErrPortTaken says that every port a node may use on this host is held by somebody else.
	ErrPortTaken = errors.New("port taken")
	// ErrTooLarge is what a SizeError is.
	ErrTooLarge = errors.New("datagram larger than the path takes")
)

// SizeError says that a datagram did not fit the interface (EMSGSIZE); the others of its batch were sent.
type SizeError struct {
	Size  int // the largest payload that was refused
	Limit int // what the interface takes now; 0 when the size was refused for a reason that its MTU does not explain
}

func (e *SizeError) Error() string {
	return fmt.Sprintf("%v: %d bytes, the interface takes %d", ErrTooLarge, e.Size, e.Limit)
}

// Is makes errors.Is(err, ErrTooLarge) true.
func (e *SizeError) Is(target error) bool { return target == ErrTooLarge }
