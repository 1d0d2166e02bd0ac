package daemon

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/sessioncast/sessioncast/internal/admin"
)

// waitInterval is how often a wait looks again.
const waitInterval = 100 * time.Millisecond

// waitForMembers returns when the daemon, which may not run yet, sees enough members.
func waitForMembers(ctx context.Context, cli *CLI, host Host) error {
	w := &cli.Wait
	ctx, cancel := context.WithTimeout(ctx, time.Duration(w.Timeout))
	defer cancel()
	tick := time.NewTicker(waitInterval)
	defer tick.Stop()
	missing := errNoDaemon
	for {
		a, err := askDaemon(ctx, &w.Target, cli.Origins, host)
		switch {
		case err == nil && enough(a.status, w.Members, w.Synced):
			return nil
		case err == nil:
			missing = errors.New(whyNot(a.status, w.Synced))
		case !errors.Is(err, errNoDaemon):
			return err
		case ctx.Err() == nil: // not the fault of our own deadline
			missing = err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("after %s not %s: %w", w.Timeout, wanted(w), missing)
		case <-tick.C:
		}
	}
}

func wanted(w *WaitCmd) string {
	text := admin.Count(w.Members, "member")
	if w.Synced {
		text += ", all synced"
	}
	return text
}

// enough counts this node and the peers that are heard. A node that has not the others' sessions itself, has no room for all of
// them, or lacks changes of a peer, counts nobody as synced: it may not know all there are. A peer without room for all is not, nor one
// that lacks what its donor took along.
func enough(s *admin.Status, members int, synced bool) bool {
	n := 0
	for _, m := range s.Members {
		if m.State == "synced" && !(synced && (m.Lacking || m.Incomplete)) || m.State == "joining" && !synced {
			n++
		}
	}
	return n >= members && (!synced || s.State == "synced" && s.Ready && len(lacked(s)) == 0)
}

// lacked names the peers of which this node lacks changes.
func lacked(s *admin.Status) (list []string) {
	for _, m := range s.Members {
		if !m.Self && m.Lacks > 0 && m.State != "dead" && m.State != "left" {
			list = append(list, fmt.Sprintf("%s of %s", admin.Count(m.Lacks, "change"), m.Name))
		}
	}
	return list
}

// whyNot is what the daemon says of the cluster, and what this node lacks.
func whyNot(s *admin.Status, synced bool) string {
	list := lacked(s)
	if !synced || len(list) == 0 {
		return s.Verdict
	}
	return s.Verdict + " " + s.Node + " lacks " + strings.Join(list, ", ") + "."
}
