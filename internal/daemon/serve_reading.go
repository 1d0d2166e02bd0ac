package daemon

import (
	"time"

	"github.com/sessioncast/sessioncast/internal/admin"
	"github.com/sessioncast/sessioncast/internal/engine"
	"github.com/sessioncast/sessioncast/internal/node"
)

// reading is what the admin API answers from. It may be called from anywhere.
func (d *daemon) reading() *admin.Reading {
	o := d.options
	r := &admin.Reading{
		At: time.Now(), Version: release(), Node: string(o.Name), Cluster: string(o.Cluster), Insecure: o.Insecure,
		Ack: o.Ack.String(), AckTimeout: time.Duration(o.AckTimeout), Roster: &d.roster,
	}
	n := d.node.Load()
	if n == nil {
		return r
	}
	r.Admin = d.admin.Addr()
	r.ID, r.Started, r.State, r.Members = n.Self().Node, n.Started(), n.State(), n.Members()
	r.Interface, r.Group, r.Address = n.Link().Resolved().Interface.Name, n.Link().Group(), n.Link().Addr()
	r.Strange, r.Acks, r.Full = n.OtherKeys(), n.AckHealth(), n.FullHealth()
	r.Lost, r.Unproven, r.Foreign = n.Incomplete(), n.Unproven(), n.Foreign()
	r.Mode, r.Lookups = modeName(n.Mode()), n.PeerProblems()
	r.Advice, r.Stream, r.Counts = n.Link().Advice(), n.StreamStats(), counts(n, r.At)
	r.Moved, r.Clock = n.TransferStats(), n.Table().Quarantine()
	if d.clients != nil {
		r.Clients, r.RESP = d.clients.Addrs(), d.clients.Stats()
	}
	d.roster.look(r.Members)
	if d.bridge != nil {
		r.Bridge = d.bridge.stats()
	}
	d.past.Lock()
	r.Before = d.past.Oldest()
	d.past.Unlock()
	return r
}

// modeName is how this node reaches the others: unicast also where the mode is auto, and there is no multicast.
func modeName(mode engine.Mode) string {
	for name, m := range modes {
		if m == mode {
			return string(name)
		}
	}
	return ""
}

func counts(n *node.Node, now time.Time) admin.Counts {
	return admin.Counts{At: now, Engine: n.Counters(), Link: n.Link().Stats(), Table: n.Table().Stats()}
}
