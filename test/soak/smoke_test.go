//go:build linux

package main

import (
	"os"
	"testing"
	"time"

	"github.com/sessioncast/sessioncast/internal/nstest"
	"github.com/sessioncast/sessioncast/test/rig"
)

func TestMain(m *testing.M) { rig.Main(m) }

// A short soak of real daemons, with the same faults every time as far as a real network allows.
func TestAShortSoakLosesNothing(t *testing.T) {
	rig.Binary(t)
	nstest.Run(t, 1, func(t *testing.T, _ *nstest.Net) {
		s := &stage{}
		var r *report
		s.perform(func() {
			r = run(s, config{Seed: 7, For: 20 * time.Second, Nodes: 4, Workers: 3, Rate: 300, Bulk: 1000, Hands: 2,
				Round: [2]time.Duration{5 * time.Second, 8 * time.Second}, Longest: 4 * time.Second, Bound: time.Minute, Say: t.Logf})
		})
		if s.Failed() || r == nil {
			t.Fatal("the soak did not end well")
		}
		r.text(os.Stdout)
		if r.failed() {
			for name, log := range r.logs {
				t.Logf("%s printed:\n%s", name, log[max(0, len(log)-shownLog):])
			}
			t.Errorf("%v; repeat with: go run ./test/soak -seed 7 -nodes 4 -for 20s -longest 4s", r.Counts)
		}
		if r.Load["writes"] == 0 || len(r.Faults) == 0 || len(r.Rounds) < 3 {
			t.Errorf("too little was done: %v, faults %v, %d censuses", r.Load, r.Faults, len(r.Rounds))
		}
	})
}
