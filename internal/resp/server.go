package resp

import (
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"time"
)

// Server serves the Redis protocol. Its methods may be called from any goroutine.
type Server struct {
	cfg       Config
	listeners []net.Listener
	started   time.Time
	count     counters
	moved     mover
	stopped   chan struct{}
	stopOnce  sync.Once
	// stallLimit is how long a client may take none of its replies.
	stallLimit time.Duration

	mu      sync.Mutex // held while commands run; guards what follows and every client
	clients map[uint64]*client
	lastID  uint64
	spare   [][]byte
	track   trackTable
	wallMS  int64 // when the commands being carried out were received, Unix milliseconds: what the table goes by
	nowMS   int64 // the cluster's time then: what lifetimes count from
	buffers int64 // of replies that wait, and of commands, of all clients

	inbox inbox
}

// mover moves the bytes of all clients: the event loop, or goroutines for each connection.
type mover interface {
	// start begins to serve the listeners.
	start() error
	// wake says that the inbox holds something. It may be called from any goroutine and does not block.
	wake()
	// stop ends as Server.Close describes, and returns when all is closed.
	stop(deadline time.Time)
}

// inbox is what other goroutines have to tell the server.
type inbox struct {
	sync.Mutex
	events  []event
	spare   []event
	changed []change // of what tracking clients may have to forget, and others watch
	lost    bool     // there were too many of them
}

// event ends a client's wait for acknowledgements.
type event struct {
	client *client
	acked  int
}

// Listen opens the listeners and begins to serve them.
func Listen(cfg Config) (*Server, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	cfg.setDefaults()
	listeners, err := listenAll(cfg.Listeners, cfg.Password != "")
	if err != nil {
		return nil, fmt.Errorf("resp: %w", err)
	}
	s := &Server{cfg: cfg, listeners: listeners, started: cfg.now(), clients: make(map[uint64]*client), stopped: make(chan struct{}), stallLimit: cfg.stall,
		track: trackTable{limit: cfg.tracked()}, buffers: cfg.buffers()}
	s.moved = newMover(s, cfg.PerConnection)
	if err := s.moved.start(); err != nil {
		closeAll(listeners)
		return nil, fmt.Errorf("resp: %w", err)
	}
	for _, ln := range listeners {
		cfg.Logger.Info("serving the Redis protocol", slog.String("address", name(ln.Addr())))
	}
	return s, nil
}

// Addrs are the addresses served, in the order of Config.Listeners and in its form, with the port that was chosen for port 0.
func (s *Server) Addrs() []string {
	all := make([]string, len(s.listeners))
	for i, ln := range s.listeners {
		all[i] = name(ln.Addr())
	}
	return all
}

const tooManyClients = "-ERR max number of clients reached\r\n"

// unixPeer is the address of a client on a Unix socket, as Redis gives it.
func unixPeer(listener string) string { return strings.TrimPrefix(listener, unixPrefix) + ":0" }

func name(a net.Addr) string {
	if a.Network() == "unix" {
		return unixPrefix + a.String()
	}
	return a.String()
}

// Close stops accepting, finishes the commands received, sends the replies and closes. Clients that do not take
// their replies are cut off after two seconds.
func (s *Server) Close() error {
	s.stopOnce.Do(func() {
		s.moved.stop(time.Now().Add(closeTimeout))
		s.mu.Lock()
		s.track.unwatch()
		s.mu.Unlock()
		close(s.stopped)
	})
	<-s.stopped
	return nil
}

// post hands an event to the goroutine that moves bytes.
func (s *Server) post(e event) {
	s.inbox.Lock()
	first := s.inbox.empty()
	s.inbox.events = append(s.inbox.events, e)
	s.inbox.Unlock()
	if first {
		s.moved.wake()
	}
}

func (b *inbox) empty() bool { return len(b.events) == 0 && len(b.changed) == 0 && !b.lost }

// deliver carries out what is in the inbox. Server.mu must be held.
func (s *Server) deliver() {
	b := &s.inbox
	b.Lock()
	events, changed, lost := b.events, b.changed, b.lost
	b.events, b.spare = b.spare[:0], nil
	b.changed, b.lost = nil, false
	b.Unlock()
	for _, e := range events {
		e.client.released(e.acked)
	}
	s.invalidate(changed, lost)
	clear(events)
	b.Lock()
	b.spare = events[:0]
	b.Unlock()
}

// buffer gives an empty buffer of at least size bytes, and recycle takes one back. Server.mu must be held.
func (s *Server) buffer(size int) []byte {
	if n := len(s.spare); n > 0 && cap(s.spare[n-1]) >= size {
		b := s.spare[n-1]
		s.spare = s.spare[:n-1]
		return b[:0]
	}
	return make([]byte, 0, max(size, readSize/4))
}

func (s *Server) recycle(b []byte) {
	if len(s.spare) < spareBuffers && cap(b) > 0 && cap(b) <= spareBufferBytes {
		s.spare = append(s.spare, b)
	}
}

// keepOutput counts the replies that wait, and reports false when the client may not have so many.
func (s *Server) keepOutput(before, after int) bool {
	total := s.count.output.Add(int64(after - before))
	return after <= s.cfg.MaxOutput && (after <= before || total <= s.buffers)
}
