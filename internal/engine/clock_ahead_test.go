package engine

import (
	"testing"
	"time"
)

// The first frame after a peer's clock stepped tells it; what was measured of it before says nothing.
func TestAClockThatStepsIsToldByHowMuch(t *testing.T) {
	b := newBench(t, 2)
	b.run(10 * time.Second)
	b.nodes[1].m.clock.Now(b.now.Add(time.Hour).UnixMilli())
	b.run(2 * time.Second)
	for _, e := range b.nodes[0].events {
		if e.Kind == EventClockAhead {
			if got := e.Member.Offset; got < 59*time.Minute || got > time.Hour {
				t.Errorf("a step of an hour is told as %v", got)
			}
			return
		}
	}
	t.Error("it is not told")
}
