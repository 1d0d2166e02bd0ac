package resp

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// loop moves the bytes of all clients on one thread. A goroutine for each connection costs a fifth of the speed, and a second
// loop fights the clients for the processor.
//
// Sockets are watched edge-triggered: an edge sets readable, and only a read that finds nothing more clears it.
type loop struct {
	s    *Server
	epfd int
	wakeup

	listeners map[int]string // by descriptor: their address
	socks     []*sock        // by descriptor
	open      int
	todo      []*sock // what has something to do without a new edge
	doing     []*sock
	waiting   map[*sock]struct{} // has output that the kernel does not take
	in        []byte             // what one read brings, lent to the client being served
	replies   lending
	paused    time.Time // accepting goes on then
	now       time.Time
	courtesy  courtesy

	done chan struct{}
}

// sock is one connection's descriptor. It is the client's transport.
type sock struct {
	l        *loop
	fd       int
	c        *client
	readable bool
	ending   bool // the client sends no more: one edge told of its last bytes and of its end
	writing  bool // told when it takes bytes again
	progress time.Time
	lent     *byte // where its client's replies begin, while they lie among those of others
	counted  int   // bytes of output in the server's count
}

// wakeup is the loop's bell. It may be rung from any goroutine, also after the loop ended.
type wakeup struct {
	sync.Mutex
	fd       int
	closed   bool
	deadline time.Time // set: stop
}

func newMover(s *Server, perConnection bool) mover {
	if perConnection {
		return newPorter(s)
	}
	return &loop{s: s, listeners: make(map[int]string), waiting: make(map[*sock]struct{}), done: make(chan struct{}),
		in: make([]byte, readSize), replies: lending{out: make([]byte, 0, lendSize)}}
}

func (l *loop) start() (err error) {
	if l.epfd, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return fmt.Errorf("make an epoll: %w", err)
	}
	if l.wakeup.fd, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err != nil {
		unix.Close(l.epfd)
		return fmt.Errorf("make an eventfd: %w", err)
	}
	err = l.watch(l.wakeup.fd, unix.EPOLLIN)
	for _, ln := range l.s.listeners {
		err = errors.Join(err, l.listen(ln))
	}
	if err != nil {
		unix.Close(l.epfd)
		unix.Close(l.wakeup.fd)
		return err
	}
	go l.run()
	return nil
}

func (l *loop) watch(fd int, events uint32) error {
	err := unix.EpollCtl(l.epfd, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: events, Fd: int32(fd)})
	if err != nil {
		return fmt.Errorf("watch a descriptor: %w", err)
	}
	return nil
}

// listen watches ln's descriptor, which stays ln's.
func (l *loop) listen(ln net.Listener) error {
	fd, err := descriptor(ln)
	if err != nil {
		return err
	}
	l.listeners[fd] = name(ln.Addr())
	return l.watch(fd, unix.EPOLLIN)
}

func (l *loop) wake() {
	l.wakeup.Lock()
	defer l.wakeup.Unlock()
	if !l.closed {
		unix.Write(l.wakeup.fd, []byte{1, 0, 0, 0, 0, 0, 0, 0})
	}
}

func (l *loop) stop(deadline time.Time) {
	l.wakeup.Lock()
	l.deadline = deadline
	l.wakeup.Unlock()
	l.wake()
	<-l.done
}

func (l *loop) stopping() (deadline time.Time, stopping bool) {
	l.wakeup.Lock()
	defer l.wakeup.Unlock()
	return l.deadline, !l.deadline.IsZero()
}

func (l *loop) run() {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer close(l.done)
	events := make([]unix.EpollEvent, eventsPerWait)
	for !l.turn(events) {
		if l.courtesy.due(l.now) {
			runtime.Gosched()
		}
	}
	l.wakeup.Lock()
	defer l.wakeup.Unlock()
	l.closed = true
	unix.Close(l.wakeup.fd)
	unix.Close(l.epfd)
}

// turn waits for something to happen and deals with all of it. It reports whether the loop ended.
func (l *loop) turn(events []unix.EpollEvent) (ended bool) {
	n := l.wait(events)
	l.now = time.Now()
	l.s.mu.Lock()
	defer l.s.mu.Unlock()
	woken := false
	for i := range events[:n] {
		woken = l.event(&events[i]) || woken
	}
	l.answer()
	if woken {
		l.s.deliver()
	}
	l.doing, l.todo = l.todo, l.doing[:0]
	for _, k := range l.doing {
		if k.c != nil {
			k.c.queued = false
			l.serve(k)
		}
	}
	clear(l.doing)
	l.answer()
	l.watchmen()
	deadline, stopping := l.stopping()
	return stopping && l.finish(deadline)
}

func (l *loop) wait(events []unix.EpollEvent) int {
	timeout := l.timeout()
	n, err := epollWait(l.epfd, events, 0)
	if n == 0 && err == 0 && timeout != 0 {
		n, err = epollWaitBlocking(l.epfd, events, timeout)
	}
	if err != 0 && err != unix.EINTR {
		// Nothing but a fault of our own makes epoll_wait fail; do not spin on it.
		l.s.cfg.Logger.Error("epoll_wait failed", slog.Any("error", err))
		time.Sleep(acceptPause)
	}
	return max(n, 0)
}

// timeout is in milliseconds; -1 means for ever.
func (l *loop) timeout() int {
	switch {
	case len(l.todo) > 0:
		return 0
	case !l.paused.IsZero():
		return int(acceptPause.Milliseconds())
	case len(l.waiting) > 0:
		return int(time.Second.Milliseconds())
	}
	if _, stopping := l.stopping(); stopping {
		return int(acceptPause.Milliseconds())
	}
	return -1
}

// event deals with one event, and reports whether it was the bell.
func (l *loop) event(e *unix.EpollEvent) (woken bool) {
	fd := int(e.Fd)
	if fd == l.wakeup.fd {
		var b [8]byte
		unix.Read(fd, b[:])
		return true
	}
	if addr, ok := l.listeners[fd]; ok {
		l.accept(fd, addr)
		return false
	}
	if fd >= len(l.socks) || l.socks[fd] == nil {
		return false
	}
	k := l.socks[fd]
	if e.Events&(unix.EPOLLHUP|unix.EPOLLERR) != 0 && k.c.stuck() {
		l.close(k)
		return false
	}
	if e.Events&^unix.EPOLLOUT != 0 {
		k.readable = true
	}
	k.ending = k.ending || e.Events&unix.EPOLLRDHUP != 0
	l.serve(k)
	return false
}

// serve reads and executes what there is for one client, within the limits of a turn. It is answered with all others.
func (l *loop) serve(k *sock) {
	c := k.c
	if c.out == nil {
		l.lend(k)
	}
	more, gone, wasFull := false, false, k.full()
	if c.pending() > 0 && !c.held {
		gone = !l.flush(k) // what was held back goes before what comes next is held
	}
	c.enough = k.enough()
	if len(c.in) > 0 && !gone && !c.stuck() && !k.full() {
		more = c.runBuffered()
	}
	for turn := 0; turn < readsPerTurn && !more && !gone && k.readable && !c.stuck() && !k.full(); turn++ {
		more, gone = l.read(k)
	}
	c.settle()
	l.later(served{k: k, more: more, gone: gone, wasFull: wasFull})
}

// full reports whether so much waits to be sent that nothing more is executed before it is. It leaves room for the one reply more that
// a command may have. A client may well send all its commands before it reads, so this is not small.
func (k *sock) full() bool { return k.writing && k.c.pending() >= k.l.s.cfg.MaxOutput/2 }

// enough is how much output makes the client's commands stop: while it flows, what is worth a write. Where it does not, a slice in each
// turn: others are served between the slices, and the room that all share is seen to end before each has all that it may.
func (k *sock) enough() int {
	if k.writing {
		return min(k.c.pending()+stuckSlice, k.l.s.cfg.MaxOutput/2)
	}
	return min(flushAt, k.l.s.cfg.MaxOutput/2)
}

// read does one read. It reports whether there is more to do without a new edge, and whether the connection is gone.
func (l *loop) read(k *sock) (more, gone bool) {
	c := k.c
	buf, own := l.in, len(c.in) > 0
	if own {
		buf = c.room()
	}
	n, err := read(k.fd, buf)
	l.s.count.reads.Add(1)
	switch {
	case err == unix.EAGAIN:
		k.readable = false
		return false, false
	case err == unix.EINTR:
		return false, false
	case err != 0:
		return false, true
	case n == 0:
		c.closing = true // what it sent before is answered
		return false, false
	}
	l.s.count.bytesIn.Add(uint64(n))
	c.active = l.now
	k.readable = n == len(buf) || k.ending
	if own {
		c.in = c.in[:len(c.in)+n]
		return c.runBuffered(), false
	}
	return c.feed(buf[:n]), false
}

// drain reads what the client still sent, so that closing does not reset the connection before the last reply is read.
func (l *loop) drain(k *sock) {
	unix.Shutdown(k.fd, unix.SHUT_WR)
	for range readsPerTurn {
		if n, err := read(k.fd, l.in); n <= 0 || err != 0 {
			return
		}
	}
}

func (l *loop) close(k *sock) {
	if k.c == nil {
		return
	}
	l.s.keepOutput(k.counted, 0)
	k.c.gone()
	k.c = nil
	delete(l.waiting, k)
	l.socks[k.fd] = nil
	l.open--
	unix.Close(k.fd)
}

// resume is the transport's: the client is looked at before the loop waits again.
func (k *sock) resume(c *client) {
	if !c.queued && !c.dead {
		c.queued = true
		k.l.todo = append(k.l.todo, k)
	}
}

// watchmen does what time brings.
func (l *loop) watchmen() {
	if !l.paused.IsZero() && !l.now.Before(l.paused) {
		l.paused = time.Time{}
		for fd := range l.listeners {
			l.watch(fd, unix.EPOLLIN)
		}
	}
	for k := range l.waiting {
		if l.now.Sub(k.progress) >= l.s.stallLimit {
			l.s.count.closedStall.Add(1)
			l.close(k)
		}
	}
}

// finish goes on with the end of the loop, and reports whether it is reached.
func (l *loop) finish(deadline time.Time) bool {
	if l.listeners != nil {
		l.listeners = nil
		closeAll(l.s.listeners)
		for _, k := range l.socks {
			if k != nil {
				k.readable = true
				l.serve(k)
			}
		}
		l.answer()
	}
	late := !l.now.Before(deadline)
	for _, k := range l.socks {
		if k != nil && (late || k.c.pending() == 0 && !k.c.held && !k.c.queued) {
			l.close(k)
		}
	}
	return l.open == 0
}
