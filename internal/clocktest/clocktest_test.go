package clocktest

import (
	"testing"
	"testing/synctest"
	"time"
)

const start = 1_800_000_000_000 * int64(time.Millisecond)

func TestAMomentHasAWallClockAndAMonotonicOne(t *testing.T) {
	for _, skew := range []time.Duration{0, 1500 * time.Millisecond, -3 * time.Second} {
		at := Moment(start+int64(skew), 90*time.Second)
		if got, want := at.UnixNano(), start+int64(skew); got != want {
			t.Errorf("skew %v: wall %d, want %d", skew, got, want)
		}
		if got := at.Sub(Moment(start, 30*time.Second)); got != time.Minute {
			t.Errorf("skew %v: a minute of the monotonic clock is %v", skew, got)
		}
		if got := at.Add(time.Second); got.Sub(at) != time.Second || got.UnixNano()-at.UnixNano() != 1e9 {
			t.Errorf("skew %v: Add moves the clocks apart", skew)
		}
	}
	if Moment(start-int64(time.Hour), 2*time.Second).Before(Moment(start, time.Second)) {
		t.Error("order follows the wall clock, not the monotonic one")
	}
}

func TestAClockJumpsAndIsSlewedWhileItsTimersRunOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New(-3 * time.Second)
		began := c.Now()
		steps := []struct {
			do   func()
			wait time.Duration
			off  time.Duration
		}{
			{func() {}, time.Second, -3 * time.Second},
			{func() { c.Jump(time.Hour) }, 0, time.Hour - 3*time.Second},
			{func() { c.Jump(3*time.Second - time.Hour) }, time.Second, 0},
			{func() { c.Slew(500) }, 1000 * time.Second, 500 * time.Millisecond},
			{func() { c.Slew(-1000) }, 1000 * time.Second, -500 * time.Millisecond},
			{func() { c.Correct(100_000) }, time.Second, -400 * time.Millisecond},
			{func() {}, time.Minute, 0},
		}
		total := time.Duration(0)
		for i, s := range steps {
			s.do()
			time.Sleep(s.wait)
			total += s.wait
			if got := c.Off(); got != s.off {
				t.Errorf("step %d: off by %v, want %v", i, got, s.off)
			}
			now := c.Now()
			if got := now.Sub(began); got != total {
				t.Errorf("step %d: timers say that %v passed, want %v", i, got, total)
			}
			if got := time.Duration(now.UnixNano() - time.Now().UnixNano()); got != s.off {
				t.Errorf("step %d: the wall clock is off by %v, want %v", i, got, s.off)
			}
		}
	})
}
