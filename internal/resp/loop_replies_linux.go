package resp

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// lendSize is how many bytes of replies of all clients are made before they are sent, and lendLeast what is left for one client to
// begin with.
const (
	lendSize  = 256 << 10
	lendLeast = 16 << 10
)

// lending is where the replies of a turn lie side by side until all that was read is carried out, and are then sent. A client that is
// answered wakes, and one that wakes while others are served comes back alone: then each wait of the loop brings one client, and costs
// as much as one that brings all.
type lending struct {
	out    []byte
	served []served
	apart  int    // bytes of replies of this turn that outgrew their place, and are not counted yet
	larger []byte // a reply outgrew its place: room for the next turns
}

// served is what serve leaves to answer.
type served struct {
	k                   *sock
	more, gone, wasFull bool
}

// lend gives a client the rest of the room for replies. What does not fit goes where append puts it.
func (l *loop) lend(k *sock) {
	r := &l.replies
	if cap(r.out)-len(r.out) < lendLeast {
		l.answer()
	}
	k.c.out = r.out[len(r.out):]
	k.lent = unsafe.SliceData(k.c.out)
}

// borrows reports whether the client's replies lie among those of others.
func (k *sock) borrows() bool { return k.lent != nil && unsafe.SliceData(k.c.out) == k.lent }

// later notes that a client was served. What it is told from here on, by what others do, goes elsewhere.
func (l *loop) later(s served) {
	r, c := &l.replies, s.k.c
	if s.k.borrows() {
		n := len(c.out)
		r.out = r.out[:len(r.out)+n]
		c.out = c.out[:n:n]
	} else {
		r.apart += max(c.pending()-s.k.counted, 0)
	}
	r.served = append(r.served, s)
	if r.apart > lendSize { // else the replies of all clients that read nothing are made before the first of them is limited
		l.answer()
	}
}

// answer sends the replies of all who were served.
func (l *loop) answer() {
	r := &l.replies
	for i := range r.served {
		l.conclude(&r.served[i])
	}
	clear(r.served)
	r.served, r.apart = r.served[:0], 0
	if r.out = r.out[:0]; r.larger != nil {
		r.out, r.larger = r.larger[:0], nil
	}
}

// conclude answers one client, and sees to what it needs next.
func (l *loop) conclude(s *served) {
	k, c := s.k, s.k.c
	if c == nil {
		return
	}
	gone := s.gone
	if !c.held && !c.overflow && !gone {
		gone = !l.flush(k)
	}
	l.takeBack(k)
	switch {
	case gone || !l.account(k):
		l.close(k)
	case c.stuck() || k.full():
	case s.more || k.readable || s.wasFull:
		k.resume(c)
	}
}

// adopt keeps a buffer that a reply needed as the room for the next ones, if it is larger and not too large.
func (r *lending) adopt(b []byte) bool {
	if cap(b) <= max(cap(r.out), cap(r.larger)) || cap(b) > spareBufferBytes {
		return false
	}
	r.larger = b
	return true
}

// flush sends what there is. It reports false when the connection is done.
func (l *loop) flush(k *sock) (open bool) {
	c := k.c
	for c.pending() > 0 {
		n, err := write(k.fd, c.out[c.sent:])
		l.s.count.writes.Add(1)
		if err == unix.EINTR {
			continue
		}
		if err == unix.EAGAIN {
			return l.armed(k, true)
		}
		if err != 0 {
			return false
		}
		c.sent += n
		k.progress = l.now
		l.s.count.bytesOut.Add(uint64(n))
	}
	if c.closing {
		l.drain(k)
		return false
	}
	return l.armed(k, false)
}

// armed asks to be told, or no longer, when the socket takes bytes again.
func (l *loop) armed(k *sock, on bool) (open bool) {
	if k.writing == on {
		return true
	}
	k.writing = on
	events := uint32(unix.EPOLLIN | unix.EPOLLRDHUP | unix.EPOLLET)
	if on {
		events |= unix.EPOLLOUT
		k.progress = l.now
		l.waiting[k] = struct{}{}
	} else {
		delete(l.waiting, k)
	}
	return unix.EpollCtl(l.epfd, unix.EPOLL_CTL_MOD, k.fd, &unix.EpollEvent{Events: events, Fd: int32(k.fd)}) == nil
}

// takeBack settles whose the output buffer is from here on.
func (l *loop) takeBack(k *sock) {
	c := k.c
	switch {
	case c.pending() == 0:
		if !k.borrows() && !l.replies.adopt(c.out) {
			l.s.recycle(c.out)
		}
		c.out, c.sent = nil, 0
	case k.borrows():
		var own []byte
		if c.pending() >= lendLeast {
			own = l.s.buffer(c.pending())
		}
		c.out, c.sent = append(own, c.out[c.sent:]...), 0
	case c.sent > len(c.out)/2:
		c.out = c.out[:copy(c.out, c.out[c.sent:])]
		c.sent = 0
	}
	k.lent = nil
}

// account counts the output that waits, and reports false when it is too much.
func (l *loop) account(k *sock) bool {
	before := k.counted
	k.counted = k.c.pending()
	if k.c.overflow {
		return false // counted where it was found
	}
	if k.counted == before || l.s.keepOutput(before, k.counted) {
		return true
	}
	l.s.count.closedOutput.Add(1)
	return false
}
