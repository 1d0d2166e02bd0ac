package resp

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/sessioncast/sessioncast/internal/hlc"
	"github.com/sessioncast/sessioncast/internal/record"
	"github.com/sessioncast/sessioncast/internal/table"
)

// patience is how long what has to happen on real sockets may take on a machine with other things to do. A client has it for all of its test.
const patience = 2 * time.Minute

var testStart = time.Now()

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newTable(change ...func(*table.Config)) *table.Table {
	cfg := table.Config{
		Self:    record.Origin{Node: record.NodeID{1}, Incarnation: record.Incarnation{1}},
		Origins: new(record.Origins),
		Clock:   new(hlc.Clock),
		MaxSkew: 100 * time.Millisecond,
	}
	for _, f := range change {
		f(&cfg)
	}
	return table.New(cfg)
}

// serve starts a server that the test closes.
func serve(t testing.TB, change ...func(*Config)) *Server {
	t.Helper()
	cfg := Config{Listeners: []string{"127.0.0.1:0"}, Version: "test"}
	for _, f := range change {
		f(&cfg)
	}
	if cfg.Table == nil {
		cfg.Table = newTable()
	}
	s, err := Listen(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// bothMovers runs a test with the event loop and with goroutines for each connection.
func bothMovers(t *testing.T, body func(t *testing.T, mover func(*Config))) {
	t.Run("event loop", func(t *testing.T) { body(t, func(*Config) {}) })
	t.Run("goroutines", func(t *testing.T) { body(t, func(cfg *Config) { cfg.PerConnection = true }) })
}

// talk is a connection that a test speaks on.
type talk struct {
	t  testing.TB
	nc net.Conn
	r  *bufio.Reader
}

func dial(t testing.TB, addr string) *talk {
	t.Helper()
	network := "tcp"
	if path, ok := strings.CutPrefix(addr, unixPrefix); ok {
		network, addr = "unix", path
	}
	nc, err := net.DialTimeout(network, addr, patience)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	nc.SetDeadline(time.Now().Add(patience))
	return &talk{t, nc, bufio.NewReader(nc)}
}

func (k *talk) send(s string) {
	k.t.Helper()
	if _, err := io.WriteString(k.nc, s); err != nil {
		k.t.Fatal(err)
	}
}

// do sends one command of words and gives the whole raw reply.
func (k *talk) do(words ...string) string {
	k.t.Helper()
	k.send(encode(words...))
	return k.reply()
}

func (k *talk) want(reply string, words ...string) {
	k.t.Helper()
	if got := k.do(words...); got != reply {
		k.t.Errorf("%q answered %q, want %q", words, got, reply)
	}
}

func (k *talk) reply() string {
	k.t.Helper()
	var b bytes.Buffer
	if err := readReply(k.r, &b); err != nil {
		k.t.Fatalf("after %q: %v", b.String(), err)
	}
	return b.String()
}

// rest reads until the server closes.
func (k *talk) rest() string {
	k.t.Helper()
	b, err := io.ReadAll(k.r)
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		k.t.Fatalf("the connection stays open; so far %q", b)
	}
	return string(b)
}

func encode(words ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "*%d\r\n", len(words))
	for _, w := range words {
		fmt.Fprintf(&b, "$%d\r\n%s\r\n", len(w), w)
	}
	return b.String()
}

// readReply copies one reply of either protocol version.
func readReply(r *bufio.Reader, to *bytes.Buffer) error {
	line, err := r.ReadString('\n')
	to.WriteString(line)
	if err != nil {
		return err
	}
	n, _ := strconv.Atoi(strings.TrimSpace(line[1:]))
	switch line[0] {
	case '$', '=':
		if n < 0 {
			return nil
		}
		_, err := io.CopyN(to, r, int64(n)+2)
		return err
	case '%':
		n *= 2
		fallthrough
	case '*', '~', '>':
		for range n {
			if err := readReply(r, to); err != nil {
				return err
			}
		}
	case '+', '-', ':', '_', '#', ',', '(':
	default:
		return fmt.Errorf("not a reply: %q", line)
	}
	return nil
}

// startRedis runs a real redis-server on a Unix socket in a directory of its own, and on a port where asked.
func startRedis(t testing.TB, args ...string) (addr string) {
	t.Helper()
	bin, err := exec.LookPath("redis-server")
	if err != nil {
		t.Skip("SKIPPED: no redis-server is installed, so nothing is compared with Redis")
	}
	dir, err := os.MkdirTemp("", "redis")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "s")
	cmd := exec.Command(bin, append([]string{"--port", "0", "--unixsocket", path, "--save", "", "--dir", dir}, args...)...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		os.RemoveAll(dir)
	})
	eventually(t, "redis-server answers", func() bool {
		nc, err := net.Dial("unix", path)
		if err == nil {
			nc.Close()
		}
		return err == nil
	})
	return unixPrefix + path
}

// eventually polls for what another process or the kernel does.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for range 100 { // most of it is a matter of microseconds
		if ok() {
			return
		}
		runtime.Gosched()
	}
	deadline := time.Now().Add(patience)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("not in time: %s", what)
		}
		<-tick.C
	}
}
