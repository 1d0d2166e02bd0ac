package engine

import (
	"testing"
	"time"
)

func TestALateHeartbeatMakesNoClockLookSlow(t *testing.T) {
	start := time.Unix(1_700_000_000, 0)
	var o offsetMeter
	for _, c := range []struct {
		at, by, want time.Duration
	}{
		{0, -10 * time.Second, -10 * time.Second}, // all there is
		{time.Second, time.Millisecond, time.Millisecond},
		{2 * time.Second, -8 * time.Second, time.Millisecond},
		{3 * time.Second, -2 * time.Millisecond, time.Millisecond},
		{5 * time.Second, -3 * time.Millisecond, -2 * time.Millisecond}, // the window has passed
		{20 * time.Second, -time.Hour, -time.Hour},
	} {
		now := start.Add(c.at)
		o.note(now, c.by)
		if by, age := o.read(now); by != c.want || age != 0 {
			t.Errorf("at %v: %v, %v old, want %v", c.at, by, age, c.want)
		}
	}
	if by, age := o.read(start.Add(30 * time.Second)); by != -time.Hour || age != 10*time.Second {
		t.Errorf("in silence: %v, %v old", by, age)
	}
}
