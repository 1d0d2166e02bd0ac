package sim

import (
	"fmt"
	"testing"
	"time"

	"github.com/sessioncast/sessioncast/internal/engine"
	"github.com/sessioncast/sessioncast/internal/record"
	"github.com/sessioncast/sessioncast/internal/table"
)

// A process that was stopped finds in its socket the oldest of what came, as far as it found room, and takes it in that order before what comes
// as it wakes.
func TestAWokenNodeTakesTheOldestFirst(t *testing.T) {
	w := quiet(2)
	w.opts.Situation, w.opts.SocketBytes = survivor, 20_000
	w.run(3*time.Second, nil)
	writer, n := w.nodes[0], w.nodes[1]
	write := func(i int) {
		_, _ = writer.table.Put(writer.wall(), record.Key{Name: fmt.Sprint("session-", i)}, &table.Write{Value: make([]byte, 200)})
		writer.noteOwn()
		writer.poll()
		w.run(w.now+10*time.Millisecond, nil)
	}
	n.paused = true
	for i := range 300 {
		write(i)
	}
	if len(n.inbox) == 0 || n.inbox[len(n.inbox)-1].sent > w.now-time.Second {
		t.Fatalf("%d datagrams wait, of which the last is not old", len(n.inbox))
	}
	n.resume()
	writer.step(engine.Wrote{})
	was := time.Duration(0)
	steps := 0
	w.run(w.now+time.Second, func() bool {
		if len(n.inbox) > 0 && n.inbox[0].sent != was {
			if n.inbox[0].sent < was {
				t.Errorf("what was sent at %v waits behind what was sent at %v", n.inbox[0].sent, was)
			}
			was = n.inbox[0].sent
			steps++
		}
		return len(n.inbox) == 0
	})
	if len(n.inbox) > 0 || steps < 2 {
		t.Errorf("%d datagrams wait, after %d steps", len(n.inbox), steps)
	}
	converged(t, w, 10*time.Second)
}

// What ends while its only holder stands still is told to that one, in runs of this situation.
func TestSomeRunsHaveASoleSurvivor(t *testing.T) {
	drawn := 0
	for seed := range uint64(500) {
		o := Draw(seed, AllFaults)
		if o.Situation != survivor {
			continue
		}
		if drawn++; !o.Faults.Has(Crash | Pause) {
			t.Errorf("seed %d: nobody stops or dies", seed)
		}
	}
	if drawn < 500/oneSurvivesIn/2 {
		t.Errorf("%d of 500 seeds", drawn)
	}
}
