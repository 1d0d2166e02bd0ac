package cluster

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// The aim of docs/reliability.md, here under the virtual clock: two minutes apart, every session changed, and five seconds
// after connectivity all nodes are alike. The time that machines take to work is not in it: make figures measures that.
func TestATwoMinutePartitionHealsInFiveSeconds(t *testing.T) {
	notRaced(t)
	if testing.Short() {
		t.Skip("moves a few hundred thousand sessions")
	}
	synctest.Test(t, func(t *testing.T) {
		runOn(t, newMemory(), func(b *testbed) {
			const sessions, apart = 100_000, 2 * time.Minute // as docs/reliability.md has it
			nodes := b.hosts(4)
			for i := range sessions {
				nodes[i%4].put(fmt.Sprint("s", i), "before")
			}
			b.allHold(nodes, sessions)
			b.sameTables(nodes, patience)
			b.separate(nodes)
			clock := time.NewTicker(apart / 100)
			defer clock.Stop()
			for i := range sessions {
				nodes[i%4].put(fmt.Sprint("s", i), "after")
				if i%(sessions/100) == 0 {
					<-clock.C
				}
			}
			for range 5 { // until no heartbeat follows what was written
				<-clock.C
			}
			b.net.mend(b.T)
			mended := time.Now()
			b.sameTables(nodes, 5*time.Second)
			b.Logf("healed %v after connectivity", time.Since(mended))
			for i := 0; i < sessions; i += 1000 {
				b.allRead(nodes, fmt.Sprint("s", i), "after")
			}
			noDivergence(b, nodes)
		})
	})
}
