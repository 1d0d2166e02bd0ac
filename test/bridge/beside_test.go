//go:build linux

package bridge

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sessioncast/sessioncast/test/rig"
)

// The scenarios of the table in docs/migration.md.
const (
	besideMany  = 2000
	besideSize  = 1024
	besideLarge = 66_000
	besideReads = 40
)

// TestOriginalsBesideOurs shows what originals cannot do among themselves, and the same on daemons between the same hosts.
func TestOriginalsBesideOurs(t *testing.T) {
	run(t, "v4", func(m *move) {
		m.a, m.b = m.original(hostA), m.original(hostB)
		m.originalsAlone()
		m.oursAlone()
	})
}

// fence waits until what A did before has come to an original: a datagram of one sender overtakes no other here.
func (m *move) fence(at *original, name string) {
	m.Helper()
	m.a.set(name, `{"fence":true}`)
	m.becomes("a session made last on A, on "+at.Name, m.of(at, name), `{"fence":true}`)
}

func (m *move) originalsAlone() {
	m.Helper()
	m.a.set("one", `{"n":1}`)
	m.becomes("originals: created on A, on B", m.of(m.b, "one"), `{"n":1}`)
	m.a.set("one", `{"n":2}`)
	m.fence(m.b, "fence1")
	if got := m.b.get("one"); got != `{"n":1}` {
		m.Errorf("originals: a change on A is seen on B: %s", got)
	}
	m.Logf("originals: %d of %d reads on A itself did not see A's last change", m.staleReads(), besideReads)
	m.b.set("one", `{"n":1}`)
	m.a.destroy("one")
	m.fence(m.b, "fence2")
	if m.b.get("one") == "" {
		m.Error("originals: a session that was saved on B, too, is destroyed there by a logout on A")
	}
	m.a.set("large", fmt.Sprintf(`{"pad":"%s"}`, strings.Repeat("x", besideLarge)))
	m.fence(m.b, "fence3")
	if got := m.b.get("large"); got != "" {
		m.Error("originals: a session of 66,000 bytes is replicated")
	}
	m.a.ask(map[string]any{"op": "many", "sid": "many", "count": besideMany, "size": besideSize})
	third := m.original(later)
	m.fence(third, "fence4")
	if n := third.count(); n > 2 {
		m.Errorf("originals: the third node has %d sessions", n)
	}
	m.datagram("x", "228.0.0.5:4000")
	rig.Eventually(m, "originals: one datagram ends all", func() bool { return !m.a.Running() && !m.b.Running() && !third.Running() })
	m.a, m.b = nil, nil
}

// staleReads counts reads on A that do not see what A itself wrote last.
func (m *move) staleReads() (stale int) {
	m.Helper()
	for i := range besideReads {
		sid := fmt.Sprint("read", i)
		m.a.set(sid, `{"n":1}`)
		m.a.set(sid, `{"n":2}`)
		if m.a.get(sid) != `{"n":2}` {
			stale++
		}
	}
	return stale
}

func (m *move) datagram(text, to string) {
	m.Helper()
	rig.In(m.net, ours).Do(func() {
		c, err := net.Dial("udp4", to)
		if err != nil {
			m.Fatal(err)
		}
		defer c.Close()
		if _, err := c.Write([]byte(text)); err != nil {
			m.Fatal(err)
		}
	})
}

func (m *move) oursAlone() {
	m.Helper()
	ctx := context.Background()
	dA, a := m.startServe(hostA, "web1", 1)
	_, b := m.startServe(hostB, "web2", 2)
	dA.Wait(2)
	set := func(c *redis.Client, sid, fields string) {
		if err := c.Set(ctx, "sess:"+sid, session(fields), time.Hour).Err(); err != nil {
			m.Fatal(err)
		}
	}
	on := func(c *redis.Client, sid string) string {
		m.client = c
		return m.read(sid)
	}
	want := func(what, got, want string) {
		if got != want {
			m.Errorf("ours: %s: %.80q, want %.80q", what, got, want)
		}
	}
	stale := 0
	for i := range besideReads {
		sid := fmt.Sprint("read", i)
		set(a, sid, `"n":1`)
		want("created on A, on B", on(b, sid), `{"n":1}`)
		set(a, sid, `"n":2`)
		want("changed on A, on B", on(b, sid), `{"n":2}`)
		if on(a, sid) != `{"n":2}` {
			stale++
		}
	}
	set(b, "read0", `"n":3`)
	if err := a.Del(ctx, "sess:read0").Err(); err != nil {
		m.Fatal(err)
	}
	want("destroyed on A, on A", on(a, "read0"), "")
	want("destroyed on A, on B", on(b, "read0"), "")
	large, _ := json.Marshal(strings.Repeat("x", besideLarge))
	set(a, "large", `"pad":`+string(large))
	want("66,000 bytes on B", on(b, "large"), `{"pad":`+string(large)+`}`)
	pipe := a.Pipeline()
	for i := range besideMany {
		pipe.Set(ctx, fmt.Sprint("sess:many", i), session(fmt.Sprintf(`"pad":"%s"`, strings.Repeat("x", besideSize))), time.Hour)
	}
	if _, err := pipe.Exec(ctx); err != nil {
		m.Fatal(err)
	}
	_, third := m.startServe(later, "web3", 3)
	n, err := third.DBSize(ctx).Result()
	if err != nil || n != besideMany+besideReads {
		m.Errorf("ours: the third node has %d sessions, %v", n, err)
	}
	m.datagram("x", "228.0.0.5:4100")
	want("after one datagram", on(third, "read1"), `{"n":2}`)
	m.Logf("ours: %d of %d reads on A itself did not see A's last change; a third node has %d sessions", stale, besideReads, n)
}
