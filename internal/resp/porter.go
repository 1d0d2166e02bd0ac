package resp

import (
	"errors"
	"io"
	"log/slog"
	"net"
	"sync"
	"time"
)

const (
	writeChunk = 64 << 10 // one write call, and one measure of progress
	lastRead   = 20 * time.Millisecond
)

// porter moves the bytes of each client by two goroutines, one that reads and executes and one that writes.
// It is what serves where there is no epoll.
type porter struct {
	s    *Server
	bell chan struct{}
	quit chan struct{}
	work sync.WaitGroup // goroutines of listeners and connections
	post sync.WaitGroup

	// Guarded by Server.mu.
	lines    map[*line]struct{}
	stopping bool
}

// line is one connection. It is the client's transport; Server.mu guards it.
type line struct {
	p       *porter
	nc      net.Conn
	c       *client
	changed *sync.Cond // on Server.mu: output came or went, a hold ended, the end came
	flying  int        // bytes being written
	counted int        // bytes of output in the server's count
	eof     bool
}

func newPorter(s *Server) *porter {
	return &porter{s: s, bell: make(chan struct{}, 1), quit: make(chan struct{}), lines: make(map[*line]struct{})}
}

func (p *porter) start() error {
	p.post.Go(p.deliver)
	for _, ln := range p.s.listeners {
		p.work.Go(func() { p.accept(ln) })
	}
	return nil
}

func (p *porter) wake() {
	select {
	case p.bell <- struct{}{}:
	default: // it has not been heard yet
	}
}

func (p *porter) deliver() {
	for {
		select {
		case <-p.bell:
			p.s.mu.Lock()
			p.s.deliver()
			p.s.mu.Unlock()
		case <-p.quit:
			return
		}
	}
}

func (p *porter) accept(ln net.Listener) {
	for {
		nc, err := ln.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil:
			p.s.count.acceptErrors.Add(1)
			p.s.cfg.Logger.Warn("cannot accept a connection", slog.Any("error", err))
			p.rest()
		default:
			p.accepted(nc, ln)
		}
	}
}

func (p *porter) rest() {
	pause := time.NewTimer(acceptPause)
	defer pause.Stop()
	select {
	case <-pause.C:
	case <-p.quit:
	}
}

func (p *porter) accepted(nc net.Conn, ln net.Listener) {
	p.s.mu.Lock()
	defer p.s.mu.Unlock()
	if len(p.s.clients) >= p.s.cfg.MaxClients || p.stopping {
		p.s.count.closedTooMany.Add(1)
		nc.SetWriteDeadline(time.Now().Add(acceptPause))
		io.WriteString(nc, tooManyClients)
		nc.Close()
		return
	}
	if tcp, ok := nc.(*net.TCPConn); ok {
		tcp.SetKeepAlivePeriod(keepAlive)
	}
	k := &line{p: p, nc: nc, changed: sync.NewCond(&p.s.mu)}
	k.c = newClient(p.s, k, peerAddr(nc, ln), name(ln.Addr()))
	k.c.enough = p.s.cfg.MaxOutput / 2
	p.lines[k] = struct{}{}
	p.work.Go(k.read)
	p.work.Go(k.write)
}

func peerAddr(nc net.Conn, ln net.Listener) string {
	if nc.RemoteAddr().Network() == "unix" {
		return unixPeer(ln.Addr().String())
	}
	return nc.RemoteAddr().String()
}

func (k *line) resume(*client) { k.changed.Broadcast() }

// read is the goroutine that reads and executes.
func (k *line) read() {
	buf := make([]byte, readSize/4)
	for {
		n, err := k.nc.Read(buf)
		k.p.s.mu.Lock()
		k.p.s.count.reads.Add(1)
		k.p.s.count.bytesIn.Add(uint64(n))
		open := k.take(buf[:n]) && err == nil
		if !open {
			k.eof = true
			k.changed.Broadcast()
		}
		k.p.s.mu.Unlock()
		if !open {
			return
		}
	}
}

// take executes b and what is left of earlier bytes, waiting where the client is held or its output is full. It reports whether to read on.
func (k *line) take(b []byte) (open bool) {
	c := k.c
	if c.dead {
		return false
	}
	c.active = time.Now()
	more := c.feed(b)
	for {
		c.settle()
		if !k.account() && !c.overflow {
			k.p.s.count.closedOutput.Add(1)
			c.overflow = true
		}
		if c.overflow {
			k.close()
		}
		k.changed.Broadcast()
		if !more && !c.held {
			return !c.closing && !c.dead
		}
		// What was held back goes before what comes next is held.
		for !c.dead && (c.held || more && k.full() || !more && c.pending() > 0) {
			k.changed.Wait()
		}
		if c.stuck() {
			return false
		}
		more = c.runBuffered()
	}
}

func (k *line) full() bool { return k.c.pending()+k.flying >= k.p.s.cfg.MaxOutput/2 }

// write is the goroutine that writes, and in the end closes.
func (k *line) write() {
	mu := &k.p.s.mu
	mu.Lock()
	defer mu.Unlock()
	c := k.c
	for {
		for !c.dead && (c.held || c.pending() == 0 && !k.eof && !c.closing) {
			k.changed.Wait()
		}
		if c.dead || c.pending() == 0 {
			break
		}
		out := c.out
		c.out, k.flying = nil, len(out)
		mu.Unlock()
		err := k.send(out)
		mu.Lock()
		k.flying = 0
		if err != nil {
			break
		}
		k.account()
		if c.out == nil {
			c.out = out[:0]
		}
		if cap(c.out) > spareBufferBytes && len(c.out) == 0 {
			c.out = nil
		}
		k.changed.Broadcast()
	}
	k.close()
}

func (k *line) send(out []byte) error {
	for len(out) > 0 {
		k.nc.SetWriteDeadline(time.Now().Add(k.p.s.stallLimit))
		n, err := k.nc.Write(out[:min(len(out), writeChunk)])
		k.p.s.count.writes.Add(1)
		k.p.s.count.bytesOut.Add(uint64(n))
		if err != nil {
			var timeout net.Error
			if errors.As(err, &timeout) && timeout.Timeout() {
				k.p.s.count.closedStall.Add(1)
			}
			return err
		}
		out = out[n:]
	}
	return nil
}

func (k *line) account() (fits bool) {
	before := k.counted
	k.counted = k.c.pending() + k.flying
	return k.p.s.keepOutput(before, k.counted)
}

func (k *line) close() {
	k.p.s.keepOutput(k.counted, 0)
	k.counted = 0
	k.c.gone()
	delete(k.p.lines, k)
	k.nc.Close()
	k.changed.Broadcast()
}

func (p *porter) stop(deadline time.Time) {
	closeAll(p.s.listeners)
	p.s.mu.Lock()
	p.stopping = true
	for k := range p.lines {
		k.nc.SetReadDeadline(time.Now().Add(lastRead))
	}
	p.s.mu.Unlock()
	cut := time.AfterFunc(time.Until(deadline), p.cut)
	defer cut.Stop()
	p.work.Wait()
	close(p.quit)
	p.post.Wait()
}

// cut ends what did not end by itself.
func (p *porter) cut() {
	p.s.mu.Lock()
	defer p.s.mu.Unlock()
	for k := range p.lines {
		k.close()
	}
}
