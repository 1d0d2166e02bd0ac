package daemons

import (
	"context"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sessioncast/sessioncast/internal/admin"
	"github.com/sessioncast/sessioncast/test/rig"
)

func TestMain(m *testing.M) { rig.Main(m) }

// local is three daemons on this host's loopback, each with a client.
type local struct {
	daemons []*rig.Daemon
	clients []*redis.Client
}

const members = 3

func startLocal(t *testing.T, more ...string) *local {
	t.Helper()
	site := rig.NewSite(t)
	flags := []string{
		"--address", "127.0.0.1", "--port", fmt.Sprint(freePort(t)), "--cluster", fmt.Sprintf("%s-%d", t.Name(), os.Getpid()),
		"--ack", "all", "--ack-timeout", "5s",
	}
	flags = append(flags, more...)
	l := &local{}
	for i := range members {
		l.daemons = append(l.daemons, site.Serve(rig.Here, fmt.Sprint("node", i), append(flags, "--resp", "127.0.0.1:0")...))
	}
	rig.WaitAll(l.daemons)
	for _, d := range l.daemons {
		c := redis.NewClient(&redis.Options{Addr: d.Status().Clients[0]})
		t.Cleanup(func() { _ = c.Close() })
		l.clients = append(l.clients, c)
	}
	return l
}

// freePort is a port for a group that nobody had a moment ago. The nodes' own ports are the next free ones.
func freePort(t *testing.T) (port int) {
	t.Helper()
	c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	return min(c.LocalAddr().(*net.UDPAddr).Port, 65_000) // room for the nodes' own above it
}

func background(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), rig.Patience)
	t.Cleanup(cancel)
	return ctx
}

func TestGoRedisClientsOfThreeDaemonsShareSessions(t *testing.T) {
	l := startLocal(t)
	t.Run("a session set on one is read on all", l.set)
	t.Run("a pipeline is read on all", l.pipeline)
	t.Run("a lifetime is the same on all", l.lifetime)
	t.Run("a transaction is read on all", l.transaction)
	t.Run("WAIT counts the peers", l.wait)
	t.Run("a logout holds against a late SET", l.logout)
	t.Run("databases are apart", l.databases)
	t.Run("SCAN finds every key on every node", l.scan)
	t.Run("a watching client hears of a change elsewhere", l.tracking)
}

// all waits until something holds of every daemon. A write waits for the others; but for one that a busy machine keeps from answering it does not.
func (l *local) all(t *testing.T, what string, holds func(*redis.Client) bool) {
	t.Helper()
	for i, c := range l.clients {
		rig.Eventually(t, fmt.Sprintf("node %d %s", i, what), func() bool { return holds(c) })
	}
}

func (l *local) set(t *testing.T) {
	ctx := background(t)
	if err := l.clients[0].Set(ctx, "s", "alice", time.Hour).Err(); err != nil {
		t.Fatal(err)
	}
	l.all(t, "has what was set", func(c *redis.Client) bool { return c.Get(ctx, "s").Val() == "alice" })
	if err := l.clients[1].Del(ctx, "s").Err(); err != nil {
		t.Fatal(err)
	}
	l.all(t, "has it no more after DEL", func(c *redis.Client) bool { return c.Get(ctx, "s").Err() == redis.Nil })
}

func (l *local) pipeline(t *testing.T) {
	ctx := background(t)
	const many = 1000
	_, err := l.clients[0].Pipelined(ctx, func(p redis.Pipeliner) error {
		for i := range many {
			p.SetEx(ctx, fmt.Sprint("p", i), i, time.Hour)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	keys := make([]string, many)
	for i := range keys {
		keys[i] = fmt.Sprint("p", i)
	}
	l.all(t, "has every key of the pipeline", func(c *redis.Client) bool {
		values, err := c.MGet(ctx, keys...).Result()
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range values {
			if v != fmt.Sprint(i) {
				return false
			}
		}
		return true
	})
}

func (l *local) lifetime(t *testing.T) {
	ctx := background(t)
	l.clients[0].Set(ctx, "ttl", "x", 100*time.Second)
	l.all(t, "has it", func(c *redis.Client) bool { return c.Exists(ctx, "ttl").Val() == 1 })
	began := time.Now()
	if ok, err := l.clients[1].Expire(ctx, "ttl", 300*time.Second).Result(); !ok {
		t.Fatal(ok, err)
	}
	l.all(t, "has a lifetime of 300 s", func(c *redis.Client) bool {
		got := c.TTL(ctx, "ttl").Val()
		return got > 299*time.Second-time.Since(began) && got <= 300*time.Second
	})
	l.clients[2].PExpire(ctx, "ttl", 50*time.Millisecond)
	for i, c := range l.clients {
		rig.Eventually(t, fmt.Sprintf("node %d lets it expire", i), func() bool { return c.Exists(ctx, "ttl").Val() == 0 })
	}
}

func (l *local) transaction(t *testing.T) {
	ctx := background(t)
	_, err := l.clients[2].TxPipelined(ctx, func(p redis.Pipeliner) error {
		p.Set(ctx, "tx", "1", 0)
		p.PExpireAt(ctx, "tx", time.Now().Add(time.Hour))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	l.all(t, "has it for an hour", func(c *redis.Client) bool {
		return c.TTL(ctx, "tx").Val() > 58*time.Minute && c.Get(ctx, "tx").Val() == "1"
	})
}

func (l *local) wait(t *testing.T) {
	ctx := background(t)
	conn := l.clients[0].Conn()
	defer conn.Close()
	conn.Set(ctx, "w", "1", time.Hour)
	if peers, err := conn.Wait(ctx, members-1, rig.Patience).Result(); peers != members-1 {
		t.Errorf("WAIT answers %d, %v", peers, err)
	}
}

func (l *local) logout(t *testing.T) {
	ctx := background(t)
	l.clients[0].Set(ctx, "out", "1", time.Hour)
	l.all(t, "has it", func(c *redis.Client) bool { return c.Exists(ctx, "out").Val() == 1 })
	if n, err := l.clients[1].Del(ctx, "out").Result(); n != 1 {
		t.Fatal(n, err)
	}
	l.all(t, "has it no more", func(c *redis.Client) bool {
		other := redis.NewClient(&redis.Options{Addr: c.Options().Addr}) // who has seen it gone may make it anew
		defer other.Close()
		return other.Exists(ctx, "out").Val() == 0
	})
	for i, c := range l.clients {
		conn := c.Conn() // a connection that has not seen the session gone
		err := conn.Set(ctx, "out", "late", time.Hour).Err()
		if err == nil || !strings.HasPrefix(err.Error(), "DESTROYED") {
			t.Errorf("node %d answers a late SET with %v", i, err)
		}
		_ = conn.Close()
	}
	if ok, err := l.clients[2].SetNX(ctx, "out", "anew", time.Hour).Result(); !ok {
		t.Errorf("SET NX: %v, %v", ok, err)
	}
	l.all(t, "has the new one", func(c *redis.Client) bool { return c.Get(ctx, "out").Val() == "anew" })
}

func (l *local) databases(t *testing.T) {
	ctx := background(t)
	other := redis.NewClient(&redis.Options{Addr: l.clients[0].Options().Addr, DB: 3})
	defer other.Close()
	other.Set(ctx, "db", "three", time.Hour)
	l.clients[0].Set(ctx, "db", "zero", time.Hour)
	far := redis.NewClient(&redis.Options{Addr: l.clients[2].Options().Addr, DB: 3})
	defer far.Close()
	rig.Eventually(t, "another node's databases have theirs", func() bool {
		return far.Get(ctx, "db").Val() == "three" && l.clients[2].Get(ctx, "db").Val() == "zero"
	})
}

func (l *local) scan(t *testing.T) {
	ctx := background(t)
	const many = 500
	for i := range many {
		if err := l.clients[i%members].Set(ctx, fmt.Sprint("scan:", i), "x", time.Hour).Err(); err != nil {
			t.Fatal(err)
		}
	}
	l.all(t, "finds all", func(c *redis.Client) bool {
		found := map[string]bool{}
		for it := c.Scan(ctx, 0, "scan:*", 20).Iterator(); it.Next(ctx); {
			found[it.Val()] = true
		}
		return len(found) == many
	})
}

// tracking speaks by itself: go-redis has no client-side cache.
func (l *local) tracking(t *testing.T) {
	ctx := background(t)
	l.clients[0].Set(ctx, "watched", "1", time.Hour)
	l.all(t, "has it", func(c *redis.Client) bool { return c.Exists(ctx, "watched").Val() == 1 })
	conn, err := net.Dial("tcp", l.clients[1].Options().Addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(rig.Patience))
	fmt.Fprint(conn, "HELLO 3\r\nCLIENT TRACKING ON\r\nGET watched\r\nPING before\r\n")
	readUntil(t, conn, "$6\r\nbefore\r\n")
	l.clients[2].Set(ctx, "watched", "2", time.Hour)
	if got := readUntil(t, conn, "watched"); !strings.Contains(got, "invalidate") {
		t.Errorf("got %q", got)
	}
}

func readUntil(t *testing.T, conn net.Conn, end string) (got string) {
	t.Helper()
	buffer := make([]byte, 4096)
	for !strings.Contains(got, end) {
		n, err := conn.Read(buffer)
		if err != nil {
			t.Fatalf("after %q: %v", got, err)
		}
		got += string(buffer[:n])
	}
	return got
}

func TestADaemonSaysGoodbyeWhenItIsTold(t *testing.T) {
	l := startLocal(t)
	ctx := background(t)
	for i, signal := range []os.Signal{syscall.SIGTERM, syscall.SIGINT} {
		leaver, rest := l.daemons[i], l.daemons[i+1:]
		l.clients[i].Set(ctx, "last", "words of "+leaver.Name, time.Hour)
		if code := leaver.Stop(t, signal); code != 0 {
			t.Errorf("exit code %d after %v", code, signal)
		}
		for _, d := range rest {
			rig.Eventually(t, d.Name+" knows that it left", func() bool { // who is silent is dead, and has not left
				return slices.ContainsFunc(d.Status().Members, func(m admin.Member) bool {
					return m.Name == leaver.Name && m.State == "left"
				})
			})
		}
		if got := l.clients[members-1].Get(ctx, "last").Val(); got != "words of "+leaver.Name { // it waited for this before it left
			t.Errorf("after %v its last write is %q elsewhere", signal, got)
		}
	}
}
