package daemon

import (
	"fmt"

	"github.com/sessioncast/sessioncast/internal/admin"
	"github.com/sessioncast/sessioncast/internal/engine"
	"github.com/sessioncast/sessioncast/internal/wire"
)

// lastWord logs what an end at once, without a goodbye, takes along.
func (d *daemon) lastWord() {
	n := d.node.Load()
	d.log.Warn("ending at once, by a second signal: " + takenAlong(n.Members(), n.Table().Stats().Sessions))
}

// takenAlong says how much only this node has, as far as it knows.
func takenAlong(members []engine.Member, sessions int64) string {
	there, unconfirmed := 0, uint64(0)
	for i := range members {
		m := &members[i]
		if m.Self || m.State != wire.Synced && m.State != wire.Suspect || m.Lacking || m.Incomplete {
			continue
		}
		if there++; there == 1 || m.Lag < unconfirmed {
			unconfirmed = m.Lag
		}
	}
	switch {
	case sessions == 0 && there == 0:
		return "it had no sessions"
	case there == 0:
		return fmt.Sprintf("no peer that has everything is there, and what no other node has of %s is lost", admin.Count(sessions, "session"))
	case unconfirmed == 0:
		return "a peer has confirmed all changes of this node"
	}
	return fmt.Sprintf("%s of this node, which no peer has confirmed, may be lost", admin.Count(unconfirmed, "change"))
}
