package admin

import (
	"fmt"

	"github.com/sessioncast/sessioncast/internal/engine"
	"github.com/sessioncast/sessioncast/internal/wire"
)

// copiesFindings name the members with which multicast passes in one direction only, or in none any more, so that copies go by unicast: one
// finding for all that one cause may have, since a switch strikes many at once.
func (r *Reading) copiesFindings() (list []Finding) {
	if r.Mode == "unicast" {
		return nil
	}
	var never, neither, there, here []string
	for _, m := range r.present() {
		if m.Self || m.State == wire.Dead || m.State == wire.Suspect {
			continue
		}
		name := Printable(memberName(&m))
		switch out, in := r.missesOurs(&m), r.missedHere(&m); {
		case !m.Unheard && r.byCopiesAlone(&m):
			never = append(never, name)
		case out && in:
			neither = append(neither, name)
		case out:
			there = append(there, name)
		case in:
			here = append(here, name)
		}
	}
	add := func(key string, names []string, format string) {
		if len(names) > 0 {
			list = append(list, Finding{fmt.Sprint(key, " ", names), fmt.Sprintf(format, enumerate(names))})
		}
	}
	add("apart", never, "No multicast has passed between this node and %s yet, in either direction: copies go by unicast both ways. That is right with --mode unicast there, or behind a router; else compare --group and --port.")
	add("no-multicast", neither, "Multicast passes no more between this node and %s, in either direction, and copies go by unicast both ways: look for IGMP snooping without a querier on the switch between, and at the firewalls here and there.")
	add("copies", there, "Multicast of this node does not arrive at %s, and unicast copies are sent: look at the firewall there, and for IGMP snooping without a querier on the switch between. If unicast does not arrive there either, that is told here within 15 s.")
	add("copied", here, "Multicast of %s does not arrive here, only unicast copies do: look for IGMP snooping without a querier on the switch between, and at this node's firewall.")
	return list
}

// missesOurs reports whether m does not hear this node's multicast and is sent copies, and whether that is worth a word: not where it is in mode unicast,
// nor where nothing of this node arrives there.
func (r *Reading) missesOurs(m *engine.Member) bool {
	return m.Unreached && !m.Unheard && !r.byCopiesAlone(m)
}

// missedHere reports the same of m's multicast.
func (r *Reading) missedHere(m *engine.Member) bool {
	return m.State == wire.Synced && !m.ViaOthers && !m.Multicast && m.Copied && !r.byCopiesAlone(m) && r.known(m) > heardAfter
}

// byCopiesAlone reports whether copies come from m and multicast never passed between it and this node, as where m runs in mode unicast: then no
// switch and no firewall is to blame.
func (r *Reading) byCopiesAlone(m *engine.Member) bool { return m.Copied && r.apart(m) }
