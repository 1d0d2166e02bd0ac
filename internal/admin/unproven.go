package admin

import (
	"fmt"
	"time"

	"github.com/sessioncast/sessioncast/internal/engine"
	"github.com/sessioncast/sessioncast/internal/wire"
)

// Unproven is a node of this cluster of which something arrives, and no answer: nothing that it sends counts, and it is no member.
type Unproven struct {
	Name    string `json:"name"` // empty: it has not said
	ID      string `json:"id"`
	Address string `json:"address"`
	State   string `json:"state"`   // as it says; empty: it has not said
	Seconds int64  `json:"seconds"` // since it was first heard
}

func (r *Reading) unproven() []Unproven {
	list := []Unproven{}
	for _, u := range r.Unproven {
		d := Unproven{Name: Printable(u.Name), ID: u.Node.String(), Address: addrText(u.Addr), Seconds: int64(r.At.Sub(u.Since).Seconds())}
		if u.State != 0 {
			d.State = u.State.String()
		}
		list = append(list, d)
	}
	return list
}

// shutOut are the nodes for whose answers this one waits before it is ready: it would be so without their sessions.
func (r *Reading) shutOut() (list []engine.Unproven) {
	if r.State != wire.Joining || r.syncedPeers() > 0 {
		return nil
	}
	for _, u := range r.Unproven {
		if u.State != wire.Joining {
			list = append(list, u)
		}
	}
	return list
}

// named lists the first few, by name and address.
func named(list []engine.Unproven) string {
	var names []string
	for _, u := range list {
		at := addrText(u.Addr)
		if u.Name != "" {
			at = Printable(u.Name) + " at " + at
		}
		names = append(names, at)
	}
	return enumerate(names)
}

// unprovenFindings name the nodes between which and this one something is shut.
func (r *Reading) unprovenFindings() []Finding {
	if len(r.Unproven) == 0 {
		return nil
	}
	longest := time.Duration(0)
	for _, u := range r.Unproven {
		longest = max(longest, r.At.Sub(u.Since))
	}
	port := r.Address.Port()
	text := fmt.Sprintf("Frames of %s have arrived here for %s, but answers by unicast do not, there or here: open UDP and TCP port %d between the nodes, in both directions, as \"sessioncast serve\" prints at its start.",
		named(r.Unproven), Ago(longest), port)
	if len(r.shutOut()) > 0 {
		text += " Until then this node waits, since it would start without their sessions."
	}
	return []Finding{{"unproven", text}}
}
