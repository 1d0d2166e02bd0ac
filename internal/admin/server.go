package admin

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/netutil"
	"golang.org/x/sync/errgroup"
)

// Limits of the HTTP server.
const (
	maxConns        = 64 // at one listener; further ones wait
	maxHeader       = 16 << 10
	maxBody         = 64 << 10 // of a request: a logout's exceptions
	headerTimeout   = 5 * time.Second
	requestTimeout  = 10 * time.Second
	idleTimeout     = 60 * time.Second
	shutdownTimeout = time.Second
)

const (
	firstPort = 4080
	lastPort  = 4099
	unixPath  = "unix://"
)

// Config says where a Server listens and what it answers from.
type Config struct {
	Socket string          // path of the node's own socket, always there
	Listen string          // auto, off, host:port or unix:///path
	Read   func() *Reading // called for each answer, by several goroutines at once
	Store  func() Store    // likewise; it returns nil before the node is open, and may be nil where none will be
	Log    *slog.Logger
}

// Server is the HTTP API of one node.
type Server struct {
	http    *http.Server
	guard   *guard
	further net.Listener // nil: only the guard
}

// Open takes the node's name on this host and opens the listeners. ErrRunning: another daemon has the name.
func Open(cfg Config) (*Server, error) {
	g, err := openGuard(cfg.Socket)
	if err != nil {
		return nil, err
	}
	further, err := listen(cfg.Listen)
	if err != nil {
		g.close()
		return nil, err
	}
	h := handler(cfg.Read, cfg.Store)
	return &Server{guard: g, further: further, http: &http.Server{
		Handler: http.MaxBytesHandler(h, maxBody), ReadHeaderTimeout: headerTimeout, ReadTimeout: requestTimeout,
		WriteTimeout: requestTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader,
		ErrorLog: slog.NewLogLogger(cfg.Log.Handler(), slog.LevelDebug),
	}}, nil
}

// Addr is where the API is served beside the node's own socket: a URL, a socket's path, or empty.
func (s *Server) Addr() string {
	if s.further == nil {
		return ""
	}
	if a := s.further.Addr(); a.Network() == "unix" {
		return a.String()
	}
	return "http://" + s.further.Addr().String()
}

// Run serves until ctx ends, then finishes the requests under way and gives the name free.
func (s *Server) Run(ctx context.Context) error {
	defer s.guard.unlock()
	group, ctx := errgroup.WithContext(ctx)
	for _, l := range []net.Listener{s.guard.listener, s.further} {
		if l != nil {
			group.Go(func() error { return s.serve(l) })
		}
	}
	group.Go(func() error {
		<-ctx.Done()
		quick, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
		defer cancel()
		if s.http.Shutdown(quick) != nil {
			return s.http.Close()
		}
		return nil
	})
	return group.Wait()
}

func (s *Server) serve(l net.Listener) error {
	err := s.http.Serve(netutil.LimitListener(l, maxConns))
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("admin API at %s: %w", l.Addr(), err)
}

// Close gives everything free when Run is not going to be called.
func (s *Server) Close() {
	if s.further != nil {
		_ = s.further.Close()
	}
	s.guard.close()
}

func listen(where string) (net.Listener, error) {
	switch path, isPath := strings.CutPrefix(where, unixPath); {
	case where == "off":
		return nil, nil
	case where == "auto":
		return listenAuto()
	case isPath:
		return listenUnix(path)
	}
	l, err := net.Listen("tcp", where)
	if errors.Is(err, errInUse) {
		return nil, takenError(where)
	}
	if err != nil {
		return nil, fmt.Errorf("--admin %s: %w", where, err)
	}
	return l, nil
}

// listenAuto takes the first free port: nothing depends on which it is.
func listenAuto() (net.Listener, error) {
	for port := firstPort; port <= lastPort; port++ {
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err == nil {
			return l, nil
		}
		if !errors.Is(err, errInUse) {
			return nil, fmt.Errorf("admin API: %w", err)
		}
	}
	return nil, fmt.Errorf("%w: 127.0.0.1:%d to %d are all in use: give a free one by --admin, or --admin off", ErrTaken, firstPort, lastPort)
}

func takenError(where string) error {
	l, err := listenAuto()
	if err != nil {
		return fmt.Errorf("--admin %s: %w: give a free one", where, ErrTaken)
	}
	defer l.Close()
	return fmt.Errorf("--admin %s: %w: %s is free", where, ErrTaken, l.Addr())
}
