package memory

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sessioncast/sessioncast/test/rig"
)

func TestMain(m *testing.M) { rig.Main(m) }

// patience is how long anything here may take.
const patience = 3 * time.Minute

// freePort is a port that nobody had a moment ago.
func freePort(tb testing.TB) int {
	tb.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return min(l.Addr().(*net.TCPAddr).Port, 65_000) // room for more above it
}

// server is a running Redis server, theirs or ours.
type server struct {
	*rig.Process
	addr string
}

func startRedis(tb testing.TB, name string, more ...string) *server {
	tb.Helper()
	rig.Need(tb, "redis-server", "redis-server")
	port := freePort(tb)
	args := append([]string{
		"--bind", "127.0.0.1", "--port", strconv.Itoa(port), "--save", "", "--appendonly", "no", "--dir", tb.TempDir(),
		"--repl-diskless-sync", "yes", "--repl-diskless-sync-delay", "0", "--repl-diskless-load", "on-empty-db",
	}, more...)
	s := &server{rig.Start(tb, rig.Here, name, exec.Command("redis-server", args...)), fmt.Sprintf("127.0.0.1:%d", port)}
	rig.Within(tb, patience, name+" answers", func() bool { return s.ask("GET", "none") == "$-1" })
	return s
}

// ours starts daemons of one cluster.
type cluster struct {
	site  *rig.Site
	flags []string
}

func newCluster(tb testing.TB) *cluster {
	return &cluster{rig.NewSite(tb), []string{
		"--address", "127.0.0.1", "--port", strconv.Itoa(freePort(tb)), "--cluster", fmt.Sprint(tb.Name(), os.Getpid()),
		"--log-level", "info", "--admin", "off",
	}}
}

func (c *cluster) start(tb testing.TB, name string, more ...string) *server {
	tb.Helper()
	port := freePort(tb)
	s := &server{addr: fmt.Sprintf("127.0.0.1:%d", port)}
	s.Process = c.site.Serve(rig.Here, name, append(append(c.flags, "--resp", s.addr), more...)...).Process
	rig.Within(tb, patience, name+" is synced", func() bool { return s.ask("GET", "none") == "$-1" })
	return s
}

// ask sends one command and returns the first line of the reply, or "" where there is none yet.
func (s *server) ask(command ...string) string {
	c, err := net.Dial("tcp", s.addr)
	if err != nil {
		return ""
	}
	defer func() { _ = c.Close() }()
	_, _ = c.Write(resp(nil, command...))
	r := bufio.NewReader(c)
	line, _ := r.ReadString('\n')
	if n, err := strconv.Atoi(strings.TrimSpace(strings.TrimPrefix(line, "$"))); line != "" && line[0] == '$' && err == nil && n > 0 {
		body := make([]byte, n)
		_, _ = io.ReadFull(r, body)
		return string(body)
	}
	return strings.TrimSpace(line)
}

// resp appends a command.
func resp(b []byte, args ...string) []byte {
	b = fmt.Appendf(b, "*%d\r\n", len(args))
	for _, a := range args {
		b = fmt.Appendf(b, "$%d\r\n", len(a))
		b = append(append(b, a...), '\r', '\n')
	}
	return b
}

// rss is what the process holds of the machine's memory, in bytes.
func (s *server) rss(tb testing.TB) int64 { return status(tb, s.PID(), "VmRSS:") }

func status(tb testing.TB, pid int, field string) int64 {
	tb.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		tb.Skip("no /proc: ", err)
	}
	for line := range strings.Lines(string(text)) {
		if rest, is := strings.CutPrefix(line, field); is {
			kib, _ := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			return kib << 10
		}
	}
	tb.Fatal("no ", field)
	return 0
}

// flood sends SETEX commands for numbers from first on, in pipelines, and counts the replies that are no +OK.
func (s *server) flood(tb testing.TB, first, count int, value string) (refused int) {
	tb.Helper()
	c, err := net.Dial("tcp", s.addr)
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	in := bufio.NewReaderSize(c, 64<<10)
	const pipeline = 64
	var out []byte
	for at := 0; at < count; at += pipeline {
		out = out[:0]
		n := min(pipeline, count-at)
		for i := range n {
			out = resp(out, "SETEX", key(first+at+i), "3600", value)
		}
		if _, err := c.Write(out); err != nil {
			tb.Fatal(err)
		}
		for range n {
			line, err := in.ReadString('\n')
			if err != nil {
				tb.Fatal(err)
			}
			if line != "+OK\r\n" {
				refused++
			}
		}
	}
	return refused
}

// key is 37 bytes, as "sess:" and 32 hexadecimal digits.
func key(n int) string { return fmt.Sprintf("sess:%032x", uint64(n)*0x9e3779b97f4a7c15) }
