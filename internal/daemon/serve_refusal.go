package daemon

import (
	"slices"
	"time"

	"github.com/sessioncast/sessioncast/internal/admin"
)

const (
	refusalStep = 500 * time.Millisecond // between two looks at whether writes are refused
	refusalCalm = 3 * time.Second        // without a refusal, until it is over: a clock that is judged anew may pass for a moment
)

// refusal remembers why this node's clock keeps it from writing, so that the log says so at once, each reason once, and when it is over.
type refusal struct {
	since, seen time.Time
	reasons     []error
}

// look takes why writes are refused at this moment, nil where they are not, and returns what is to be told: a reason, or for how long
// they were refused until they were taken again.
func (r *refusal) look(now time.Time, why error) (over time.Duration, reason error) {
	switch {
	case why != nil:
		if len(r.reasons) == 0 {
			r.since = now
		}
		r.seen = now
		if !slices.Contains(r.reasons, why) {
			r.reasons = append(r.reasons, why)
			return 0, why
		}
	case len(r.reasons) > 0 && now.Sub(r.seen) >= refusalCalm:
		r.reasons = nil
		return r.seen.Sub(r.since) + refusalStep, nil
	}
	return 0, nil
}

// reportRefusal looks at the clock's verdict, and tells what is new.
func (d *daemon) reportRefusal(r *refusal) {
	n := d.node.Load()
	if n == nil {
		return
	}
	over, reason := r.look(time.Now(), n.Table().Quarantine())
	switch {
	case reason != nil:
		d.log.Error("writes are refused here: " + reason.Error())
	case over > 0:
		d.log.Info("writes are taken here again", "refused", admin.Ago(over))
	}
}
