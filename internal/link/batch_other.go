//go:build !linux

package link

import (
	"errors"
	"net"
	"net/netip"
	"sync/atomic"
)

// reader reads one socket, a datagram at a time. Used by one goroutine.
type reader struct {
	conn      *net.UDPConn
	multicast bool
	counters  *counters
	buffer    [maxDatagram + 1]byte
	packet    [1]Packet
}

func newReader(conn *net.UDPConn, _, multicast bool, c *counters) (*reader, error) {
	return &reader{conn: conn, multicast: multicast, counters: c}, nil
}

// read waits for a datagram; what it returns is overwritten by the next read.
func (r *reader) read() ([]Packet, error) {
	n, from, err := r.conn.ReadFromUDPAddrPort(r.buffer[:])
	if err != nil {
		return nil, err
	}
	if n == len(r.buffer) {
		r.counters.oversize.Add(1)
		return nil, nil
	}
	r.counters.receiveBatches.Add(1)
	r.counters.datagramsIn.Add(1)
	r.counters.bytesIn.Add(uint64(n))
	from = netip.AddrPortFrom(from.Addr().Unmap().WithZone(""), from.Port())
	r.packet[0] = Packet{Data: r.buffer[:n:n], From: from, Multicast: r.multicast}
	return r.packet[:], nil
}

// sender sends by one socket, a datagram at a time.
type sender struct {
	conn     *net.UDPConn
	resolved Resolved
	scope    atomic.Uint32 // interface index, for link-local destinations
	counters *counters
}

func newSender(conn *net.UDPConn, r Resolved, c *counters) (*sender, error) {
	s := &sender{conn: conn, resolved: r, counters: c}
	s.scope.Store(uint32(r.Interface.Index))
	return s, nil
}

// send sends batch; refused is the size of the largest datagram that was too large, 0 when none was.
func (s *sender) send(batch []Datagram) (refused int, err error) {
	for _, d := range batch {
		to := d.To
		if d.Multicast {
			to = s.resolved.Group
		}
		n, err := s.conn.WriteToUDPAddrPort(d.Data, zoned(to, s.scope.Load()))
		switch {
		case err == nil:
			s.counters.sendBatches.Add(1)
			s.counters.datagramsOut.Add(1)
			s.counters.bytesOut.Add(uint64(n))
		case errors.Is(err, net.ErrClosed):
			return refused, err
		case datagramTooLarge(err):
			s.counters.tooLarge.Add(1)
			refused = max(refused, len(d.Data))
		default:
			s.counters.sendErrors.Add(1)
		}
	}
	return refused, nil
}
