package resp

import (
	"testing"
	"time"
)

// TestABusyLoopStepsAside counts how often a loop does, of turns as far apart as they are where it is busy, and where it is not.
func TestABusyLoopStepsAside(t *testing.T) {
	for _, tt := range []struct {
		name        string
		apart       time.Duration
		turns, want int
	}{
		{"a turn each 100 µs for a second", 100 * time.Microsecond, 10_000, 125},
		{"a turn each 2 ms for a second", 2 * time.Millisecond, 500, 125},
		{"a turn each 5 ms", 5 * time.Millisecond, 320, 80},
		{"two turns", 10 * time.Millisecond, 2, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, now, got := courtesy{}, time.Unix(1, 0), 0
			for range tt.turns {
				now = now.Add(tt.apart)
				if c.due(now) {
					got++
				}
			}
			if got < tt.want-1 || got > tt.want+1 {
				t.Errorf("stepped aside %d times, want %d", got, tt.want)
			}
		})
	}
}
