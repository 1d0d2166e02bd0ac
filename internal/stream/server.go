package stream

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Limits of a server. Several nodes of a host share its address.
const (
	MaxConns      = 512 // established and not
	MaxPerAddress = 64
	MaxHandshakes = 128 // not yet established

	acceptPause = 10 * time.Millisecond // after an accept that failed, as when descriptors run out
)

// Stats counts since Listen, but for Open.
type Stats struct {
	Accepted uint64 // proved the key and were handled
	Refused  uint64 // closed at once: too many connections, of all or of one address
	Foreign  uint64 // speak TLS, but do not prove the key or not our protocol
	Garbage  uint64 // speak something else
	HungUp   uint64 // went away while being asked: a peer that was killed, cut off, or needs it no more; also who only looks whether the port is open
	Slow     uint64 // did not finish the handshake in time
	Open     int64  // connections now, those in the handshake included
}

// Server accepts connections until Close.
type Server struct {
	listener net.Listener
	identity func() Identity
	handle   func(context.Context, *Conn)
	ctx      context.Context
	cancel   context.CancelFunc
	wg       sync.WaitGroup

	conns struct {
		sync.Mutex
		open       map[net.Conn]netip.Addr
		perAddress map[netip.Addr]int
		handshakes int
		closed     bool
	}
	accepted, refused, foreign, garbage, hungUp, slow atomic.Uint64
}

// Listen serves l: handle is called in a goroutine for every connection whose peer has proved a key of id's ring, and the
// connection is closed when handle returns. id is asked for each connection, so keys may change. The context given to
// handle ends with Close.
func Listen(l net.Listener, id func() Identity, handle func(context.Context, *Conn)) *Server {
	s := &Server{listener: l, identity: id, handle: handle}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.conns.open = make(map[net.Conn]netip.Addr)
	s.conns.perAddress = make(map[netip.Addr]int)
	s.wg.Go(s.accept)
	return s
}

func (s *Server) accept() {
	for {
		raw, err := s.listener.Accept()
		switch {
		case err == nil:
			s.take(raw)
		case errors.Is(err, net.ErrClosed), s.ctx.Err() != nil:
			return
		default:
			s.pause()
		}
	}
}

func (s *Server) pause() {
	timer := time.NewTimer(acceptPause)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-s.ctx.Done():
	}
}

func (s *Server) take(raw net.Conn) {
	if !s.admit(raw) {
		s.refused.Add(1)
		_ = raw.Close()
		return
	}
	s.wg.Go(func() {
		defer s.release(raw)
		s.serve(raw)
	})
}

func (s *Server) admit(raw net.Conn) bool {
	addr := remote(raw).Addr()
	c := &s.conns
	c.Lock()
	defer c.Unlock()
	if c.closed || len(c.open) >= MaxConns || c.perAddress[addr] >= MaxPerAddress || c.handshakes >= MaxHandshakes {
		return false
	}
	c.open[raw] = addr
	c.perAddress[addr]++
	c.handshakes++
	return true
}

func (s *Server) established() {
	s.conns.Lock()
	defer s.conns.Unlock()
	s.conns.handshakes--
}

func (s *Server) release(raw net.Conn) {
	_ = raw.Close()
	c := &s.conns
	c.Lock()
	defer c.Unlock()
	addr := c.open[raw]
	delete(c.open, raw)
	if c.perAddress[addr]--; c.perAddress[addr] == 0 {
		delete(c.perAddress, addr)
	}
}

func (s *Server) serve(raw net.Conn) {
	conn, err := server(s.ctx, raw, s.identity())
	s.established()
	if err != nil {
		s.count(err)
		return
	}
	s.accepted.Add(1)
	s.handle(s.ctx, conn)
}

// count says what kind of stranger it was.
func (s *Server) count(err error) {
	var header tls.RecordHeaderError
	switch {
	case s.ctx.Err() != nil:
	case errors.Is(err, ErrSilent):
		s.slow.Add(1)
	case errors.As(err, &header):
		s.garbage.Add(1)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET),
		errors.Is(err, os.ErrClosed), errors.Is(err, io.ErrClosedPipe):
		s.hungUp.Add(1)
	default:
		s.foreign.Add(1)
	}
}

// Stats reads the counters.
func (s *Server) Stats() Stats {
	s.conns.Lock()
	open := int64(len(s.conns.open))
	s.conns.Unlock()
	return Stats{Accepted: s.accepted.Load(), Refused: s.refused.Load(), Foreign: s.foreign.Load(),
		Garbage: s.garbage.Load(), HungUp: s.hungUp.Load(), Slow: s.slow.Load(), Open: open}
}

// Close stops accepting, closes every connection and waits for their handlers.
func (s *Server) Close() {
	s.cancel()
	_ = s.listener.Close()
	s.closeConns()
	s.wg.Wait()
}

func (s *Server) closeConns() {
	s.conns.Lock()
	defer s.conns.Unlock()
	s.conns.closed = true
	for raw := range s.conns.open {
		_ = raw.Close()
	}
}
