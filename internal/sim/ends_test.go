package sim

import (
	"testing"
	"time"

	"github.com/sessioncast/sessioncast/internal/record"
)

// Two parts of a cluster write, touch, shorten and destroy the same sessions, with lives of seconds and of hours, and each forgets what ended before
// they meet. One node restarts meanwhile. Then nobody shows what a later write, that somebody saw end, overrode.
func TestShortLivesApart(t *testing.T) {
	told := uint64(0)
	for seed := range uint64(12) {
		w := quiet(4)
		w.opts.Seed, w.opts.Keys = seed, 12
		w.work = dice(seed, diceWork)
		w.run(3*time.Second, nil)
		apart := func(from, to int) bool { return from < 2 != (to < 2) }
		w.net.cut(+1, apart)
		ops := []func(*Node, record.Key){(*Node).opUpsert, (*Node).opUpsert, (*Node).opCreate, (*Node).opTouch, (*Node).opShorten, (*Node).opDestroy}
		for range 60 {
			w.perform(w.nodes[w.work.IntN(4)], w.drawKey(false), ops[w.work.IntN(len(ops))])
			w.run(w.now+100*time.Millisecond, nil)
		}
		w.run(w.now+45*time.Second, nil)
		w.nodes[0].crash()
		w.run(w.now+time.Second, nil)
		w.nodes[0].start()
		w.run(w.now+2*time.Second, nil)
		w.net.cut(-1, apart)
		converged(t, w, 30*time.Second)
		for _, k := range w.ledger.keys {
			w.checkEndsTold(k)
			w.checkAlike(k)
		}
		if w.err != nil {
			t.Fatalf("seed %d: %v", seed, w.err)
		}
		for _, n := range w.ours() {
			told += n.table.Stats().EndsTold
		}
	}
	t.Logf("%d ends were told", told)
	if told == 0 {
		t.Error("no end was told: it proves nothing")
	}
}
