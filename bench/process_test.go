package bench

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sessioncast/sessioncast"
)

// victimVariable makes the test binary a node, of that port and name, until its standard input ends.
const victimVariable = "SCBENCH_NODE"

func TestMain(m *testing.M) {
	if port, name, is := strings.Cut(os.Getenv(victimVariable), "/"); is {
		beVictim(port, name)
		return
	}
	os.Exit(m.Run())
}

func beVictim(port, name string) {
	p, _ := strconv.Atoi(port)
	n, err := sessioncast.Open(context.Background(), benchConfig(p, name))
	if err != nil {
		_, _ = os.Stderr.WriteString(err.Error() + "\n")
		os.Exit(1)
	}
	defer func() { _ = n.Close() }()
	_, _ = os.Stdout.WriteString("synced\n")
	_, _ = io.Copy(io.Discard, os.Stdin)
}

func benchConfig(port int, name string) sessioncast.Config {
	return sessioncast.Config{
		Name: name, Key: []byte("0123456789abcdef0123456789abcdef"), Port: port,
		Address: netip.MustParseAddr("127.0.0.1"), Group: netip.MustParseAddr("239.255.70.7"),
		Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
	}
}

// victim is a node in a process of its own.
type victim struct {
	cmd  *exec.Cmd
	name string
}

// startVictim returns when the node is synced.
func startVictim(b *testing.B, port int, name string) *victim {
	b.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), victimVariable+"="+strconv.Itoa(port)+"/"+name)
	cmd.Stderr = os.Stderr
	if _, err := cmd.StdinPipe(); err != nil { // kept open by cmd
		b.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	v := &victim{cmd, name}
	b.Cleanup(v.kill)
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		b.Fatal("the victim says ", line, err)
	}
	return v
}

func (v *victim) kill() {
	_ = v.cmd.Process.Kill()
	_ = v.cmd.Wait()
}

// until polls a condition of a real network.
func until(b *testing.B, what string, cond func() bool) {
	b.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for !cond() {
		if time.Now().After(deadline) {
			b.Fatal("not within 30 s: ", what)
		}
		<-time.After(time.Millisecond)
	}
}
