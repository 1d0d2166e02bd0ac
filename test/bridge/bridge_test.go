//go:build linux

package bridge

import (
	"context"
	"fmt"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sessioncast/sessioncast/internal/nstest"
	"github.com/sessioncast/sessioncast/test/rig"
)

// The hosts of a group that moves: two with originals, one with ours, and one that comes later.
const (
	hostA = iota
	hostB
	ours
	later
	hosts
)

// move is a group in the midst of moving.
type move struct {
	*testing.T
	net    *nstest.Net
	dir    string
	use    string
	site   *rig.Site
	a, b   *original
	serve  *rig.Daemon
	bridge *rig.Daemon
	client *redis.Client
}

const cookie = `"cookie":{"originalMaxAge":3600000,"expires":"%s","httpOnly":true,"path":"/"}`

func session(fields string) string {
	return fmt.Sprintf("{"+cookie+",%s}", time.Now().Add(time.Hour).UTC().Format("2006-01-02T15:04:05.000Z"), fields)
}

func run(t *testing.T, use string, body func(m *move)) {
	t.Helper()
	dir := originals(t)
	rig.Namespaces(t, hosts, func(t *testing.T, n *nstest.Net) {
		for i := range hosts {
			n.Output(i, "ip", "route", "add", "default", "dev", "eth0")
		}
		m := &move{T: t, net: n, dir: dir, use: use, site: rig.NewSite(t)}
		body(m)
		m.stopBridge()
		for _, o := range []*original{m.a, m.b} {
			if o != nil && !o.Running() {
				t.Errorf("%s died:\n%s", o.Name, o.Log())
			}
		}
	})
}

func (m *move) original(host int) *original {
	m.Helper()
	return startOriginal(m.T, m.net, host, m.dir, m.use)
}

// startOurs starts a server's daemon and the bridge beside it.
func (m *move) startOurs(args ...string) {
	m.Helper()
	m.serve, m.client = m.startServe(ours, "web3", 1)
	m.bridge = m.startBridge(ours, "web3-bridge", args...)
	m.joined(m.bridge, 2)
}

// startServe starts a daemon on a host, and a client of it.
func (m *move) startServe(host int, name string, members int) (*rig.Daemon, *redis.Client) {
	m.Helper()
	d := m.site.Serve(rig.In(m.net, host), name, "--use", m.use, "--port", "4100", "--ack", "all", "--ack-timeout", "5s")
	d.Wait(members)
	c := redis.NewClient(&redis.Options{Addr: "127.0.0.1:6379", Dialer: func(ctx context.Context, network, addr string) (c net.Conn, err error) {
		d.Place.Do(func() { c, err = new(net.Dialer).DialContext(ctx, network, addr) })
		return c, err
	}})
	m.Cleanup(func() { _ = c.Close() })
	return d, c
}

func (m *move) startBridge(host int, name string, args ...string) *rig.Daemon {
	m.Helper()
	return m.site.Bridge(rig.In(m.net, host), name, append([]string{"--use", m.use}, args...)...)
}

func (m *move) joined(bridge *rig.Daemon, members int) {
	m.Helper()
	bridge.Wait(members)
	rig.Eventually(m, "the bridge has joined", func() bool { return strings.Contains(bridge.Log(), "joined the express-session-multicast nodes") })
	if log := bridge.Log(); !strings.Contains(log, "WARN  originals have no key and no encryption: whoever is on their network can read, change and end every session") {
		m.Errorf("the bridge does not say at its start that the originals' side is in the clear:\n%s", log)
	}
}

// stopBridge ends it as systemd does; it says what it did.
func (m *move) stopBridge() {
	m.Helper()
	if m.bridge == nil {
		return
	}
	if code := m.bridge.Stop(m, syscall.SIGTERM); code != 0 {
		m.Errorf("the bridge exited with %d", code)
	}
	for line := range strings.Lines(m.bridge.Log()) {
		if strings.Contains(line, "left the express-session-multicast nodes") {
			m.Log(line)
			return
		}
	}
	m.Error("the bridge did not say what it had done")
}

// read is what a client of ours sees; "" where there is nothing.
func (m *move) read(sid string) string {
	m.Helper()
	text, err := m.client.Get(context.Background(), "sess:"+sid).Result()
	switch {
	case err == redis.Nil:
		return ""
	case err != nil:
		m.Fatal(err)
	}
	if strings.Contains(text, `"save"`) {
		m.Errorf("what originals put there was kept: %s", text)
	}
	return plain(m.T, text)
}

func (m *move) write(sid, fields string) {
	m.Helper()
	if err := m.client.Set(context.Background(), "sess:"+sid, session(fields), time.Hour).Err(); err != nil {
		m.Fatal(err)
	}
}

func (m *move) logout(sid string) {
	m.Helper()
	if err := m.client.Del(context.Background(), "sess:"+sid).Err(); err != nil {
		m.Fatal(err)
	}
}

// becomes waits until a reading is as wanted.
func (m *move) becomes(what string, read func() string, want string) {
	m.Helper()
	got := ""
	rig.Eventually(m, what+" becomes "+want[:min(len(want), 80)], func() bool { got = read(); return got == want })
}

func (m *move) of(o *original, sid string) func() string { return func() string { return o.get(sid) } }
func (m *move) here(sid string) func() string            { return func() string { return m.read(sid) } }

func TestOriginalsAndTheClusterShareTheirSessions(t *testing.T) {
	for _, use := range []string{"v4", "v6"} {
		t.Run(use, func(t *testing.T) {
			run(t, use, func(m *move) {
				m.a, m.b = m.original(hostA), m.original(hostB)
				m.a.set("before", `{"user":"early"}`)
				m.startOurs()
				m.becomes("what was there before, here", m.here("before"), `{"user":"early"}`)

				m.a.set("one", `{"user":"alice","n":1}`)
				m.becomes("created on an original, here", m.here("one"), `{"n":1,"user":"alice"}`)
				m.write("two", `"user":"bob"`)
				m.becomes("created here, on A", m.of(m.a, "two"), `{"user":"bob"}`)
				m.becomes("created here, on B", m.of(m.b, "two"), `{"user":"bob"}`)

				m.a.set("one", `{"user":"alice","n":2}`)
				m.becomes("changed on an original, here", m.here("one"), `{"n":2,"user":"alice"}`)

				m.logout("two")
				m.becomes("destroyed here, on A", m.of(m.a, "two"), "")
				m.becomes("destroyed here, on B", m.of(m.b, "two"), "")
				m.b.set("three", `{"user":"carol"}`)
				m.becomes("created on B, here", m.here("three"), `{"user":"carol"}`)
				m.b.destroy("three")
				m.becomes("destroyed on B, here", m.here("three"), "")
				m.ttl("one")

				m.a.destroy("one") // it holds a second copy of it
				m.becomes("saved twice and destroyed on A, here", m.here("one"), "")
				m.becomes("saved twice and destroyed on A, there", m.of(m.a, "one"), "")
			})
		})
	}
}

// ttl: what an original's cookie says is when a session ends here.
func (m *move) ttl(sid string) {
	m.Helper()
	ttl, err := m.client.TTL(context.Background(), "sess:"+sid).Result()
	if err != nil || ttl < 50*time.Minute || ttl > 61*time.Minute {
		m.Errorf("ends in %v (%v), where its cookie says an hour", ttl, err)
	}
}

// TestAClusterMovesServerByServer does what docs/migration.md says.
func TestAClusterMovesServerByServer(t *testing.T) {
	run(t, "v4", func(m *move) {
		m.a, m.b = m.original(hostA), m.original(hostB)
		m.a.set("early", `{"user":"alice"}`)
		m.becomes("created on A, on B", m.of(m.b, "early"), `{"user":"alice"}`)
		m.refused("sessioncast bridge")

		m.stopOriginal(m.a) // the first server
		m.a = nil
		_, first := m.startServe(hostA, "web1", 1)
		m.client = first
		m.bridge = m.startBridge(hostA, "web1-bridge")
		m.joined(m.bridge, 2)
		m.becomes("what B knew, on the first", m.here("early"), `{"user":"alice"}`)
		m.b.set("old", `{"user":"bob"}`)
		m.becomes("created on B, on the first", m.here("old"), `{"user":"bob"}`)
		m.write("new", `"user":"carol"`)
		m.becomes("created on the first, on B", m.of(m.b, "new"), `{"user":"carol"}`)

		m.stopOriginal(m.b) // the second server
		m.b = nil
		_, second := m.startServe(hostB, "web2", 3)
		m.client = second
		for sid, user := range map[string]string{"early": "alice", "old": "bob", "new": "carol"} {
			m.becomes(sid+", on the second", m.here(sid), fmt.Sprintf(`{"user":"%s"}`, user))
		}
		m.stopBridge()
		m.bridge = nil
		m.client = first
		m.logout("early")
		m.client = second
		m.becomes("logged out on the first, on the second", m.here("early"), "")
	})
}

// TestServersGoBack does what docs/migration.md says of going back, after both servers have moved: the bridge goes last.
func TestServersGoBack(t *testing.T) {
	run(t, "v4", func(m *move) {
		first, client := m.startServe(hostA, "web1", 1)
		m.bridge = m.startBridge(ours, "the-bridge")
		m.joined(m.bridge, 2)
		second, _ := m.startServe(hostB, "web2", 3)
		m.client = client
		m.write("mine", `"user":"alice"`)

		m.stopDaemon(second)
		m.b = m.original(hostB)
		m.becomes("created before, on the server that went back", m.of(m.b, "mine"), `{"user":"alice"}`)
		m.b.set("theirs", `{"user":"bob"}`)
		m.becomes("created there, on the one that did not", m.here("theirs"), `{"user":"bob"}`)
		m.logout("mine")
		m.becomes("logged out here, there", m.of(m.b, "mine"), "")

		m.stopDaemon(first)
		m.a = m.original(hostA)
		m.becomes("created on B, on A which went back", m.of(m.a, "theirs"), `{"user":"bob"}`)
		m.stopBridge()
		m.bridge = nil
		m.a.set("again", `{"user":"carol"}`)
		m.becomes("created on A, on B, with nobody of ours left", m.of(m.b, "again"), `{"user":"carol"}`)
	})
}

// stopDaemon ends one as Ctrl-C does.
func (m *move) stopDaemon(d *rig.Daemon) {
	m.Helper()
	if code := d.Stop(m, syscall.SIGINT); code != 0 {
		m.Errorf("%s exited with %d:\n%s", d.Name, code, d.Log())
	}
}

// stopOriginal ends one as Ctrl-C does.
func (m *move) stopOriginal(o *original) {
	m.Helper()
	if code := o.Stop(m, syscall.SIGINT); code != 0 {
		m.Errorf("%s exited with %d", o.Name, code)
	}
}

// refused: serve with its defaults does not start beside originals, and says how to go on.
func (m *move) refused(want string) {
	m.Helper()
	out, err := m.site.Command(rig.In(m.net, ours), "serve", "--name", "early", "--key-file", m.site.KeyFile(), "--resp", "off", "--admin", "off")
	if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "--port 4100") {
		m.Errorf("serve beside originals: %v\n%s", err, out)
	}
}

func TestOneBridgeIsEnoughAndMayBeRestarted(t *testing.T) {
	run(t, "v4", func(m *move) {
		m.a = m.original(hostA)
		m.startOurs()
		m.a.set("one", `{"n":1}`)
		m.becomes("created on A, here", m.here("one"), `{"n":1}`)
		second := m.startBridge(later, "second")
		rig.Eventually(m, "a second bridge ends", func() bool { return !second.Running() })
		if !strings.Contains(second.Log(), "another bridge is in the originals' group, at "+m.net.Addr4(ours).String()) {
			m.Errorf("it did not say why:\n%s", second.Log())
		}
		m.bridge.Restart() // after kill -9: the originals know it still
		m.joined(m.bridge, 2)
		m.a.set("two", `{"n":2}`)
		m.becomes("created on A after a restart, here", m.here("two"), `{"n":2}`)
		m.write("three", `"n":3`)
		m.becomes("created here after a restart, on A", m.of(m.a, "three"), `{"n":3}`)
		if s := m.bridge.Status(); s.Bridge == nil || s.Bridge.Originals != 1 || s.Bridge.Taken != 1 || s.Bridge.Told != 1 {
			m.Errorf("status: %+v", s.Bridge)
		}
		if n := m.a.copies("one"); n != 1 {
			m.Errorf("A holds %d copies of what it had made", n)
		}
	})
}

// TestANewcomerGetsWhatOriginalsCannotTellIt gives more than an original's one datagram holds, which nobody gets from an original. On a machine that is busy
// with other tests an original may lose some of it, which it does not ask for again; so more than that one datagram could hold is enough here, and that all is
// sent is seen by the bridge's counters.
func TestANewcomerGetsWhatOriginalsCannotTellIt(t *testing.T) {
	run(t, "v4", func(m *move) {
		m.a = m.original(hostA)
		m.startOurs()
		const many, size, enough = 500, 1024, 200
		pipe := m.client.Pipeline()
		for i := range many {
			pipe.Set(context.Background(), fmt.Sprint("sess:many", i), session(fmt.Sprintf(`"pad":"%s"`, strings.Repeat("x", size))), time.Hour)
		}
		if _, err := pipe.Exec(context.Background()); err != nil {
			m.Fatal(err)
		}
		rig.Eventually(m, "all were told of", func() bool { return m.bridge.Status().Bridge.Told == many })
		rig.Eventually(m, "A has heard of them", func() bool { return m.a.count() >= enough })
		began := time.Now()
		m.b = m.original(hostB)
		rig.Eventually(m, "the newcomer was given all", func() bool { return m.bridge.Status().Bridge.Answers == many })
		rig.Eventually(m, "the newcomer has them", func() bool { return m.b.count() >= enough })
		m.Logf("A has %d sessions, the newcomer %d after %v", m.a.count(), m.b.count(), time.Since(began))
		if n := m.b.count(); n > many {
			m.Errorf("the newcomer holds %d, some twice", n)
		}
	})
}

func TestSessionsOfOriginalsAreFoundByTheirUser(t *testing.T) {
	run(t, "v4", func(m *move) {
		m.a = m.original(hostA)
		m.startOurs("--user-path", "passport.user")
		m.a.set("visit", `{"views":1}`)
		m.a.set("login", `{"passport":{"user":42}}`)
		m.becomes("logged in on A, here", m.here("login"), `{"passport":{"user":42}}`)
		ctx := context.Background()
		owned, err := m.client.Do(ctx, "SESSION", "OWNED", "42").StringSlice()
		if err != nil || len(owned) != 1 || owned[0] != "sess:login" {
			m.Fatalf("of user 42: %q, %v", owned, err)
		}
		if err := m.client.Do(ctx, "SESSION", "DESTROYOWNED", "42").Err(); err != nil {
			m.Fatal(err)
		}
		m.becomes("logged out everywhere, on A", m.of(m.a, "login"), "")
		if m.a.get("visit") == "" {
			m.Error("somebody else's session was ended")
		}
	})
}

func TestAStaleCopyUndoesNoChange(t *testing.T) {
	run(t, "v4", func(m *move) {
		m.a = m.original(hostA)
		m.startOurs()
		m.write("cart", `"items":1,"theme":"dark"`)
		m.becomes("created here, on A", m.of(m.a, "cart"), `{"items":1,"theme":"dark"}`)
		m.write("cart", `"items":3,"theme":"dark"`)
		m.a.set("cart", `{"items":1,"theme":"dark"}`) // a page view there
		m.a.set("cart", `{"items":1,"theme":"light"}`)
		m.becomes("changed on both sides", m.here("cart"), `{"items":3,"theme":"light"}`)
		if got := m.a.get("cart"); strings.Contains(got, "3") {
			m.Errorf("an original has taken an update: %s", got)
		}
	})
}

func TestALogoutHoldsThoughOriginalsHoldCopies(t *testing.T) {
	run(t, "v4", func(m *move) {
		m.a, m.b = m.original(hostA), m.original(hostB)
		m.startOurs()
		for i := range 4 {
			m.a.set("out", fmt.Sprintf(`{"user":"alice","n":%d}`, i))
		}
		m.becomes("created on A, here", m.here("out"), `{"n":3,"user":"alice"}`)
		if n := m.a.copies("out"); n != 4 {
			m.Fatalf("A holds %d copies, where it was saved 4 times", n)
		}
		m.logout("out")
		m.becomes("logged out here, on A", m.of(m.a, "out"), "")
		m.becomes("logged out here, on B", m.of(m.b, "out"), "")
		m.a.set("out", `{"user":"alice","n":9}`) // by a request that was under way there
		m.becomes("saved again on A", m.of(m.a, "out"), "")
		if got := m.read("out"); got != "" {
			m.Errorf("a logout was undone: %s", got)
		}
	})
}

func TestGarbageAndWhatIsTooMuchHarmNobody(t *testing.T) {
	run(t, "v4", func(m *move) {
		m.startOurs()
		m.garbage()
		m.a = m.original(hostA)
		m.write("ok", `"user":"alice"`)
		m.becomes("created here, on A", m.of(m.a, "ok"), `{"user":"alice"}`)
		m.write("large", fmt.Sprintf(`"pad":"%s"`, strings.Repeat("x", 66_000)))
		m.write("dots", `"a.b":1`)
		if err := m.client.Set(context.Background(), "sess:bare", "text", time.Hour).Err(); err != nil {
			m.Fatal(err)
		}
		if err := m.client.Set(context.Background(), "sess:cookie", `{"cookie":{"expires":"soon"}}`, time.Hour).Err(); err != nil {
			m.Fatal(err)
		}
		m.write("near", fmt.Sprintf(`"pad":"%s"`, strings.Repeat("x", 65_000)))
		rig.Eventually(m, "what fits arrives", func() bool { return m.a.get("near") != "" })
		for _, sid := range []string{"large", "dots", "bare", "cookie"} {
			if got := m.a.get(sid); got != "" {
				m.Errorf("%s reached an original: %.80s", sid, got)
			}
		}
		m.a.set("theirs", fmt.Sprintf(`{"pad":"%s"}`, strings.Repeat("x", 66_000)))
		m.a.set("after", `{"n":1}`)
		m.becomes("after one that was too large, here", m.here("after"), `{"n":1}`)
		if got := m.read("theirs"); got != "" {
			m.Errorf("more than a datagram arrived: %.80s", got)
		}
	})
}

var deepSession = `{"status":"new","type":"session","dataset":{"sid":"deep","session":` + strings.Repeat(`{"a":`, 5000) + "1" + strings.Repeat("}", 5000) + `}}`

// garbageTexts are what strangers may send.
var garbageTexts = []string{
	"x", "", "null", "[]", `"new"`, "{}", `{"status":"new"}`, `{"status":"new","type":"session"}`,
	`{"status":"new","type":"session","dataset":{"sid":{"$gt":""},"session":{}}}`, `{"status":"new","type":"session","dataset":{"sid":"bad","session":7}}`,
	`{"status":"new","type":"session","dataset":{"sid":"` + strings.Repeat("s", 600) + `","session":{"cookie":{}}}}`, deepSession,
	`{"status":"destroy","type":"session"}`, `{"status":"answer","type":"question","question":"existingSessions","sessions":[{"sid":"forced","session":{"cookie":{}}}]}`,
	`{"status":"new","type":"node","address":"255.255.255.255","port":4000}`, strings.Repeat("y", 60_000), "ÿþ",
}

// garbage sends it to the bridge.
func (m *move) garbage() {
	m.Helper()
	var conns []net.Conn
	rig.In(m.net, hostB).Do(func() {
		for _, to := range []string{"228.0.0.5:4000", m.net.Addr4(ours).String() + ":4000"} {
			c, err := net.Dial("udp4", to)
			if err != nil {
				m.Fatal(err)
			}
			conns = append(conns, c)
		}
	})
	for _, text := range garbageTexts {
		for _, c := range conns {
			if _, err := c.Write([]byte(text)); err != nil {
				m.Fatal(err)
			}
		}
	}
	for _, c := range conns {
		_ = c.Close()
	}
	for _, sid := range []string{"deep", "bad", "forced"} {
		if got := m.read(sid); got != "" {
			m.Errorf("%s was taken: %s", sid, got)
		}
	}
}
