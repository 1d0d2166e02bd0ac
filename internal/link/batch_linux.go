package link

import (
	"encoding/binary"
	"net"
	"net/netip"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// What one system call moves. A receive slot takes a whole run that the kernel merged (UDP_GRO).
const (
	receiveSlots    = 16
	receiveSlotSize = 1 << 16
	sendSlots       = 64  // messages of one sendmmsg
	sendSpan        = 256 // datagrams of one sendmmsg
	gsoSegments     = 44  // datagrams of one UDP_SEGMENT message; the kernel takes 64, 64 KiB at most
	gsoBytes        = 63 << 10
	maxSegments     = 128 // of one merged run received; the kernel makes 64
	controlSize     = 64
)

// mmsghdr is struct mmsghdr of sys/socket.h.
type mmsghdr struct {
	hdr unix.Msghdr
	len uint32
}

// controlBuffer holds control messages, which want the alignment of their header.
type controlBuffer struct {
	_     [0]uint64
	bytes [controlSize]byte
}

// reader reads one socket in batches. Used by one goroutine.
type reader struct {
	raw       syscall.RawConn
	v6        bool
	multicast bool
	counters  *counters

	messages [receiveSlots]mmsghdr
	iovecs   [receiveSlots]unix.Iovec
	names    [receiveSlots]unix.RawSockaddrInet6
	controls [receiveSlots]controlBuffer
	buffer   []byte
	packets  []Packet

	readable func(fd uintptr) bool // made once: a closure for every call would be garbage
	n        int
	errno    syscall.Errno
}

func newReader(conn *net.UDPConn, v6, multicast bool, c *counters) (*reader, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil, err
	}
	r := &reader{raw: raw, v6: v6, multicast: multicast, counters: c, buffer: make([]byte, receiveSlots*receiveSlotSize),
		packets: make([]Packet, 0, receiveSlots*gsoSegments)}
	for i := range r.messages {
		r.iovecs[i].Base = &r.buffer[i*receiveSlotSize]
		r.iovecs[i].SetLen(receiveSlotSize)
		h := &r.messages[i].hdr
		h.Iov = &r.iovecs[i]
		h.SetIovlen(1)
		h.Name = (*byte)(unsafe.Pointer(&r.names[i]))
		h.Control = &r.controls[i].bytes[0]
	}
	r.readable = r.receive
	control(conn, func(fd int) { _ = unix.SetsockoptInt(fd, unix.SOL_UDP, unix.UDP_GRO, 1) }) // without it: one at a time
	return r, nil
}

// receive is one recvmmsg; false asks the runtime to wait until there is something to read.
func (r *reader) receive(fd uintptr) bool {
	for i := range r.messages {
		r.messages[i].hdr.Namelen = unix.SizeofSockaddrInet6
		r.messages[i].hdr.SetControllen(controlSize)
	}
	n, _, errno := unix.Syscall6(unix.SYS_RECVMMSG, fd, uintptr(unsafe.Pointer(&r.messages[0])), receiveSlots, unix.MSG_DONTWAIT, 0, 0)
	if errno == unix.EAGAIN || errno == unix.EINTR {
		return false
	}
	r.n, r.errno = int(n), errno
	return true
}

// read waits for datagrams; what it returns is overwritten by the next read.
func (r *reader) read() ([]Packet, error) {
	r.n, r.errno = 0, 0
	if err := r.raw.Read(r.readable); err != nil {
		return nil, err
	}
	if r.errno != 0 {
		return nil, r.errno
	}
	r.packets = r.packets[:0]
	bytes := 0
	for i := range r.messages[:r.n] {
		bytes += r.unpack(i)
	}
	r.counters.receiveBatches.Add(1)
	r.counters.datagramsIn.Add(uint64(len(r.packets)))
	r.counters.bytesIn.Add(uint64(bytes))
	return r.packets, nil
}

// unpack splits one message, which may be a run of datagrams of one sender, into packets.
func (r *reader) unpack(i int) (bytes int) {
	m := &r.messages[i]
	data := r.buffer[i*receiveSlotSize:][:m.len]
	from := fromSockaddr(&r.names[i], r.v6)
	if m.hdr.Flags&unix.MSG_TRUNC != 0 || !from.IsValid() {
		r.counters.oversize.Add(1)
		return 0
	}
	size := r.segmentSize(m, i)
	for k := 0; k < maxSegments; k++ {
		n := len(data)
		if size > 0 {
			n = min(size, n)
		}
		if n <= maxDatagram {
			r.packets = append(r.packets, Packet{Data: data[:n:n], From: from, Multicast: r.multicast})
			bytes += n
		} else {
			r.counters.oversize.Add(1)
		}
		if data = data[n:]; len(data) == 0 {
			break
		}
	}
	return bytes
}

// segmentSize reads the UDP_GRO control message; 0: the message is one datagram.
func (r *reader) segmentSize(m *mmsghdr, i int) int {
	if int(m.hdr.Controllen) < unix.CmsgLen(4) {
		return 0
	}
	h := (*unix.Cmsghdr)(unsafe.Pointer(&r.controls[i].bytes[0]))
	if h.Level != unix.SOL_UDP || h.Type != unix.UDP_GRO {
		return 0
	}
	return int(binary.NativeEndian.Uint32(r.controls[i].bytes[unix.CmsgLen(0):]))
}

func fromSockaddr(n *unix.RawSockaddrInet6, v6 bool) netip.AddrPort {
	if v6 {
		return netip.AddrPortFrom(netip.AddrFrom16(n.Addr), hostOrder(n.Port))
	}
	n4 := (*unix.RawSockaddrInet4)(unsafe.Pointer(n))
	return netip.AddrPortFrom(netip.AddrFrom4(n4.Addr), hostOrder(n4.Port))
}

// hostOrder turns a port between the wire's and the machine's byte order, either way.
func hostOrder(port uint16) uint16 {
	var b [2]byte
	binary.NativeEndian.PutUint16(b[:], port)
	return binary.BigEndian.Uint16(b[:])
}

// sender sends batches by one socket. Used by one goroutine at a time, but for scope.
type sender struct {
	conn     *net.UDPConn
	raw      syscall.RawConn
	v6       bool
	group    netip.AddrPort
	scope    atomic.Uint32 // interface index, for link-local destinations
	counters *counters
	gso      bool
	option   int32 // UDP_SEGMENT; tests put one there that no kernel knows

	messages [sendSlots]mmsghdr
	spans    [sendSlots]int // datagrams of each message
	names    [sendSlots]unix.RawSockaddrInet6
	controls [sendSlots]controlBuffer
	iovecs   [sendSpan]unix.Iovec

	writable func(fd uintptr) bool
	wait     bool      // whether writable may wait
	deadline time.Time // until when, in this batch; zero: it has not waited yet
	stuck    bool      // it has waited in vain: the rest of the batch is dropped
	from, to int       // the messages it sends
	n        int
	errno    syscall.Errno
}

func newSender(conn *net.UDPConn, r Resolved, c *counters) (*sender, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil, err
	}
	s := &sender{conn: conn, raw: raw, v6: r.V6, group: r.Group, counters: c, gso: canSegment(conn), option: unix.UDP_SEGMENT}
	s.scope.Store(uint32(r.Interface.Index))
	for i := range s.messages {
		s.messages[i].hdr.Name = (*byte)(unsafe.Pointer(&s.names[i]))
	}
	s.writable = s.transmit
	return s, nil
}

// canSegment asks whether this kernel knows UDP_SEGMENT. Whether the path takes it shows at the first run.
func canSegment(conn *net.UDPConn) (ok bool) {
	control(conn, func(fd int) {
		_, err := unix.GetsockoptInt(fd, unix.SOL_UDP, unix.UDP_SEGMENT)
		ok = err == nil
	})
	return ok
}

func (s *sender) transmit(fd uintptr) bool {
	n, _, errno := unix.Syscall6(unix.SYS_SENDMMSG, fd, uintptr(unsafe.Pointer(&s.messages[s.from])), uintptr(s.to-s.from), unix.MSG_DONTWAIT, 0, 0)
	if errno == unix.EAGAIN && s.wait {
		return false
	}
	s.n, s.errno = int(n), errno
	return true
}

// send sends batch; refused is the size of the largest datagram that was too large, 0 when none was.
func (s *sender) send(batch []Datagram) (refused int, err error) {
	before := s.gso
	defer func() { // what looked like a path without segmentation was a size that older kernels report alike
		s.gso = s.gso || before && refused > 0
	}()
	s.deadline, s.stuck = time.Time{}, false
	for len(batch) > 0 {
		taken, messages := s.fill(batch)
		done, tooLarge, err := s.flush(messages)
		refused = max(refused, tooLarge)
		if err != nil {
			return refused, err
		}
		batch = batch[min(done, taken):]
		if s.stuck {
			s.counters.sendErrors.Add(uint64(len(batch)))
			break
		}
	}
	return refused, nil
}

// fill packs datagrams into messages until either runs out.
func (s *sender) fill(batch []Datagram) (taken, messages int) {
	for taken < len(batch) && messages < sendSlots && taken < sendSpan {
		n := s.run(batch[taken:min(len(batch), sendSpan)])
		s.pack(messages, taken, batch[taken:taken+n])
		taken += n
		messages++
	}
	return taken, messages
}

// run tells how many datagrams can leave as one message: same destination, same size, the last perhaps shorter.
func (s *sender) run(batch []Datagram) int {
	if !s.gso || len(batch[0].Data) == 0 {
		return 1
	}
	first, bytes := batch[0], len(batch[0].Data)
	for n := 1; n < min(len(batch), gsoSegments); n++ {
		d := batch[n]
		if d.Multicast != first.Multicast || !d.Multicast && d.To != first.To ||
			len(d.Data) == 0 || len(d.Data) > len(first.Data) || bytes+len(d.Data) > gsoBytes {
			return n
		}
		if bytes += len(d.Data); len(d.Data) < len(first.Data) {
			return n + 1
		}
	}
	return min(len(batch), gsoSegments)
}

func (s *sender) pack(i, iovec int, run []Datagram) {
	for k, d := range run {
		s.iovecs[iovec+k].Base = unsafe.SliceData(d.Data)
		s.iovecs[iovec+k].SetLen(len(d.Data))
	}
	h := &s.messages[i].hdr
	h.Iov = &s.iovecs[iovec]
	h.SetIovlen(len(run))
	h.Namelen = s.address(i, run[0])
	h.Control = nil
	h.SetControllen(0)
	if s.spans[i] = len(run); len(run) > 1 {
		s.segment(h, i, len(run[0].Data))
	}
}

func (s *sender) segment(h *unix.Msghdr, i, size int) {
	c := (*unix.Cmsghdr)(unsafe.Pointer(&s.controls[i].bytes[0]))
	c.Level, c.Type = unix.SOL_UDP, s.option
	c.SetLen(unix.CmsgLen(2))
	binary.NativeEndian.PutUint16(s.controls[i].bytes[unix.CmsgLen(0):], uint16(size))
	h.Control = &s.controls[i].bytes[0]
	h.SetControllen(unix.CmsgSpace(2))
}

func (s *sender) address(i int, d Datagram) uint32 {
	to := d.To
	if d.Multicast {
		to = s.group
	}
	if !s.v6 {
		*(*unix.RawSockaddrInet4)(unsafe.Pointer(&s.names[i])) = unix.RawSockaddrInet4{
			Family: unix.AF_INET, Port: hostOrder(to.Port()), Addr: to.Addr().Unmap().As4()}
		return unix.SizeofSockaddrInet4
	}
	n := &s.names[i]
	*n = unix.RawSockaddrInet6{Family: unix.AF_INET6, Port: hostOrder(to.Port()), Addr: to.Addr().As16()}
	if needsZone(to.Addr()) {
		n.Scope_id = s.scope.Load()
	}
	return unix.SizeofSockaddrInet6
}
