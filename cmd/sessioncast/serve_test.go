//go:build unix

package main

import (
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

func TestSessionWrittenOnOneDaemonIsReadOnTheOthers(t *testing.T) {
	w := newWorld(t)
	list := w.cluster("a", "b", "c")
	a, b, c := list[0].client(), list[1].client(), list[2].client()
	const id, content, later = "sess:4f9a2c71e0d8", "content-of-ada", "content-of-ada-later"
	if err := a.Set(t.Context(), id, content, time.Minute).Err(); err != nil {
		t.Fatal(err)
	}
	w.has(b, id, content)
	w.has(c, id, content)
	if err := b.Set(t.Context(), id, later, time.Minute).Err(); err != nil {
		t.Fatal(err)
	}
	w.has(a, id, later)
	w.has(c, id, later)
	if n := list[0].status().Sessions; n != 1 {
		t.Errorf("%d sessions counted", n)
	}
	if err := c.Del(t.Context(), id).Err(); err != nil {
		t.Fatal(err)
	}
	w.has(a, id, "")
	w.has(b, id, "")
	if err := b.Set(t.Context(), id+"-refused", strings.Repeat(content, 100_000), time.Minute).Err(); err == nil {
		t.Error("a session of 1.4 MB was taken")
	}
	for _, d := range list {
		if code := d.stop(syscall.SIGTERM); code != 0 {
			t.Errorf("%s ended with %d", d.name, code)
		}
		for _, secret := range []string{id, "4f9a2c71", content} {
			if strings.Contains(d.log.String(), secret) {
				t.Errorf("the log of %s holds %s", d.name, secret)
			}
		}
	}
}

func TestKilledDaemonHasEverySessionAgainWhenItRestarts(t *testing.T) {
	w := newWorld(t)
	list := w.cluster("a", "b")
	client := list[0].client()
	pipe := client.Pipeline()
	for i := range 500 {
		pipe.Set(t.Context(), fmt.Sprint("sess:", i), fmt.Sprint("value ", i), time.Minute)
	}
	if _, err := pipe.Exec(t.Context()); err != nil {
		t.Fatal(err)
	}
	list[1].stop(syscall.SIGKILL)
	again := w.serve("b", nil)
	again.waitFor(2)
	if n := again.status().Sessions; n != 500 {
		t.Errorf("%d of 500 sessions are there", n)
	}
	w.has(again.client(), "sess:499", "value 499")
}

func TestDaemonsWithDifferentKeysShareNothingAndSaySoOnce(t *testing.T) {
	w := newWorld(t)
	a := w.cluster("a")[0]
	key := make([]byte, 32)
	_, _ = rand.Read(key)
	b := w.serve("b", []string{fmt.Sprintf("SESSIONCAST_KEY=%x", key)})
	b.waitFor(1)
	if err := a.client().Set(t.Context(), "sess:1", "secret", time.Minute).Err(); err != nil {
		t.Fatal(err)
	}
	w.eventually("both alarm and drop", func() bool {
		return strings.Contains(a.log.String(), "another cluster key") && strings.Contains(b.log.String(), "another cluster key") &&
			a.status().Counters.Drops["key"] > 3 && b.status().Counters.Drops["key"] > 3
	})
	for _, d := range []*process{a, b} {
		if n := strings.Count(d.log.String(), "another cluster key"); n != 1 {
			t.Errorf("%s says it %d times", d.name, n)
		}
		s := d.status()
		if len(s.Members) != 1 || !slices.ContainsFunc(s.Findings, func(f string) bool { return strings.Contains(f, "another cluster key") }) {
			t.Errorf("%s: members %v, findings %q", d.name, s.Members, s.Findings)
		}
	}
	if err := b.client().Get(t.Context(), "sess:1").Err(); err != redis.Nil {
		t.Errorf("the session crossed: %v", err)
	}
	for _, secret := range []string{fmt.Sprintf("%x", key)} {
		if strings.Contains(b.log.String(), secret) {
			t.Error("the log holds the key")
		}
	}
}

func TestTerminatedDaemonLeavesNothingBehind(t *testing.T) {
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		t.Run(signal.String(), func(t *testing.T) {
			w := newWorld(t)
			a, b := w.serve("a", nil, "--ack", "0"), w.serve("b", nil)
			a.waitFor(2)
			b.waitFor(2)
			pipe := a.client().Pipeline()
			for i := range 2_000 {
				pipe.Set(t.Context(), fmt.Sprint("sess:", i), strings.Repeat("x", 500), time.Minute)
			}
			if _, err := pipe.Exec(t.Context()); err != nil {
				t.Fatal(err)
			}
			if code := a.stop(signal); code != 0 {
				t.Errorf("exit code %d", code)
			}
			if n := b.status().Sessions; n != 2_000 {
				t.Errorf("%d of 2000 sessions reached the peer before the end", n)
			}
			w.eventually("the peer says that it left", func() bool { return strings.Contains(b.log.String(), "peer left  peer=a") })
			if s := b.status(); len(s.Members) != 2 || s.Members[1].State != "left" {
				t.Errorf("members %+v", s.Members)
			}
		})
	}
}

func TestADaemonThatLingersLeavesAfterItsLastClient(t *testing.T) {
	w := newWorld(t)
	a := w.serve("a", []string{"SESSIONCAST_BINARY=any"}, "--linger", "10s")
	a.waitFor(1)
	client := a.client() // stays connected while everything else takes its time
	if err := client.Ping(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	b := w.serve("b", nil)
	b.waitFor(2)
	if err := client.Set(t.Context(), "sess:1", "x", time.Minute).Err(); err != nil {
		t.Fatal(err)
	}
	if err := client.Close(); err != nil {
		t.Fatal(err)
	}
	a.ended()
	if code := a.cmd.ProcessState.ExitCode(); code != 0 || !strings.Contains(a.log.String(), "no client is connected any more") {
		t.Errorf("a ended with %d", code)
	}
	w.eventually("the peer says that it left", func() bool { return strings.Contains(b.log.String(), "peer left  peer=a") })
}

func TestSecondSignalEndsAtOnce(t *testing.T) {
	w := newWorld(t)
	list := w.cluster("a", "b")
	a, b := list[0], list[1]
	if err := b.cmd.Process.Signal(syscall.SIGSTOP); err != nil { // so that a's last change is confirmed by nobody
		t.Fatal(err)
	}
	defer func() { _ = b.cmd.Process.Signal(syscall.SIGCONT) }()
	if err := a.client().Set(t.Context(), "sess:1", "x", time.Minute).Err(); err != nil {
		t.Fatal(err)
	}
	if err := a.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	w.eventually("a drains", func() bool { return strings.Contains(a.log.String(), "leaving") })
	if code := a.stop(syscall.SIGTERM); code != -1 {
		t.Errorf("a ended with code %d, and not by the signal", code)
	}
	if log := a.log.String(); !strings.Contains(log, "ending at once, by a second signal: ") || !strings.Contains(log, "lost") {
		t.Errorf("a does not say what it takes along:\n%s", log)
	}
}

func TestGarbageMovesCountersAndNothingElse(t *testing.T) {
	w := newWorld(t)
	a := w.cluster("a", "b")[0]
	before := w.healthy(a)
	garbage := func(n int) []byte {
		b := make([]byte, n)
		_, _ = rand.Read(b)
		return b
	}
	for _, to := range []string{before.Group, before.Address} {
		conn := dialUDP(t, to)
		for i := range 100 {
			_, _ = conn.Write(garbage(1 + i*14))
		}
		_, _ = conn.Write(append([]byte("SCv1"), garbage(200)...))
		_, _ = conn.Write([]byte(`{"status":"new","type":"node","address":"127.0.0.1","port":4000}`))
	}
	for _, to := range []string{before.Address, before.Clients[0]} {
		for i := range 20 {
			conn, err := net.Dial("tcp", to)
			if err != nil {
				t.Fatal(err)
			}
			_, _ = conn.Write(append(garbage(i*50), "\r\nHost: evil\r\n\r\n"...))
			_ = conn.Close()
		}
	}
	w.eventually("drops are counted", func() bool {
		drops := a.status().Counters.Drops
		return drops["short"]+drops["foreign"]+drops["original"] >= 200 && drops["stream_garbage"] > 0 && drops["client_protocol"]+drops["client_http"] > 0
	})
	w.healthy(a)
	client := a.client()
	if err := client.Set(t.Context(), "sess:1", "alive", time.Minute).Err(); err != nil {
		t.Error(err)
	}
	w.has(client, "sess:1", "alive")
}

// dialUDP sends by loopback, to groups too.
func dialUDP(t *testing.T, to string) *net.UDPConn {
	t.Helper()
	addr, err := net.ResolveUDPAddr("udp4", to)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.DialUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}, addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func TestStartFailsWithWhatToDo(t *testing.T) {
	w := newWorld(t)
	a := w.cluster("a")[0]
	clients, api := a.status().Clients[0], strings.TrimPrefix(a.status().Admin, "http://")
	for _, test := range []struct {
		name string
		args []string
		want []string
	}{
		{"a", []string{"--resp", "off"}, []string{"a daemon named a runs on this host already", "--name a-2"}},
		{"b", []string{"--resp", clients}, []string{clients + " is taken", "--resp 127.0.0.1:"}},
		{"b", []string{"--resp", "off", "--admin", api}, []string{"--admin " + api, "is free"}},
		{"b", []string{"--resp", "off", "--address", "192.0.2.1"}, []string{"192.0.2.1", "127.0.0.1"}},
	} {
		d := w.serve(test.name, nil, test.args...)
		d.ended()
		if code := d.cmd.ProcessState.ExitCode(); code != 1 {
			t.Errorf("%q: exit code %d", test.args, code)
		}
		for _, want := range test.want {
			if log := d.log.String(); !strings.Contains(log, want) || strings.Count(log, "\n") != 1 {
				t.Errorf("%q: wants one line with %q: %s", test.args, want, log)
			}
		}
	}
	if s := a.status(); len(s.Members) != 1 {
		t.Errorf("the failed starts were heard by the cluster: %+v", s.Members)
	}
}

func TestStatusFindsTheDaemonThatIsMeant(t *testing.T) {
	w := newWorld(t)
	status := func(args ...string) (string, int) {
		cmd := w.command(nil, append([]string{"status"}, args...)...)
		out, _ := cmd.CombinedOutput()
		return string(out), cmd.ProcessState.ExitCode()
	}
	if out, code := status(); code != 1 || !strings.Contains(out, "start one with: sessioncast serve") {
		t.Errorf("none: %d %s", code, out)
	}
	a := w.cluster("a")[0]
	if out, code := status(); code != 0 || !strings.HasPrefix(out, "Synced, but alone: ") {
		t.Errorf("the only one: %d %s", code, out)
	}
	if out, code := status("--name", "b"); code != 1 || !strings.Contains(out, "these do: a") {
		t.Errorf("another name: %d %s", code, out)
	}
	if out, code := status("--admin", strings.TrimPrefix(a.status().Admin, "http://")); code != 0 || !strings.Contains(out, "Node       a ") {
		t.Errorf("by address: %d %s", code, out)
	}
	b := w.serve("b", nil)
	b.waitFor(2)
	if out, code := status(); code != 2 || !strings.Contains(out, "--name: a or b") {
		t.Errorf("two: %d %s", code, out)
	}
	w.healthy(b)
	out, code := status("--name", "b")
	if code != 0 || !strings.HasPrefix(out, "2 of 2 members ") {
		t.Errorf("by name: %d %s", code, out)
	}
	for line := range strings.Lines(out) {
		if len(line) > 81 {
			t.Errorf("more than 80 columns: %s", line)
		}
	}
}

func TestWaitSaysWhatIsMissing(t *testing.T) {
	w := newWorld(t)
	w.cluster("a")
	out, err := w.command(nil, "wait", "--members", "3", "--synced", "--timeout", "300ms").CombinedOutput()
	if err == nil || !strings.Contains(string(out), "after 300ms not 3 members, all synced: Synced, but alone") {
		t.Errorf("%v: %s", err, out)
	}
	if out, err := w.command(nil, "wait").CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("for itself: %v: %s", err, out)
	}
}

func TestSystemdIsToldWhenTheNodeIsSynced(t *testing.T) {
	w := newWorld(t)
	path := filepath.Join(w.dir, "notify")
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path})
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	a := w.serve("a", []string{"NOTIFY_SOCKET=" + path})
	told := readUntil(t, socket, "READY=1")
	if strings.Contains(told, "STOPPING") || !strings.Contains(told, "STATUS=") {
		t.Errorf("told %q", told)
	}
	if s := a.status(); !s.Ready {
		t.Errorf("READY=1 of a node that is not: %+v", s)
	}
	a.stop(syscall.SIGTERM)
	readUntil(t, socket, "STOPPING=1")
}

func readUntil(t *testing.T, socket *net.UnixConn, want string) (all string) {
	t.Helper()
	_ = socket.SetReadDeadline(time.Now().Add(patience))
	buffer := make([]byte, 4096)
	for !strings.Contains(all, want) {
		n, err := socket.Read(buffer)
		if err != nil {
			t.Fatalf("no %s: %v; told %q", want, err, all)
		}
		all += string(buffer[:n]) + "\n"
	}
	return all
}

func TestAPIAnswersOverHTTP(t *testing.T) {
	w := newWorld(t)
	api := w.cluster("a")[0].status().Admin
	for path, want := range map[string]string{"/healthz": "ok", "/readyz": `"ready": true`, "/metrics": "sessioncast_ready 1", "/v1/status": `"node": "a"`} {
		resp, err := http.Get(api + path)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil || resp.StatusCode != 200 || !strings.Contains(string(body), want) {
			t.Errorf("%s: %v %s, wants %q: %s", path, err, resp.Status, want, body)
		}
	}
}

func TestStartPageTellsHowToGoOn(t *testing.T) {
	w := newWorld(t)
	log := w.cluster("a")[0].log.String()
	for _, want := range []string{
		"Node       a (", "127.0.0.1 on lo: the interface is configured", "(made just now)", "Redis      127.0.0.1:", "Admin      http://127.0.0.1:40",
		"run/sessioncast/a.sock", "No other host can join over loopback. Start a second node on this one:\n", " serve --name=a-2 --resp=127.0.0.1:6380 --group=239.255.", " --interface=lo\n", "nft add rule inet filter input iifname \"lo\" ip daddr 239.255.",
		"udp dport", "tcp dport", "iptables -A INPUT",
	} {
		if !strings.Contains(log, want) {
			t.Errorf("no %q in\n%s", want, log)
		}
	}
	key, err := os.ReadFile(filepath.Join(w.dir, "config", "sessioncast", "key"))
	if err != nil {
		t.Fatal(err)
	}
	for word := range strings.FieldsSeq(string(key)) {
		if len(word) == 64 && strings.Contains(log, word) {
			t.Error("the start page shows the key")
		}
	}
}
