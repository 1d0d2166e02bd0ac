// Package hlc is the hybrid logical clock that stamps every change.
//
// A Stamp and its arithmetic are plain values. A Clock may be used from any goroutine; it never reads the
// machine's clock, its callers hand the wall time in.
//
// The rule is that of Kulkarni, Demirbas et al., "Logical Physical Clocks" (2014), with the layout of 48 bits
// of Unix milliseconds above a 16-bit counter.
package hlc

import (
	"fmt"
	"sync/atomic"
	"time"
)

const counterBits = 16

// Stamp is a moment of the cluster's clock: Unix milliseconds in the upper 48 bits, a counter in the lower 16.
// Zero is earlier than every stamp that a Clock gives.
type Stamp uint64

// Max is later than every stamp that a Clock gives.
const Max = Stamp(1<<64 - 1)

// At is the first stamp of the millisecond ms (Unix). Milliseconds that do not fit are clamped.
func At(ms int64) Stamp {
	switch {
	case ms <= 0:
		return 0
	case ms >= 1<<48:
		return Max
	}
	return Stamp(ms) << counterBits
}

// Millis is the stamp's wall part, in Unix milliseconds.
func (s Stamp) Millis() int64 { return int64(s >> counterBits) }

// Add moves the stamp's wall part by d, truncated to milliseconds; the counter stays.
func (s Stamp) Add(d time.Duration) Stamp {
	ms := s.Millis() + d.Milliseconds()
	if ms < 0 {
		return 0
	}
	if ms >= 1<<48 {
		return Max
	}
	return At(ms) | s&(1<<counterBits-1)
}

// Next is the smallest stamp later than s.
func (s Stamp) Next() Stamp {
	if s == Max {
		return s
	}
	return s + 1
}

// String is the form used in traces: milliseconds, a dot, the counter.
func (s Stamp) String() string {
	return fmt.Sprintf("%d.%d", s.Millis(), uint16(s))
}

// Clock gives stamps that never repeat and never go back. The zero value is ready to use.
type Clock struct {
	last atomic.Uint64
}

// Now is the stamp of a local event at wallMS (Unix milliseconds): later than every stamp given or observed before.
func (c *Clock) Now(wallMS int64) Stamp {
	wall := uint64(At(wallMS))
	for {
		last := c.last.Load()
		next := max(wall, last+1)
		if c.last.CompareAndSwap(last, next) {
			return Stamp(next)
		}
	}
}

// Observe moves the clock past a stamp heard from another node, unless that stamp is more than limit ahead of
// wallMS: then the clock stays and Observe reports false.
func (c *Clock) Observe(remote Stamp, wallMS int64, limit time.Duration) bool {
	if remote.Millis() > wallMS+limit.Milliseconds() {
		return false
	}
	for {
		last := c.last.Load()
		if uint64(remote) <= last || c.last.CompareAndSwap(last, uint64(remote)) {
			return true
		}
	}
}

// Read is the clock's present reading at wallMS: what the cluster's time is at least. It does not tick.
func (c *Clock) Read(wallMS int64) Stamp {
	return max(At(wallMS), Stamp(c.last.Load()))
}
