package stream

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/sessioncast/sessioncast/internal/record"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func seed(b byte) (s [32]byte) {
	for i := range s {
		s[i] = b
	}
	return s
}

func identity(name byte, seeds ...byte) Identity {
	id := Identity{Self: record.Origin{Node: record.NodeID{name}}}
	for _, b := range seeds {
		id.Seeds = append(id.Seeds, seed(b))
	}
	return id
}

// serve starts an echo server on loopback; peers tells who came.
func serve(t *testing.T, id Identity) (s *Server, addr netip.AddrPort, peers chan record.Origin) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	peers = make(chan record.Origin, 1000)
	s = Listen(l, func() Identity { return id }, func(_ context.Context, c *Conn) {
		peers <- c.Peer()
		c.SetPatience(0) // the tests of silence have servers of their own
		echo(c)
	})
	t.Cleanup(s.Close)
	return s, l.Addr().(*net.TCPAddr).AddrPort(), peers
}

func echo(c *Conn) {
	for {
		kind, body, err := c.Receive()
		if err != nil || c.Send(kind, body) != nil {
			return
		}
	}
}

func dial(t *testing.T, addr netip.AddrPort, id Identity) *Conn {
	t.Helper()
	c, err := Dial(context.Background(), addr, id)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// patience is how long what has to happen may take on a machine with other things to do.
const patience = time.Minute

// eventually polls: the server counts after the client has already seen its end.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for tick := time.NewTicker(2 * time.Millisecond); !ok(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("after %v: not %s", patience, what)
		}
	}
}

func TestFramesOfAllSizesCross(t *testing.T) {
	_, addr, peers := serve(t, identity('s', 1))
	c := dial(t, addr, identity('c', 1))
	c.SetPatience(0)
	if c.Peer() != identity('s').Self || <-peers != identity('c').Self {
		t.Errorf("the peers do not know each other: %v", c.Peer())
	}
	for i, n := range []int{0, 1, step - 1, step, step + 1, 256 << 10, MaxFrame} {
		body := bytes.Repeat([]byte{byte(i + 1)}, n)
		go func() {
			if err := c.Send(byte(i+1), body); err != nil {
				t.Error(err)
			}
		}()
		kind, got, err := c.Receive()
		if err != nil || kind != byte(i+1) || !bytes.Equal(got, body) {
			t.Fatalf("%d bytes: type %d, %d bytes, %v", n, kind, len(got), err)
		}
	}
}

func TestWhoSharesAKeyMayTalk(t *testing.T) {
	insecure := Identity{Self: record.Origin{Node: record.NodeID{'i'}}, Insecure: true}
	both := identity('x', 1)
	both.Insecure = true
	for name, c := range map[string]struct {
		server, client Identity
		ok             bool
	}{
		"one key":                                {identity('s', 1), identity('c', 1), true},
		"another key":                            {identity('s', 1), identity('c', 2), false},
		"the client's primary is our second":     {identity('s', 1, 2), identity('c', 2, 1), true},
		"the client lacks our primary":           {identity('s', 1, 2), identity('c', 2), false},
		"we lack the client's primary":           {identity('s', 1), identity('c', 2, 1), false},
		"both insecure":                          {insecure, insecure, true},
		"an insecure client":                     {identity('s', 1), insecure, false},
		"an insecure server":                     {insecure, identity('c', 1), false},
		"insecure although there is a key":       {insecure, both, true},
		"four keys, the client's is the last":    {identity('s', 1, 2, 3, 4), identity('c', 4, 1), true},
		"no key, and not explicitly insecure":    {identity('s', 1), identity('c'), false},
		"a server without key, and not insecure": {identity('s'), identity('c', 1), false},
		"a client that is nobody":                {identity('s', 1), Identity{Seeds: [][32]byte{seed(1)}}, true},
	} {
		t.Run(name, func(t *testing.T) {
			_, addr, peers := serve(t, c.server)
			conn, err := Dial(context.Background(), addr, c.client)
			if (err == nil) != c.ok {
				t.Fatalf("err = %v", err)
			}
			if err != nil {
				if len(peers) > 0 {
					t.Error("the server handled a stranger")
				}
				return
			}
			defer conn.Close()
			_ = conn.Send(9, []byte("hello"))
			if _, _, err := conn.Receive(); (err == nil) == c.client.Self.IsZero() {
				t.Errorf("echo: %v", err)
			}
		})
	}
}

func TestAForeignKeyIsSaidAndCounted(t *testing.T) {
	s, addr, _ := serve(t, identity('s', 1))
	if _, err := Dial(context.Background(), addr, identity('c', 2)); !errors.Is(err, ErrForeign) {
		t.Errorf("the client's error: %v", err)
	}
	if _, err := Dial(context.Background(), addr, identity('c', 2, 1)); !errors.Is(err, ErrForeign) {
		t.Errorf("accepts the server, refused by it: %v", err)
	}
	eventually(t, "two counted as foreign", func() bool { return s.Stats().Foreign == 2 })
}

// tlsClient finishes its side of a handshake, or not, and reports what the server sends as data.
func tlsClient(t *testing.T, addr netip.AddrPort, config *tls.Config) ([]byte, error) {
	t.Helper()
	raw, err := net.Dial("tcp", addr.String())
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	config.InsecureSkipVerify = true
	c := tls.Client(raw, config)
	if err := c.Handshake(); err != nil {
		return nil, err
	}
	return io.ReadAll(c)
}

func TestPlainTLSGetsNothing(t *testing.T) {
	s, addr, peers := serve(t, identity('s', 1))
	own, _ := identity('c', 1).config()
	foreign, _ := identity('c', 2).config()
	for name, config := range map[string]*tls.Config{
		"no client certificate":  {NextProtos: own.NextProtos},
		"a certificate not ours": {NextProtos: own.NextProtos, Certificates: foreign.Certificates},
		"two certificates":       {NextProtos: own.NextProtos, Certificates: []tls.Certificate{doubled(own.Certificates[0])}},
		"no protocol name":       {Certificates: own.Certificates},
		"another protocol name":  {Certificates: own.Certificates, NextProtos: []string{"h2"}},
		"TLS 1.2":                {Certificates: own.Certificates, NextProtos: own.NextProtos, MaxVersion: tls.VersionTLS12},
	} {
		before := s.Stats().Foreign
		data, err := tlsClient(t, addr, config)
		if err == nil || len(data) != 0 {
			t.Errorf("%s: got %d bytes, %v", name, len(data), err)
		}
		eventually(t, "counted: "+name, func() bool { return s.Stats().Foreign == before+1 })
	}
	if len(peers) != 0 {
		t.Error("a stranger was handled")
	}
}

func doubled(c tls.Certificate) tls.Certificate {
	c.Certificate = append(c.Certificate, c.Certificate[0])
	return c
}

// Who goes away while it is being asked, as a peer that is killed, cut off, or has found another donor, said nothing wrong.
func TestWhoHangsUpIsNoGarbage(t *testing.T) {
	s, addr, _ := serve(t, identity('s', 1))
	hangUps := []func(*net.TCPConn){
		func(*net.TCPConn) {},                                                // looks whether the port is open
		func(c *net.TCPConn) { _ = c.SetLinger(0) },                          // its process is killed: a reset
		func(c *net.TCPConn) { _, _ = c.Write([]byte{0x16, 3, 1, 2, 0, 1}) }, // ... in the middle of a record
		func(c *net.TCPConn) { // gives up, as a transfer that is not needed any more
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			_, _ = client(ctx, c, identity('c', 1))
		},
	}
	for i, hangUp := range hangUps {
		raw, err := net.Dial("tcp", addr.String())
		if err != nil {
			t.Fatal(err)
		}
		hangUp(raw.(*net.TCPConn))
		_ = raw.Close()
		eventually(t, "counted", func() bool { return s.Stats().HungUp == uint64(i+1) })
	}
	if st := s.Stats(); st.Garbage+st.Foreign+st.Slow > 0 {
		t.Errorf("counted %+v", st)
	}
}

func TestGarbageIsCountedAndTheServerLives(t *testing.T) {
	s, addr, _ := serve(t, identity('s', 1))
	for i := range 100 {
		raw, err := net.Dial("tcp", addr.String())
		if err != nil {
			t.Fatal(err)
		}
		_, _ = raw.Write(bytes.Repeat([]byte{byte(i * 7), 'x', byte(i)}, i))
		_ = raw.Close()
		eventually(t, "counted", func() bool { st := s.Stats(); return st.Garbage+st.HungUp+st.Foreign == uint64(i+1) })
	}
	if st := s.Stats(); st.Accepted != 0 {
		t.Errorf("counted %+v", st)
	}
	if c := dial(t, addr, identity('c', 1)); c.Send(1, nil) != nil {
		t.Error("no service after garbage")
	}
}

func TestTooManyConnectionsOfOneAddressAreRefused(t *testing.T) {
	s, addr, _ := serve(t, identity('s', 1))
	for range MaxPerAddress {
		dial(t, addr, identity('c', 1))
	}
	if _, err := Dial(context.Background(), addr, identity('c', 1)); err == nil {
		t.Error("one more than the limit was served")
	}
	if st := s.Stats(); st.Refused != 1 || st.Open != MaxPerAddress {
		t.Errorf("counted %+v", st)
	}
}

func TestCloseEndsConnectionsAndWaits(t *testing.T) {
	s, addr, _ := serve(t, identity('s', 1))
	c := dial(t, addr, identity('c', 1))
	half, err := net.Dial("tcp", addr.String())
	if err != nil {
		t.Fatal(err)
	}
	defer half.Close()
	eventually(t, "both there", func() bool { return s.Stats().Open == 2 })
	s.Close()
	if _, _, err := c.Receive(); err == nil {
		t.Error("the connection outlived its server")
	}
	if s.Stats().Open != 0 {
		t.Error("Close did not wait")
	}
}

// pair is two ends in a bubble: an in-memory pipe, so that time is the test's.
func pair(t *testing.T) (client_, server_ *Conn) {
	t.Helper()
	a, b := net.Pipe()
	made := make(chan *Conn)
	go func() {
		c, err := server(t.Context(), b, identity('s', 1))
		if err != nil {
			t.Error(err)
		}
		made <- c
	}()
	c, err := client(t.Context(), a, identity('c', 1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	s := <-made
	t.Cleanup(s.Close)
	return c, s
}

func TestASilentPeerIsAnErrorAfterTwoSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := pair(t)
		begin := time.Now()
		if _, _, err := c.Receive(); !errors.Is(err, ErrSilent) || time.Since(begin) != SilenceTimeout {
			t.Errorf("after %v: %v", time.Since(begin), err)
		}
		s.SetPatience(0)
		go func() {
			time.Sleep(time.Hour) // of the bubble's time
			c.Close()
		}()
		if _, _, err := s.Receive(); !errors.Is(err, io.EOF) || time.Since(begin) < time.Hour {
			t.Errorf("a patient receiver gave up after %v: %v", time.Since(begin), err)
		}
	})
}

func TestASlowPeerThatKeepsSendingIsNotSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := pair(t)
		go func() {
			head := binary.BigEndian.AppendUint32(nil, 5)
			for _, b := range append(append(head, 7), "bytes"...) {
				time.Sleep(SilenceTimeout - time.Millisecond)
				if _, err := s.tls.Write([]byte{b}); err != nil {
					t.Error(err)
				}
			}
		}()
		if kind, body, err := c.Receive(); err != nil || kind != 7 || string(body) != "bytes" {
			t.Errorf("%d %q %v", kind, body, err)
		}
	})
}

func TestAPeerThatDoesNotReadStallsTheSenderForFiveSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := pair(t)
		begin := time.Now()
		if err := c.Send(1, make([]byte, 1000)); !errors.Is(err, ErrStalled) || time.Since(begin) != StallTimeout {
			t.Errorf("after %v: %v", time.Since(begin), err)
		}
	})
}

func TestALyingLengthClaimsNoMemory(t *testing.T) {
	for _, n := range []uint32{MaxFrame, MaxFrame + 1, 1<<32 - 1} {
		synctest.Test(t, func(t *testing.T) {
			c, s := pair(t)
			go func() {
				_, _ = s.tls.Write(append(binary.BigEndian.AppendUint32(nil, n), 1))
				_, _ = s.tls.Write([]byte("short"))
				s.Close()
			}()
			var err error
			bytes := allocated(func() { _, _, err = c.Receive() })
			if want := io.ErrUnexpectedEOF; n <= MaxFrame && !errors.Is(err, want) || n > MaxFrame && !errors.Is(err, ErrTooLarge) {
				t.Errorf("length %d: %v", n, err)
			}
			if bytes > 1<<20 {
				t.Errorf("length %d made us allocate %d bytes", n, bytes)
			}
		})
	}
}

func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// pipes is a listener of in-memory connections.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}
func (p *pipes) Close() error   { close(p.done); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

func TestHalfOpenConnectionsTimeOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &pipes{make(chan net.Conn), make(chan struct{})}
		s := Listen(p, func() Identity { return identity('s', 1) }, func(context.Context, *Conn) { t.Error("handled") })
		defer s.Close()
		for range 3 {
			a, b := net.Pipe()
			defer a.Close()
			p.conns <- b
		}
		time.Sleep(HandshakeTimeout + time.Millisecond)
		synctest.Wait()
		if st := s.Stats(); st.Slow != 3 || st.Open != 0 {
			t.Errorf("counted %+v", st)
		}
	})
}

func TestAServerThatAcceptsAndSaysNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := net.Pipe()
		defer b.Close()
		go func() { _, _ = io.Copy(io.Discard, b) }()
		begin := time.Now()
		if _, err := client(t.Context(), a, identity('c', 1)); !errors.Is(err, ErrSilent) || time.Since(begin) != HandshakeTimeout {
			t.Errorf("after %v: %v", time.Since(begin), err)
		}
	})
}

func TestTheServerSpeaksOnlyToAVerifiedClient(t *testing.T) {
	// The client ends its handshake before the server has seen its certificate: data at that moment would be too early.
	_, addr, _ := serve(t, identity('s', 1))
	own, _ := identity('c', 1).config()
	foreign, _ := identity('c', 2).config()
	data, _ := tlsClient(t, addr, &tls.Config{NextProtos: own.NextProtos, Certificates: foreign.Certificates})
	if len(data) != 0 {
		t.Errorf("%d bytes before the client proved its key", len(data))
	}
}

func TestBadHellos(t *testing.T) {
	origin := identity('c').Self.Append(nil)
	hello := func(kind byte, version uint16, rest []byte) []byte {
		b := binary.BigEndian.AppendUint32(nil, uint32(2+len(rest)))
		return append(binary.BigEndian.AppendUint16(append(b, kind), version), rest...)
	}
	for name, c := range map[string]struct {
		hello []byte
		want  error
	}{
		"a later minor form":  {hello(0, 1, append(bytes.Clone(origin), "more"...)), nil},
		"another version":     {hello(0, 2, origin), ErrVersion},
		"not a hello":         {hello(5, 1, origin), ErrHello},
		"too short":           {hello(0, 1, origin[:20]), ErrHello},
		"too long":            {binary.BigEndian.AppendUint32(nil, 1<<30), ErrHello},
		"nobody":              {hello(0, 1, make([]byte, 26)), ErrHello},
		"nothing, then ended": {nil, io.EOF},
	} {
		t.Run(name, func(t *testing.T) {
			if len(c.hello) == 4 {
				c.hello = append(c.hello, 0)
			}
			a, b := net.Pipe()
			config, _ := identity('c', 1).config()
			go func() {
				tc := tls.Client(a, config)
				_, _ = io.ReadFull(tc, make([]byte, headerSize+2+record.OriginSize))
				_, _ = tc.Write(c.hello)
				_ = tc.Close()
			}()
			conn, err := server(context.Background(), b, identity('s', 1))
			if err == nil {
				conn.Close()
			}
			if !errors.Is(err, c.want) {
				t.Errorf("err = %v, want %v", err, c.want)
			}
		})
	}
}

func TestFrameTypeZeroIsOurs(t *testing.T) {
	_, addr, _ := serve(t, identity('s', 1))
	c := dial(t, addr, identity('c', 1))
	if err := c.Send(0, nil); !errors.Is(err, ErrHello) {
		t.Error(err)
	}
	if err := c.Send(1, make([]byte, MaxFrame+1)); !errors.Is(err, ErrTooLarge) {
		t.Error(err)
	}
}

func TestADialThatIsCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := net.Pipe()
		defer b.Close()
		go func() { _, _ = io.Copy(io.Discard, b) }()
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		if _, err := client(ctx, a, identity('c', 1)); !errors.Is(err, context.Canceled) {
			t.Errorf("err = %v", err)
		}
	})
}
