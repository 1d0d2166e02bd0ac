package link

import "sync/atomic"

// Stats counts since Open.
type Stats struct {
	DatagramsIn, BytesIn   uint64
	DatagramsOut, BytesOut uint64
	ReceiveBatches         uint64 // system calls that brought something; DatagramsIn / ReceiveBatches is the mean batch
	SendBatches            uint64
	KernelDrops            uint64 // dropped by the kernel because the receive buffers were full; 0 where it does not tell
	Oversize               uint64 // arrived longer than any node sends, dropped
	ReceiveErrors          uint64
	SendErrors             uint64 // not sent: network down, unreachable, filtered, buffers full
	TooLarge               uint64 // not sent: EMSGSIZE
	Rejoins                uint64
}

// counters are what Stats is read from.
type counters struct {
	datagramsIn, bytesIn, datagramsOut, bytesOut         atomic.Uint64
	receiveBatches, sendBatches                          atomic.Uint64
	oversize, receiveErrors, sendErrors, tooLarge, joins atomic.Uint64
}

// Stats reads the counters.
func (l *Link) Stats() Stats {
	c := &l.counters
	return Stats{
		DatagramsIn: c.datagramsIn.Load(), BytesIn: c.bytesIn.Load(),
		DatagramsOut: c.datagramsOut.Load(), BytesOut: c.bytesOut.Load(),
		ReceiveBatches: c.receiveBatches.Load(), SendBatches: c.sendBatches.Load(),
		KernelDrops: l.kernelDrops(),
		Oversize:    c.oversize.Load(), ReceiveErrors: c.receiveErrors.Load(),
		SendErrors: c.sendErrors.Load(), TooLarge: c.tooLarge.Load(), Rejoins: c.joins.Load(),
	}
}

func (l *Link) kernelDrops() uint64 {
	drops := kernelDrops(l.unicast)
	if l.group != nil {
		drops += kernelDrops(l.group)
	}
	return drops
}
