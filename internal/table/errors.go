package table

import (
	"errors"
	"fmt"
)

// What a local operation may be refused with.
var (
	ErrDestroyed  = errors.New("the session was destroyed a moment ago")
	ErrFull       = errors.New("the session memory is full: raise its limit on every node, or wait until sessions end")
	ErrCrowded    = fmt.Errorf("most nodes of the cluster are nearly full: %w", ErrFull)
	ErrTooLarge   = errors.New("the value or its owner label is too large")
	ErrKeyTooLong = errors.New("the session key is too long or names no database")
	ErrClock      = errors.New("this node's clock is too far ahead of its peers'")
	ErrClosed     = errors.New("this node is closed or leaving its cluster")
)

// Why a node's clock keeps it from writing; each of them is an ErrClock.
const (
	ErrClockAhead   = clockError("this node's clock is too far ahead of its peers': set it right, then writes are taken again")
	ErrClockStepped = clockError("this node's clock was set forward a moment ago: writes are taken again when its peers' clocks agree with it, or it is set back")
	ErrClockStamps  = clockError("this node's clock was too far ahead of its peers' until it was set back, and what it wrote now would still win every conflict: restart this node if that lasts longer than a minute")
)

type clockError string

func (e clockError) Error() string        { return string(e) }
func (e clockError) Is(target error) bool { return target == ErrClock }
