//go:build linux

package bridge

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/ipv4"

	"github.com/sessioncast/sessioncast/internal/bridge"
	"github.com/sessioncast/sessioncast/test/rig"
)

// witness is a newcomer in the originals' group that reads what the bridge sends to all and to it, as an original would.
type witness struct {
	m    *move
	from netip.Addr // the bridge's
	own  *net.UDPConn

	mu    sync.Mutex
	seen  int
	large int
	sids  map[string]bool
	bad   []string
}

const originalsGroup = "228.0.0.5:4000"

// watch starts one on a host.
func (m *move) watch(host int) *witness {
	m.Helper()
	w := &witness{m: m, from: m.net.Addr4(ours), sids: map[string]bool{}}
	rig.In(m.net, host).Do(func() {
		eth0, err := net.InterfaceByName("eth0")
		if err != nil {
			m.Fatal(err)
		}
		if w.own, err = net.ListenUDP("udp4", &net.UDPAddr{Port: 4000}); err != nil {
			m.Fatal(err)
		}
		group := net.UDPAddrFromAddrPort(netip.MustParseAddrPort(originalsGroup))
		if err = ipv4.NewPacketConn(w.own).JoinGroup(eth0, group); err != nil {
			m.Fatal(err)
		}
	})
	_ = w.own.SetReadBuffer(4 << 20)
	var reading sync.WaitGroup
	reading.Go(w.read)
	m.Cleanup(func() {
		_ = w.own.Close()
		reading.Wait()
	})
	return w
}

func (w *witness) read() {
	buf := make([]byte, 1<<16)
	for {
		n, from, err := w.own.ReadFromUDPAddrPort(buf)
		if err != nil {
			return
		}
		if from.Addr().Unmap() == w.from {
			w.judge(bytes.Clone(buf[:n]))
		}
	}
}

// judge looks at a datagram as an original does: it dies of what is no JSON object, and keeps what would have it die later.
func (w *witness) judge(text []byte) {
	var d struct {
		Status, Type string
		Dataset      *entry
		Sessions     []entry
	}
	err := json.Unmarshal(text, &d)
	kind := d.Status + " " + d.Type
	known := strings.Contains(" new node, destroy node, new greeting, new question, answer question, new session, destroy session,", " "+kind+",")
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen++
	w.large = max(w.large, len(text))
	if err != nil || text[0] != '{' || !known || (kind == "new session") != (d.Dataset != nil) {
		w.bad = append(w.bad, fmt.Sprintf("%v: %.200q", err, text))
		return
	}
	if d.Dataset != nil {
		d.Sessions = append(d.Sessions, *d.Dataset)
	}
	for _, s := range d.Sessions {
		w.sids[s.SID] = true
		if err := bridge.Fits(s.Session); err != nil {
			w.bad = append(w.bad, fmt.Sprintf("%v: %.200q", err, text))
		}
	}
}

// entry is a session in a message.
type entry struct {
	SID     string
	Session json.RawMessage
}

// says sends a datagram to the group, as an original does.
func (w *witness) says(text string) {
	w.m.Helper()
	if _, err := w.own.WriteToUDPAddrPort([]byte(text), netip.MustParseAddrPort(originalsGroup)); err != nil {
		w.m.Fatal(err)
	}
}

// knows counts the sessions of a prefix that it was told of.
func (w *witness) knows(prefix string) (n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for sid := range w.sids {
		if strings.HasPrefix(sid, prefix) {
			n++
		}
	}
	return n
}

func (w *witness) verdict() {
	w.m.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.m.Logf("%d datagrams of the bridge were seen, the longest of %d bytes", w.seen, w.large)
	if len(w.bad) > 0 {
		w.m.Errorf("%d of %d datagrams are such that originals die of them, as %s", len(w.bad), w.seen, w.bad[0])
	}
}

// Sessions on each side, and how many of them an original has to have at last: on a busy machine it loses some, which it does not ask for again.
const (
	faultMany   = 400
	faultEnough = faultMany / 2
)

// TestABridgeUnderFaults kills the bridge and an original while each side tells the other of its sessions, among garbage, sessions that are too large and sessions without
// a cookie. Nobody dies of it, and all that can be told is told in the end.
func TestABridgeUnderFaults(t *testing.T) {
	run(t, "v4", func(m *move) {
		m.a, m.b = m.original(hostA), m.original(hostB)
		m.startOurs()
		w := m.watch(later)
		w.says(fmt.Sprintf(`{"status":"new","type":"node","address":"%s","port":4000}`, m.net.Addr4(later)))
		large, near := strings.Repeat("x", 66_000), strings.Repeat("x", 60_000)
		m.write("large", fmt.Sprintf(`"pad":"%s"`, large))
		m.a.set("their large", fmt.Sprintf(`{"pad":"%s"}`, large))
		m.write("near", fmt.Sprintf(`"pad":"%s"`, near))
		m.a.set("their near", fmt.Sprintf(`{"pad":"%s"}`, near))
		m.becomes("of nearly a datagram, here", m.here("their near"), fmt.Sprintf(`{"pad":"%s"}`, near))
		m.becomes("of nearly a datagram, there", m.of(m.a, "near"), fmt.Sprintf(`{"pad":"%s"}`, near))
		m.writeMany("ours", faultMany)
		m.a.ask(map[string]any{"op": "many", "sid": "theirs", "count": faultMany, "size": 100})
		rig.Eventually(m, "it tells of some", func() bool { return w.knows("ours") > faultMany/10 })

		m.bridge.Restart() // kill -9
		m.strangers()
		w.says(`{"status":"new","type":"session","dataset":{"sid":"bare","session":{"user":"mallory"}}}`)
		w.says(`{"status":"new","type":"session","dataset":{"sid":"odd","session":{"cookie":7,"user":"mallory"}}}`)
		m.joined(m.bridge, 2)
		rig.Eventually(m, "all were told of", func() bool { return w.knows("ours") == faultMany })

		m.b.Kill() // without a goodbye
		m.b = m.original(hostB)
		rig.Eventually(m, "an original that was killed and started again is given them", func() bool { return m.b.count() >= faultEnough })
		m.a.set("last", `{"user":"alice"}`)
		m.becomes("created on A after all that, here", m.here("last"), `{"user":"alice"}`)
		m.write("ours last", `"user":"bob"`)
		m.becomes("created here after all that, on A", m.of(m.a, "ours last"), `{"user":"bob"}`)
		for _, sid := range []string{"bare", "odd", "their large"} {
			if got := m.read(sid); got != "" {
				m.Errorf("%s was taken: %.80s", sid, got)
			}
		}
		if w.knows("near") != 1 {
			m.Error("a session of nearly a datagram was not told of")
		}
		if w.knows("large") != 0 {
			m.Error("a session that no datagram holds was told of")
		}
		w.verdict()
		if s := m.bridge.Status().Bridge; s == nil || s.Originals < 2 {
			m.Errorf("status: %+v", s)
		}
	})
}

// strangers sends garbage from a host with an original, to the bridge alone: the originals would die of it.
func (m *move) strangers() {
	m.Helper()
	rig.In(m.net, hostB).Do(func() {
		c, err := net.Dial("udp4", m.net.Addr4(ours).String()+":4000")
		if err != nil {
			m.Fatal(err)
		}
		defer c.Close()
		for _, text := range garbageTexts {
			_, _ = c.Write([]byte(text)) // refused while the bridge is away
		}
	})
}

func (m *move) writeMany(prefix string, n int) {
	m.Helper()
	pipe := m.client.Pipeline()
	for i := range n {
		pipe.Set(context.Background(), fmt.Sprint("sess:", prefix, i), session(`"n":1`), time.Hour)
	}
	if _, err := pipe.Exec(context.Background()); err != nil {
		m.Fatal(err)
	}
}
