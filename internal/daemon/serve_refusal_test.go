package daemon

import (
	"testing"
	"time"

	"github.com/sessioncast/sessioncast/internal/table"
)

func TestARefusalIsToldAtOnceEachReasonOnceAndItsEndWhenItLasts(t *testing.T) {
	var r refusal
	begin := time.Unix(1_800_000_000, 0)
	for _, step := range []struct {
		at     time.Duration
		why    error
		reason error
		over   time.Duration
	}{
		{0, nil, nil, 0},
		{1 * time.Second, table.ErrClockStepped, table.ErrClockStepped, 0},
		{2 * time.Second, table.ErrClockStepped, nil, 0},
		{3 * time.Second, table.ErrClockAhead, table.ErrClockAhead, 0},
		{4 * time.Second, nil, nil, 0},
		{5 * time.Second, table.ErrClockStepped, nil, 0}, // it was not over
		{7 * time.Second, nil, nil, 0},
		{8 * time.Second, nil, nil, 4*time.Second + refusalStep},
		{9 * time.Second, nil, nil, 0},
		{10 * time.Second, table.ErrClockAhead, table.ErrClockAhead, 0},
	} {
		if over, reason := r.look(begin.Add(step.at), step.why); reason != step.reason || over != step.over {
			t.Errorf("after %v: told %v and %v, want %v and %v", step.at, reason, over, step.reason, step.over)
		}
	}
}
