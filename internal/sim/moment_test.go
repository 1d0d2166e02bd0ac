package sim

import (
	"testing"
	"time"
)

func TestAMomentHasAWallClockAndAMonotonicOne(t *testing.T) {
	for _, skew := range []time.Duration{0, 1500 * time.Millisecond, -3 * time.Second} {
		at := moment(90*time.Second, skew)
		if got, want := at.UnixNano(), (epochMillis*time.Millisecond + 90*time.Second + skew).Nanoseconds(); got != want {
			t.Errorf("skew %v: wall %d, want %d", skew, got, want)
		}
		if got := at.Sub(moment(30*time.Second, 0)); got != time.Minute {
			t.Errorf("skew %v: a minute of the monotonic clock is %v", skew, got)
		}
		if got := at.Add(time.Second); got.Sub(at) != time.Second || got.UnixNano()-at.UnixNano() != 1e9 {
			t.Errorf("skew %v: Add moves the clocks apart", skew)
		}
		if virtualOf(at) != 90*time.Second {
			t.Errorf("skew %v: virtual %v", skew, virtualOf(at))
		}
	}
	if moment(2*time.Second, -time.Hour).Before(moment(time.Second, 0)) {
		t.Error("order follows the wall clock, not the monotonic one")
	}
}
