package resp

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sessioncast/sessioncast/internal/record"
	"github.com/sessioncast/sessioncast/internal/table"
)

func TestGoRedis(t *testing.T) {
	bothMovers(t, func(t *testing.T, mover func(*Config)) {
		for _, protocol := range []int{2, 3} {
			t.Run(fmt.Sprint("RESP", protocol), func(t *testing.T) {
				s := serve(t, mover, func(cfg *Config) { cfg.Password = "secret" })
				c := redis.NewClient(&redis.Options{Addr: s.Addrs()[0], Password: "secret", DB: 3, Protocol: protocol, ClientName: "me"})
				defer c.Close()
				useGoRedis(t, c)
			})
		}
	})
}

func useGoRedis(t *testing.T, c *redis.Client) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(c.Set(ctx, "k", "v", time.Hour).Err())
	if got, err := c.Get(ctx, "k").Result(); got != "v" || err != nil {
		t.Errorf("GET gives %q, %v", got, err)
	}
	if err := c.Get(ctx, "none").Err(); !errors.Is(err, redis.Nil) {
		t.Errorf("a miss gives %v", err)
	}
	if got := c.TTL(ctx, "k").Val(); got != time.Hour {
		t.Errorf("TTL gives %v", got)
	}
	_, err := c.TxPipelined(ctx, func(p redis.Pipeliner) error {
		p.Set(ctx, "tx", "1", 0)
		p.PExpireAt(ctx, "tx", time.Now().Add(time.Hour))
		return nil
	})
	must(err)
	must(c.Watch(ctx, func(tx *redis.Tx) error {
		_, err := tx.TxPipelined(ctx, func(p redis.Pipeliner) error { return p.Set(ctx, "tx", "2", 0).Err() })
		return err
	}, "tx"))
	if got := c.MGet(ctx, "k", "none", "tx").Val(); fmt.Sprint(got) != "[v <nil> 2]" {
		t.Errorf("MGET gives %v", got)
	}
	if got := c.Del(ctx, "k", "tx", "none").Val(); got != 2 {
		t.Errorf("DEL gives %d", got)
	}
	if got := c.ClientGetName(ctx).Val(); got != "me" {
		t.Errorf("the name is %q", got)
	}
	if info, err := c.ClientInfo(ctx).Result(); err != nil || info.Name != "me" || info.DB != 3 {
		t.Errorf("CLIENT INFO gives %+v, %v", info, err)
	}
	if got, err := c.ConfigGet(ctx, "maxmemory*").Result(); err != nil || got["maxmemory-policy"] != "noeviction" {
		t.Errorf("CONFIG GET gives %v, %v", got, err)
	}
	if got, err := c.Command(ctx).Result(); err != nil || got["set"] == nil || got["set"].Arity != -3 {
		t.Errorf("COMMAND gives %v, %v", got["set"], err)
	}
	must(c.Do(ctx, "COMMAND", "DOCS").Err())
}

func TestAScanMissesNoKeyThatStays(t *testing.T) {
	s := serve(t)
	c := redis.NewClient(&redis.Options{Addr: s.Addrs()[0]})
	defer c.Close()
	ctx := context.Background()
	const stay = 3000
	p := c.Pipeline()
	for i := range stay {
		p.Set(ctx, fmt.Sprint("stay:", i), "v", 0)
		p.Set(ctx, fmt.Sprint("go:", i), "v", 0)
	}
	if _, err := p.Exec(ctx); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	cursor, round := uint64(0), 0
	for {
		keys, next, err := c.Scan(ctx, cursor, "stay:*", 100).Result()
		if err != nil || next > 1<<53 {
			t.Fatalf("cursor %d: %v", next, err)
		}
		for _, key := range keys {
			seen[key] = true
		}
		c.Del(ctx, fmt.Sprint("go:", round))
		c.Set(ctx, fmt.Sprint("come:", round), "v", 0)
		if round++; next == 0 {
			break
		}
		cursor = next
	}
	if len(seen) != stay || round < 30 {
		t.Errorf("%d of %d keys seen in %d rounds", len(seen), stay, round)
	}
	if keys := c.Keys(ctx, "stay:*").Val(); len(keys) != stay || !slices.IsSorted(keys) {
		t.Errorf("KEYS gives %d", len(keys))
	}
}

func TestSessionTTLIsTheLifetimeOfWhatHasNone(t *testing.T) {
	s := serve(t, func(cfg *Config) { cfg.SessionTTL = time.Hour })
	k := dial(t, s.Addrs()[0])
	for _, set := range [][]string{{"SET", "k", "v"}, {"MSET", "k", "v"}, {"GETSET", "k", "v"}, {"SETNX", "k", "v"}, {"SET", "k", "v", "KEEPTTL"}} {
		k.do("FLUSHDB")
		k.do(set...)
		k.want(":3600\r\n", "TTL", "k")
	}
	k.do("SET", "k", "v", "EX", "10")
	k.want(":10\r\n", "TTL", "k")
}

func TestInfoAndClientList(t *testing.T) {
	s := serve(t, func(cfg *Config) { cfg.Cluster = newPeers(); cfg.Version = "1.2.3" })
	k := dial(t, s.Addrs()[0])
	k.do("CLIENT", "SETNAME", "me")
	k.do("CLIENT", "SETINFO", "LIB-NAME", "lib")
	k.do("CLIENT", "SETINFO", "LIB-VER", "1")
	if got := k.do("CLIENT", "LIST"); !strings.Contains(got, "name=me ") || !strings.Contains(got, "lib-name=lib lib-ver=1\n") {
		t.Errorf("CLIENT LIST gives %q", got)
	}
	if got := k.do("CLIENT", "LIST", "ID", "999"); got != "$0\r\n\r\n" {
		t.Errorf("an id that is not there gives %q", got)
	}
	s.cfg.Table.Put(time.Now().UnixMilli(), record.Key{DB: 2, Name: "secret-id"}, &table.Write{Value: []byte("secret-content")})
	info := k.do("INFO")
	for _, want := range []string{"redis_version:7.0.15\r\n", "sessioncast_version:1.2.3\r\n", "node_name:n\r\n", "members:3\r\n",
		"db2:keys=1,", "# Server\r\n", "# Clients\r\n", "# Memory\r\n", "# Stats\r\n", "# Replication\r\n", "# Keyspace\r\n"} {
		if !strings.Contains(info, want) {
			t.Errorf("INFO lacks %q", want)
		}
	}
	if strings.Contains(info, "secret") {
		t.Error("INFO shows a session")
	}
	if got := k.do("INFO", "replication", "SERVER"); strings.Contains(got, "# Stats") || !strings.Contains(got, "# Server") {
		t.Errorf("INFO of two sections gives %q", got)
	}
	if got := k.do("CLIENT", "HELP"); !strings.Contains(got, "SETNAME") {
		t.Errorf("CLIENT HELP gives %q", got)
	}
}
