package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/sessioncast/sessioncast/internal/admin"
)

// errPartial says that what was done or shown is not all there may be.
var errPartial = errors.New("this node does not hold every session, so there may be more: ask another, or again when sessioncast status says that it is ready")

// errUnconfirmed says that a logout is not known to be everywhere.
var errUnconfirmed = errors.New("not every peer has confirmed it in time: it spreads still; run it again to be sure")

// showSessions shows the sessions of an owner, or destroys them.
func showSessions(ctx context.Context, cli *CLI, host Host) error {
	s := &cli.Sessions
	a, err := askDaemon(ctx, &s.Target, cli.Origins, host)
	if err != nil {
		return err
	}
	if s.Destroy {
		return s.destroy(ctx, a.where, host.Stdout)
	}
	list, err := admin.AskOwned(ctx, a.where, s.DB, s.Owner, s.ShowIDs)
	if err != nil {
		return err
	}
	text := renderSessions(list, s.Owner, time.Now())
	if s.JSON {
		text = asJSON(list)
	}
	if _, err := io.WriteString(host.Stdout, text); err != nil {
		return err
	}
	if list.Partial {
		return errPartial
	}
	return nil
}

func (s *SessionsCmd) destroy(ctx context.Context, where string, out io.Writer) error {
	res, err := admin.AskLogout(ctx, where, &admin.LogoutRequest{Owner: s.Owner, DB: s.DB, Except: s.Except})
	if err != nil {
		return err
	}
	text := fmt.Sprintf("%s of %s destroyed; %s confirmed it.\n", admin.Count(res.Destroyed, "session"), s.Owner, admin.Count(res.Peers, "peer"))
	if s.JSON {
		text = asJSON(res)
	}
	if _, err := io.WriteString(out, text); err != nil {
		return err
	}
	switch {
	case res.Partial:
		return errPartial
	case res.Degraded:
		return errUnconfirmed
	}
	return nil
}

func asJSON(v any) string {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return "" // not reached: these are plain values
	}
	return string(text) + "\n"
}

// renderSessions writes a table: a tag for each session in the place of its id, which lets its bearer in.
func renderSessions(list *admin.OwnedSessions, owner string, now time.Time) string {
	var b strings.Builder
	if n := len(list.Sessions); n == 0 {
		fmt.Fprintf(&b, "No sessions of %s.\n", owner)
	} else {
		fmt.Fprintf(&b, "%s of %s:\n\n", admin.Count(n, "session"), owner)
		fmt.Fprintf(&b, "%-10s %10s  %s\n", "TAG", "BYTES", "ENDS IN")
	}
	for i := range list.Sessions {
		s := &list.Sessions[i]
		fmt.Fprintf(&b, "%-10s %10s  %s", s.Tag, admin.Thousands(s.Bytes), endsIn(s.Expires, now))
		if s.ID != "" {
			fmt.Fprintf(&b, "  %q", s.ID)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func endsIn(expires string, now time.Time) string {
	at, err := time.Parse(time.RFC3339, expires)
	if err != nil {
		return "never"
	}
	return admin.Ago(max(0, at.Sub(now)))
}
