package model

import (
	"os"
	"strconv"
	"testing"
	"time"
)

var defaults = Params{TTL: 3, ShortTTL: 1, Pad: 1, Skew: 1, Epoch: 2, Hold: 3, Life: 8, Clock: [maxNodes]int16{0, 1, 0}}

func TestTry(t *testing.T) {
	d, _ := strconv.Atoi(os.Getenv("MODEL_DEPTH"))
	if d == 0 {
		d = 7
	}
	q := Search{World: World{Params: defaults, Nodes: 2}, Ops: 3, Depth: d,
		Budget: Budget{actUpsert: 1, actCreate: 2, actWrite: 1, actTouch: 2, actShorten: 1, actDestroy: 2, actTick: 2, actLeap: 3}}
	st := time.Now()
	r := q.Run()
	t.Logf("%d states depth %d complete %v in %v", r.States, r.Depth, r.Complete, time.Since(st))
	if r.Err != nil {
		t.Errorf("%v", r.Err)
		for _, a := range r.Trace {
			t.Logf("  %v", a)
		}
	}
}
