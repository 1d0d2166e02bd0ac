package sim

import (
	"time"

	"github.com/sessioncast/sessioncast/internal/clocktest"
)

// epochMillis is the wall clock when every run starts, in Unix milliseconds.
const epochMillis = 1_800_000_000_000

// monotonicAtVirtual is what the monotonic clocks show when every run starts.
const monotonicAtVirtual = time.Hour

// moment is what time.Now says on a node: virtual is the time since the run began, skew what its wall clock is off by.
func moment(virtual, skew time.Duration) time.Time {
	return clocktest.Moment(epochMillis*int64(time.Millisecond)+int64(virtual)+int64(skew), monotonicAtVirtual+virtual)
}

// virtualOf is the virtual time at which the monotonic clock of t stands.
func virtualOf(t time.Time) time.Duration { return t.Sub(moment(0, 0)) }
