package node

import (
	"sync/atomic"

	"github.com/sessioncast/sessioncast/internal/transfer"
)

// transfers are the counters of transfer.Stats.
type transfers struct {
	recordsIn, bytesIn, served, recordsOut, bytesOut, partsSkipped atomic.Uint64
}

// TransferStats counts what state transfers to and from this node carried.
func (n *Node) TransferStats() transfer.Stats {
	t := &n.transfers
	return transfer.Stats{
		RecordsIn: t.recordsIn.Load(), BytesIn: t.bytesIn.Load(), Served: t.served.Load(),
		RecordsOut: t.recordsOut.Load(), BytesOut: t.bytesOut.Load(), PartsSkipped: t.partsSkipped.Load(),
	}
}
