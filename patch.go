package sessioncast

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/sessioncast/sessioncast/internal/fields"
	"github.com/sessioncast/sessioncast/internal/record"
	"github.com/sessioncast/sessioncast/internal/table"
)

// ErrNoObject says that a session is not a JSON object, so it has no fields.
var ErrNoObject = errors.New("sessioncast: the session is not a JSON object")

// Version is a state of a session; the zero Version is none.
type Version struct{ of record.Version }

// Patch is a change of some fields of a session that is a JSON object: of its members at the top level. Each is written by itself, so that what
// others change at the same moment, here or on another node, stays.
type Patch struct {
	// Set are the fields to write, as JSON text. One that is as it shall be is left alone.
	Set map[string]json.RawMessage
	// Remove are the fields to take away.
	Remove []string
	// Since is the Version of the session that the writer has read; zero: it does not ask for conflicts.
	Since Version
}

// Patched tells what became of a Patch.
type Patched struct {
	Receipt
	// Version is the session's now.
	Version Version
	// Conflicts are the fields written that others had changed to something else since. What this patch says counts.
	Conflicts []string
}

// Patch writes fields of a session, to end after ttl unless it is touched; a ttl of 0 is Config.SessionTTL. It makes no session: where there is
// none, as after a logout anywhere, it returns ErrNotFound. ErrNoObject says that the session is no JSON object.
func (n *Node) Patch(ctx context.Context, id string, p Patch, ttl time.Duration) (Patched, error) {
	if err := ctx.Err(); err != nil {
		return Patched{}, err
	}
	if id == "" {
		return Patched{}, ErrNoID
	}
	now := n.nowMillis()
	w := table.Patch{Remove: p.Remove, Since: p.Since.of.At, Due: n.due(n.table.Time(now), ttl)}
	w.Owner, w.OwnerSet = ownerFor(ctx)
	for name, value := range p.Set {
		m := fields.Member{Name: name, Value: value}
		if err := m.Check(); err != nil {
			return Patched{}, fmt.Errorf("sessioncast: %w", err)
		}
		w.Set = append(w.Set, m)
	}
	res, err := n.table.Patch(now, key(id), &w)
	switch {
	case errors.Is(err, fields.ErrNoObject):
		return Patched{}, ErrNoObject
	case err != nil:
		return Patched{}, wrap(err)
	case !res.Done:
		return Patched{}, n.missing(id)
	}
	return Patched{Receipt: n.receipt(ctx, res.Seq), Version: Version{res.Version}, Conflicts: res.Conflicts}, nil
}
