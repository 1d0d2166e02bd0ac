//go:build linux

package main

import (
	"testing"
	"testing/synctest"
	"time"
)

// flushFor lets a flusher work on a fake cluster, with a census at the end of each minute.
func flushFor(t *testing.T, bug string, minutes int) (*bed, *flusher) {
	b := newBed(t, bug)
	f := newFlusher(bedNodes, 1, b.f, b.judge)
	for range minutes {
		for range 1000 {
			f.step()
			time.Sleep(flushedEvery)
		}
		at := time.Now()
		f.census(at.Add(time.Second))
		b.h.everybodyHolds(at)
	}
	return b, f
}

func TestAnHonestFlushIsNotAccused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, f := flushFor(t, "", 10)
		b.wantOnly()
		if f.Flushes.Load() < 5 || f.Created.Load() < 100 {
			t.Errorf("%d flushes, %d sessions", f.Flushes.Load(), f.Created.Load())
		}
	})
}

func TestWhatSurvivesAFlushIsFound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, _ := flushFor(t, "flushes here only", 3)
		b.wantOnly(findRevived, findDivergence)
		if b.judge.counts[findRevived] == 0 {
			t.Error("found by disagreement only")
		}
	})
}

func TestWhatIsLostAfterAFlushIsFound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, _ := flushFor(t, "loses every fiftieth write", 3)
		b.wantOnly(findLost, findDivergence)
	})
}
