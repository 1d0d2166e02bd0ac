package node

import (
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// stalling is the clock of a host on which who is about to judge the clocks is kept waiting, just after it has read this one.
type stalling struct {
	ahead   atomic.Int64
	stall   atomic.Pointer[func()] // what passes meanwhile, once
	stalled atomic.Bool
}

func (c *stalling) Now() time.Time {
	now := time.Now().Add(time.Duration(c.ahead.Load()))
	if stall := c.stall.Load(); stall != nil && judgesClocks() && c.stall.CompareAndSwap(stall, nil) {
		(*stall)()
		c.stalled.Store(true)
	}
	return now
}

// judgesClocks reports whether lookAtClocks is what asks for the time.
func judgesClocks() bool {
	var callers [16]uintptr
	frames := runtime.CallersFrames(callers[:runtime.Callers(2, callers[:])])
	for {
		f, more := frames.Next()
		if strings.HasSuffix(f.Function, ".lookAtClocks") {
			return true
		}
		if !more {
			return false
		}
	}
}

// What is written while a node is kept waiting between its readings of two clocks looked, read in the other order, like stamps that are
// ahead, and its writes were refused.
func TestAStallBetweenTheReadingsOfTheClocksRefusesNoWrites(t *testing.T) {
	clock := new(stalling)
	n := openWithClock(t, "stalls", 24230, clock.Now)
	peer := openWithClock(t, "peer", 24230, clock.Now)
	eventually(t, "they know each other's clocks", func() bool {
		n.core.Lock()
		defer n.core.Unlock()
		for _, m := range n.core.machine.Members(n.Now()) {
			if m.Origin == peer.Self() && m.ClockTold {
				return n.Peers() == 1
			}
		}
		return false
	})
	stall := func() {
		clock.ahead.Add(int64(maxSkew + time.Second))
		n.clock.Now(time.Now().Add(time.Duration(clock.ahead.Load())).UnixMilli()) // somebody writes
	}
	n.core.Lock()
	clock.stall.Store(&stall)
	n.lookAtClocks()
	refused := n.table.Quarantine()
	n.core.Unlock()
	if !clock.stalled.Load() {
		t.Fatal("the clock was not read by what judges it: this tests nothing")
	}
	if refused != nil {
		t.Errorf("after a stall of %v: %v", maxSkew+time.Second, refused)
	}
}
