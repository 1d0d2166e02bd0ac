package sessioncast

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sessioncast/sessioncast/internal/link"
	"github.com/sessioncast/sessioncast/internal/node"
)

// nowhere is a network on which nobody else is.
type nowhere struct{ closed chan struct{} }

func (n nowhere) Receive(ctx context.Context, _ func([]link.Packet)) error {
	<-n.closed
	return nil
}
func (n nowhere) Send([]link.Datagram) error { return nil }
func (n nowhere) Close() error               { close(n.closed); return nil }

type nobody struct{ closed chan struct{} }

func (l nobody) Accept() (net.Conn, error) { <-l.closed; return nil, net.ErrClosed }
func (l nobody) Close() error              { close(l.closed); return nil }
func (l nobody) Addr() net.Addr            { return &net.TCPAddr{} }

// alone runs f with a node that is alone in its cluster, under a virtual clock.
func alone(t *testing.T, cfg Config, f func(t *testing.T, n *Node)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		cfg.Name, cfg.Key = "alone", bytes.Repeat([]byte{7}, 32)
		if cfg.Logger == nil {
			cfg.Logger = slog.New(slog.DiscardHandler)
		}
		resolved, err := cfg.resolve()
		if err != nil {
			t.Fatal(err)
		}
		resolved.OnEvent = logEvents(resolved.Log)
		inner, err := node.OpenOver(resolved, nowhere{make(chan struct{})}, nobody{make(chan struct{})}, netip.AddrPort{})
		if err != nil {
			t.Fatal(err)
		}
		n := newNode(inner, cfg)
		defer n.Close()
		if err := inner.WaitSynced(t.Context()); err != nil {
			t.Fatal(err)
		}
		f(t, n)
	})
}

func wantErr(t *testing.T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: %v, want %v", what, err, want)
	}
}

func TestSetGetTouchDestroy(t *testing.T) {
	alone(t, Config{}, func(t *testing.T, n *Node) {
		ctx := t.Context()
		if _, err := n.Get(ctx, "s"); !errors.Is(err, ErrNotFound) {
			t.Fatalf("Get of nothing: %v", err)
		}
		data := []byte("one")
		if r, err := n.Set(ctx, "s", data, time.Minute); err != nil || r.Degraded || r.Peers != 0 {
			t.Fatalf("Set alone: %+v, %v", r, err)
		}
		data[0] = 'X' // the node has its own copy
		s, err := n.Get(ctx, "s")
		if err != nil || string(s.Data) != "one" || !s.Expires.Equal(time.Now().Add(time.Minute)) {
			t.Fatalf("Get: %q until %v, %v", s.Data, s.Expires, err)
		}
		time.Sleep(50 * time.Second)
		if _, err := n.Touch(ctx, "s", time.Minute); err != nil {
			t.Fatal(err)
		}
		time.Sleep(50 * time.Second)
		if _, err := n.Get(ctx, "s"); err != nil {
			t.Errorf("a session touched 50 s ago for a minute: %v", err)
		}
		if _, err := n.Destroy(ctx, "s"); err != nil {
			t.Fatal(err)
		}
		_, err = n.Get(ctx, "s")
		wantErr(t, "Get of a destroyed session", err, ErrNotFound)
		_, err = n.Touch(ctx, "s", time.Minute)
		wantErr(t, "Touch of a destroyed session", err, ErrNotFound)
	})
}

func TestCreationAndUpdateAreToldApart(t *testing.T) {
	alone(t, Config{}, func(t *testing.T, n *Node) {
		ctx := t.Context()
		_, err := n.Update(ctx, "s", nil, time.Minute)
		wantErr(t, "Update of nothing", err, ErrNotFound)
		_, err = n.Create(ctx, "s", []byte("1"), time.Minute)
		wantErr(t, "Create", err, nil)
		_, err = n.Create(ctx, "s", []byte("2"), time.Minute)
		wantErr(t, "second Create", err, ErrExists)
		_, err = n.Update(ctx, "s", []byte("3"), time.Minute)
		wantErr(t, "Update", err, nil)
		if _, err := n.Destroy(ctx, "s"); err != nil {
			t.Fatal(err)
		}
		_, err = n.Update(ctx, "s", []byte("4"), time.Minute)
		wantErr(t, "Update after a logout", err, ErrNotFound)
		_, err = n.Set(ctx, "s", []byte("4"), time.Minute)
		wantErr(t, "Set within the logout hold", err, ErrDestroyed)
		_, err = n.Create(ctx, "s", []byte("5"), time.Minute)
		wantErr(t, "Create after a logout", err, nil)
	})
}

func TestLifetimes(t *testing.T) {
	alone(t, Config{SessionTTL: 20 * time.Second, MaxLifetime: time.Minute}, func(t *testing.T, n *Node) {
		ctx := t.Context()
		for id, ttl := range map[string]time.Duration{"default": 0, "short": time.Second, "capped": 3 * time.Hour, "forever": Forever} {
			if _, err := n.Set(ctx, id, nil, ttl); err != nil {
				t.Fatal(err)
			}
		}
		start := time.Now()
		for _, c := range []struct {
			after time.Duration
			alive []string
		}{
			{0, []string{"capped", "default", "forever", "short"}},
			{2 * time.Second, []string{"capped", "default", "forever"}},
			{21 * time.Second, []string{"capped", "forever"}},
			{61 * time.Second, []string{}},
		} {
			time.Sleep(c.after - time.Since(start))
			alive := []string{}
			for s := range n.All(ctx) {
				alive = append(alive, s.ID)
			}
			slices.Sort(alive)
			if !slices.Equal(alive, c.alive) {
				t.Errorf("after %v: %v, want %v", c.after, alive, c.alive)
			}
		}
	})
}

func TestLimitsAreErrors(t *testing.T) {
	alone(t, Config{MaxMemory: 64 << 10, MaxSession: 16 << 10}, func(t *testing.T, n *Node) {
		ctx := t.Context()
		_, err := n.Set(ctx, "large", make([]byte, 16<<10+1), 0)
		wantErr(t, "above MaxSession", err, ErrTooLarge)
		_, err = n.Set(ctx, "", nil, 0)
		wantErr(t, "an empty id", err, ErrNoID)
		_, err = n.Set(ctx, strings.Repeat("i", 513), nil, 0)
		wantErr(t, "an id of 513 bytes", err, ErrIDTooLong)
		for i := range 5 {
			if _, err = n.Set(ctx, string(rune('a'+i)), make([]byte, 14_000), 0); err != nil {
				break
			}
		}
		wantErr(t, "above MaxMemory", err, ErrFull)
		if n.Len() != 4 {
			t.Errorf("%d sessions, want the 4 that fit: none is dropped", n.Len())
		}
		if _, err := n.Destroy(ctx, "a"); err != nil {
			t.Errorf("Destroy on a full node: %v", err)
		}
	})
}

func TestWatchTellsAndEnds(t *testing.T) {
	alone(t, Config{}, func(t *testing.T, n *Node) {
		ctx := t.Context()
		events := n.Watch(ctx)
		var got []string
		done := make(chan struct{})
		go func() {
			defer close(done)
			for e := range events {
				got = append(got, e.Kind.String()+" "+e.ID)
			}
		}()
		must := func(_ Receipt, err error) {
			if err != nil {
				t.Fatal(err)
			}
		}
		must(n.Set(ctx, "a", []byte("1"), time.Minute))
		must(n.Set(ctx, "a", []byte("2"), time.Minute))
		must(n.Touch(ctx, "a", time.Hour))
		must(n.Destroy(ctx, "a"))
		must(n.Set(ctx, "b", nil, time.Second))
		time.Sleep(5 * time.Second)
		must(n.Set(ctx, "c", nil, time.Minute))
		must(n.Clear(ctx))
		if err := n.Close(); err != nil {
			t.Fatal(err)
		}
		<-done
		want := []string{"created a", "changed a", "touched a", "destroyed a", "created b", "expired b", "created c", "destroyed c"}
		if !slices.Equal(got, want) {
			t.Errorf("events\n %q, want\n %q", got, want)
		}
		for range n.Watch(ctx) {
			t.Error("an event of a closed node")
		}
	})
}

func TestASlowWatcherIsToldWhatItMissed(t *testing.T) {
	alone(t, Config{}, func(t *testing.T, n *Node) {
		ctx := t.Context()
		events := n.Watch(ctx)
		for range watchBuffer + 10 {
			if _, err := n.Set(ctx, "s", nil, time.Minute); err != nil {
				t.Fatal(err)
			}
		}
		for e := range events {
			if e.Kind != Missed {
				t.Fatalf("first comes %v, want what was missed", e.Kind)
			}
			break
		}
	})
}

func TestAClosedNodeRefusesWrites(t *testing.T) {
	alone(t, Config{}, func(t *testing.T, n *Node) {
		if err := errors.Join(n.Close(), n.Close()); err != nil {
			t.Fatal(err)
		}
		_, err := n.Set(context.Background(), "s", nil, 0)
		wantErr(t, "Set", err, ErrClosed)
		_, err = n.Destroy(context.Background(), "s")
		wantErr(t, "Destroy", err, ErrClosed)
		_, err = n.Get(context.Background(), "s")
		wantErr(t, "Get", err, ErrClosed)
	})
}

func TestConfigErrorsSayWhatIsWrong(t *testing.T) {
	key := bytes.Repeat([]byte{1}, 32)
	for name, c := range map[string]struct {
		cfg  Config
		want string
	}{
		"a short key":        {Config{Key: []byte("short")}, "32 random bytes"},
		"two sources of key": {Config{Key: key, Insecure: true}, "excludes"},
		"a negative ttl":     {Config{Key: key, SessionTTL: -1}, "negative"},
		"an unknown ack":     {Config{Key: key, Ack: -7}, "negative"},
		"an impossible port": {Config{Port: 70000}, "65535"},
		"a missing key file": {Config{KeyFile: "testdata/none"}, "key new"},
	} {
		if _, err := c.cfg.resolve(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want … %s …", name, err, c.want)
		}
	}
}

func TestMembersAndStatsOfANodeAlone(t *testing.T) {
	alone(t, Config{}, func(t *testing.T, n *Node) {
		if _, err := n.Set(t.Context(), "s", []byte("x"), 0); err != nil {
			t.Fatal(err)
		}
		m := n.Members()
		if len(m) != 1 || !m[0].Self || m[0].Name != "alone" || m[0].State != "synced" || m[0].Sessions != 1 {
			t.Errorf("members %+v", m)
		}
		if s := n.Stats(); s.Sessions != 1 || s.Bytes == 0 || s.Peers != 0 || s.FramesSent == 0 {
			t.Errorf("stats %+v", s)
		}
	})
}

// A node that has no room for all sessions calls none missing that it may lack.
func TestWhatANodeMayLackIsNotMissing(t *testing.T) {
	alone(t, Config{}, func(t *testing.T, n *Node) {
		ctx := t.Context()
		if _, err := n.Set(ctx, "here", []byte("v"), 0); err != nil {
			t.Fatal(err)
		}
		partial := func() { n.table.SetPartial(true) } // which the node takes back as soon as it looks
		partial()
		if s, err := n.Get(ctx, "here"); err != nil || string(s.Data) != "v" {
			t.Errorf("what is here: %q, %v", s.Data, err)
		}
		partial()
		_, err := n.Get(ctx, "there")
		wantErr(t, "Get", err, ErrIncomplete)
		partial()
		_, err = n.Touch(ctx, "there", 0)
		wantErr(t, "Touch", err, ErrIncomplete)
		partial()
		_, err = n.Update(ctx, "there", nil, 0)
		wantErr(t, "Update", err, ErrIncomplete)
		partial()
		if _, err := n.Destroy(ctx, "there"); err != nil {
			t.Error("a logout:", err)
		}
		partial()
		_, err = n.Get(ctx, "there")
		wantErr(t, "Get of what was destroyed here", err, ErrNotFound)
	})
}
