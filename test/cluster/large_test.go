package cluster

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sessioncast/sessioncast/internal/record"
)

// A session of 1 MiB, some 800 datagrams, is with all five nodes in time, though each loses this part of what it receives.
func TestALargeValueArrivesUnderLoss(t *testing.T) {
	for _, c := range []struct {
		lossPercent float64
		within      time.Duration
	}{{1, 200 * time.Millisecond}, {10, 500 * time.Millisecond}, {20, 2 * time.Second}} {
		t.Run(fmt.Sprint(c.lossPercent, " percent"), func(t *testing.T) {
			notRaced(t)
			synctest.Test(t, func(t *testing.T) {
				runOn(t, newMemory(), func(b *testbed) { b.largeWithin(c.lossPercent, c.within) })
			})
		})
	}
}

func (b *testbed) largeWithin(lossPercent float64, limit time.Duration) {
	nodes := b.hosts(5)
	b.net.lose(b.T, lossPercent)
	var took []time.Duration
	for round := range 20 {
		value := fmt.Sprintf("%02d", round) + strings.Repeat("x", record.MaxValue-len(bodyMark)-2)
		began := time.Now()
		nodes[round%len(nodes)].put("large", value)
		for _, m := range nodes {
			b.within(limit-time.Since(began), m.name+" has it", func() bool { return m.held("large") == value })
		}
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	b.Logf("on all after %v in the middle, %v at most", took[len(took)/2], took[len(took)-1])
}
