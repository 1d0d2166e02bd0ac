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
	ErrClosed     = errors.New("this node is leaving and takes no writes")
)
