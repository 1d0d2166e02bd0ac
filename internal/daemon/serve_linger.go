package daemon

import (
	"context"
	"time"

	"github.com/sessioncast/sessioncast/internal/resp"
)

// lingerStep is how often at least it is seen whether a client is there.
const lingerStep = time.Second

// lingerTask ends the daemon when it serves nobody any more, where it was told to: one that an app started ends some time after
// the last process of the app.
type lingerTask struct {
	d   *daemon
	end func() // as a signal ends it
}

func (t *lingerTask) String() string         { return "linger" }
func (t *lingerTask) Ready() <-chan struct{} { return always }

// Run looks whether clients are connected.
func (t *lingerTask) Run(ctx context.Context) error {
	limit := time.Duration(t.d.options.Linger)
	if limit == 0 || t.d.clients == nil {
		return nil
	}
	tick := time.NewTicker(min(lingerStep, limit))
	defer tick.Stop()
	l := lonely{since: time.Now()}
	for {
		select {
		case <-ctx.Done():
			return nil
		case now := <-tick.C:
			if l.look(now, t.d.clients.Stats()) >= limit {
				t.d.log.Info("no client is connected any more: ending", "linger", t.d.options.Linger)
				t.end()
				return nil
			}
		}
	}
}

// lonely knows since when no client has been there.
type lonely struct {
	since    time.Time
	accepted uint64
}

// look tells for how long nobody has been there. Who came and went since the last look was there.
func (l *lonely) look(now time.Time, n resp.Stats) time.Duration {
	if n.Clients > 0 || n.Accepted != l.accepted {
		l.since, l.accepted = now, n.Accepted
	}
	return now.Sub(l.since)
}
