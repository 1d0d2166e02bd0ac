package sim

import (
	"testing"
	"time"
)

func TestVirtualTimeFollowsTheMonotonicClock(t *testing.T) {
	for _, skew := range []time.Duration{0, 1500 * time.Millisecond, -time.Hour} {
		at := moment(90*time.Second, skew)
		if virtualOf(at) != 90*time.Second {
			t.Errorf("skew %v: virtual %v", skew, virtualOf(at))
		}
		if got, want := at.UnixMilli(), epochMillis+90_000+skew.Milliseconds(); got != want {
			t.Errorf("skew %v: wall %d, want %d", skew, got, want)
		}
	}
}
