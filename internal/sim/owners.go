package sim

import (
	"fmt"
	"maps"
	"slices"

	"github.com/sessioncast/sessioncast/internal/record"
	"github.com/sessioncast/sessioncast/internal/table"
)

// owners are how many users the sessions of a world belong to, those that belong to somebody.
const owners = 3

// drawOwner has every second write put a label on its session, and now and then take it off. It goes by the number of the value, so that labels
// draw nothing from the seed.
func (w *World) drawOwner() (owner string, set bool) {
	switch n := w.ledger.values; {
	case n%2 != 0:
		return "", false
	case n%16 == 0:
		return "", true
	default:
		return fmt.Sprint("user-", n/2%owners), true
	}
}

// checkOwners holds the index of owners of a node against all that it has.
func (n *Node) checkOwners() {
	keys := int64(0)
	for cursor, done := uint64(0), false; !done; {
		cursor, done = n.table.Chunk(cursor, 1<<20, nil, func(_ record.Key, s *record.State) {
			if v, _ := s.Winner(n.origins, 0); v != nil && v.Value.Owner != "" {
				keys++
			}
		})
	}
	if got := n.table.Stats().Owned; got != keys {
		n.world.fail("owners", "%s has %d keys with a label, and %d in the index", nodeName(n.id), keys, got)
		return
	}
	for db := range record.Databases {
		for user := range owners {
			n.checkOwner(db, fmt.Sprint("user-", user))
		}
	}
}

func (n *Node) checkOwner(db int, owner string) {
	want, got := make(map[string]bool), make(map[string]bool)
	for cursor, more := uint64(0), true; more; more = cursor != 0 {
		cursor = n.table.Scan(n.wall(), db, cursor, 1000, func(name string, v table.View) {
			if v.Owner == owner {
				want[name] = true
			}
		})
	}
	for cursor, more := uint64(0), true; more; more = cursor != 0 {
		cursor = n.table.Owned(n.wall(), db, owner, cursor, 1000, func(name string, _ table.View) { got[name] = true })
	}
	if !maps.Equal(want, got) {
		n.world.fail("owners", "%s shows sessions %v of %s in database %d, and its index has %v", nodeName(n.id),
			slices.Sorted(maps.Keys(want)), owner, db, slices.Sorted(maps.Keys(got)))
	}
	n.world.stats.Owned += len(got)
}
