// Package dnstest is a DNS server for tests, whose answers change as the test goes on. A Server is safe for concurrent use.
package dnstest

import (
	"context"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

// Server answers A and AAAA questions over UDP.
type Server struct {
	conn net.PacketConn

	mu      sync.Mutex
	names   map[string][]netip.Addr
	failing bool // answers SERVFAIL
	silent  bool // answers nothing
	asked   int
}

// Start starts a server at an address, as 127.0.0.1:0; it stops with the test.
func Start(t testing.TB, at string) *Server {
	t.Helper()
	conn, err := net.ListenPacket("udp", at)
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{conn: conn, names: make(map[string][]netip.Addr)}
	done := make(chan struct{})
	go func() { defer close(done); s.serve() }()
	t.Cleanup(func() { _ = conn.Close(); <-done })
	return s
}

// Resolver asks this server and no other.
func (s *Server) Resolver() *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", s.conn.LocalAddr().String())
	}}
}

// Addr is where the server listens.
func (s *Server) Addr() string { return s.conn.LocalAddr().String() }

// Set gives a name its addresses; none: it does not exist (NXDOMAIN).
func (s *Server) Set(name string, addrs ...netip.Addr) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.names[fqdn(name)] = addrs
}

// Fail makes the server answer SERVFAIL from now on, or not any more.
func (s *Server) Fail(yes bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failing = yes
}

// Silence makes the server answer nothing from now on, or again.
func (s *Server) Silence(yes bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.silent = yes
}

// Asked is how many questions came.
func (s *Server) Asked() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked
}

func fqdn(name string) string { return strings.ToLower(strings.TrimSuffix(name, ".")) + "." }

func (s *Server) serve() {
	buffer := make([]byte, 1500)
	for {
		n, from, err := s.conn.ReadFrom(buffer)
		if err != nil {
			return
		}
		if reply := s.answer(buffer[:n]); reply != nil {
			_, _ = s.conn.WriteTo(reply, from)
		}
	}
}

func (s *Server) answer(question []byte) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	var m dnsmessage.Message
	if s.silent || m.Unpack(question) != nil || len(m.Questions) != 1 {
		return nil
	}
	q := m.Questions[0]
	addrs := s.names[strings.ToLower(q.Name.String())]
	reply := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: m.ID, Response: true, Authoritative: true, RecursionAvailable: true, RecursionDesired: m.RecursionDesired},
		Questions: m.Questions,
	}
	switch {
	case s.failing:
		reply.RCode = dnsmessage.RCodeServerFailure
	case len(addrs) == 0:
		reply.RCode = dnsmessage.RCodeNameError
	}
	for _, a := range addrs {
		if r := resource(q, a); r != nil && !s.failing {
			reply.Answers = append(reply.Answers, *r)
		}
	}
	packed, err := reply.Pack()
	if err != nil {
		return nil
	}
	return packed
}

// resource is an address as an answer to q; nil when that was not asked for.
func resource(q dnsmessage.Question, a netip.Addr) *dnsmessage.Resource {
	h := dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: dnsmessage.ClassINET}
	switch {
	case q.Type == dnsmessage.TypeA && a.Is4():
		return &dnsmessage.Resource{Header: h, Body: &dnsmessage.AResource{A: a.As4()}}
	case q.Type == dnsmessage.TypeAAAA && a.Is6():
		return &dnsmessage.Resource{Header: h, Body: &dnsmessage.AAAAResource{AAAA: a.As16()}}
	}
	return nil
}
