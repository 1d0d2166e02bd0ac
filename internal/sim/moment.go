package sim

import (
	"time"
	"unsafe"
)

// epochMillis is the wall clock when every run starts, in Unix milliseconds.
const epochMillis = 1_800_000_000_000

// Real nodes have two clocks in one time.Time: timers follow the monotonic one, stamps the wall clock. The time package
// offers no way to make such a value, so this follows its memory layout; a test holds it to that.
type timeLayout struct {
	wall uint64 // 1 bit "has a monotonic reading", 33 bits of seconds since 1885, 30 bits of nanoseconds
	ext  int64  // the monotonic reading, nanoseconds
	loc  *time.Location
}

const (
	hasMonotonic       = 1 << 63
	nanosecondBits     = 30
	secondsBefore1970  = 2_682_288_000 // from 1885 on
	monotonicAtVirtual = int64(time.Hour)
)

// moment is what time.Now says on a node: virtual is the time since the run began, skew what its wall clock is off by.
func moment(virtual, skew time.Duration) time.Time {
	wall := epochMillis*int64(time.Millisecond) + int64(virtual) + int64(skew)
	sec, nsec := wall/int64(time.Second), wall%int64(time.Second)
	layout := timeLayout{
		wall: hasMonotonic | uint64(sec+secondsBefore1970)<<nanosecondBits | uint64(nsec),
		ext:  monotonicAtVirtual + int64(virtual),
		loc:  time.UTC,
	}
	return *(*time.Time)(unsafe.Pointer(&layout))
}

// virtualOf is the virtual time at which the monotonic clock of t stands.
func virtualOf(t time.Time) time.Duration { return t.Sub(moment(0, 0)) }
