package admin

import (
	"net/netip"
	"time"

	"github.com/sessioncast/sessioncast/internal/engine"
	"github.com/sessioncast/sessioncast/internal/record"
	"github.com/sessioncast/sessioncast/internal/wire"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// origin makes a run of the node with the number.
func origin(node, run byte) record.Origin {
	o := record.Origin{Node: record.NodeID{node}}
	o.Incarnation[0] = run
	return o
}

func peer(name string, number byte) engine.Member {
	return engine.Member{
		Origin: origin(number, 1), Name: name, State: wire.Synced, HearsUs: true, Multicast: true, Sessions: 18_204, Bytes: 19 << 20,
		Addr: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 1, number}), 4000), Silence: 400 * time.Millisecond,
	}
}

// healthy is a cluster of three without a worry.
func healthy() *Reading {
	r := &Reading{
		At: noon, Started: noon.Add(-2 * time.Hour), Version: "v1.2.3", Node: "web-1", ID: record.NodeID{1}, Interface: "eth0",
		Group: netip.MustParseAddrPort("228.0.0.5:4000"), Address: netip.MustParseAddrPort("10.0.1.1:4000"),
		Clients: []string{"127.0.0.1:6379"}, Admin: "http://127.0.0.1:4080", Ack: "1", AckTimeout: 50 * time.Millisecond,
		State:   wire.Synced,
		Members: []engine.Member{{Origin: origin(1, 1), Name: "web-1", State: wire.Synced, Self: true, HearsUs: true}, peer("web-2", 2), peer("web-3", 3)},
	}
	r.Acks = engine.AckHealth{Asked: 1, Live: 2, Listening: 2}
	r.Counts.Table.Sessions, r.Counts.Table.Bytes, r.Counts.Table.Limit = 18_204, 19<<20, 4<<30
	return r
}
