package resp

import (
	"math"
	"testing"
)

// "ack = 0 | k | all, per store and per call"
func TestAConnectionChoosesItsAcknowledgements(t *testing.T) {
	p := newPeers()
	s := serve(t, func(cfg *Config) { cfg.Cluster = p })
	k := dial(t, s.Addrs()[0])
	for _, c := range []struct {
		choose string
		want   int
	}{{"2", 2}, {"all", math.MaxInt32}, {"31", 31}, {"DEFAULT", byPolicy}} {
		k.want("+OK\r\n", "CLIENT", "ACK", c.choose)
		k.send(encode("SET", "a", "1"))
		w := p.next(t)
		if w.k != c.want || w.timeout != 0 {
			t.Errorf("CLIENT ACK %s: a write awaits %d for %v, want %d for the configured time", c.choose, w.k, w.timeout, c.want)
		}
		w.done(1)
		if got := k.reply(); got != "+OK\r\n" {
			t.Errorf("got %q", got)
		}
	}
	k.want("+OK\r\n", "CLIENT", "ACK", "0")
	k.want("+OK\r\n", "SET", "a", "1") // nothing confirms it
	k.want("+OK\r\n", "FLUSHALL")
	for _, bad := range []string{"", "-1", "32", "some", "1.5"} {
		k.want("-ERR CLIENT ACK takes a number of peers from 0 to 31, ALL or DEFAULT\r\n", "CLIENT", "ACK", bad)
	}
	k.want("+OK\r\n", "CLIENT", "ACK", "2")
	k.want("+RESET\r\n", "RESET")
	k.send(encode("SET", "a", "1"))
	if w := p.next(t); w.k != byPolicy {
		t.Errorf("after RESET a write awaits %d", w.k)
	} else {
		w.done(1)
	}
	k.reply()
}

// A flush kills what is created by who has not heard of it: its answer says that all have.
func TestAFlushWaitsForAllPeers(t *testing.T) {
	p := newPeers()
	s := serve(t, func(cfg *Config) { cfg.Cluster = p })
	k := dial(t, s.Addrs()[0])
	for _, c := range []struct {
		command []string
		want    int
	}{{[]string{"FLUSHALL"}, byAll}, {[]string{"SET", "a", "1"}, byPolicy}, {[]string{"FLUSHDB"}, byAll}} {
		k.send(encode(c.command...))
		w := p.next(t)
		if w.k != c.want || w.timeout != 0 {
			t.Errorf("%v awaits %d for %v, want %d", c.command, w.k, w.timeout, c.want)
		}
		w.done(3)
		if got := k.reply(); got != "+OK\r\n" {
			t.Errorf("got %q", got)
		}
	}
}

// Each write counts once: with the wait that holds its answer, or with the WAIT where its answer waited for none.
func TestAWaitCountsTheWritesThatNobodyWaitedFor(t *testing.T) {
	p := newPeers()
	s := serve(t, func(cfg *Config) { cfg.Cluster = p })
	k := dial(t, s.Addrs()[0])
	count := func(commands string, answers int) int {
		t.Helper()
		k.send(commands)
		w := p.next(t)
		w.done(1)
		for range answers {
			k.reply()
		}
		return w.writes
	}
	if n := count(encode("SET", "a", "1")+encode("SET", "b", "1")+encode("DEL", "a"), 3); n != 3 {
		t.Errorf("a pipeline of three writes counts as %d", n)
	}
	if n := count(encode("WAIT", "2", "1000"), 1); n != 0 {
		t.Errorf("a WAIT for them counts %d again", n)
	}
	k.want("+OK\r\n", "CLIENT", "ACK", "0")
	k.want("+OK\r\n", "SET", "a", "1")
	k.want("+OK\r\n", "SET", "b", "1")
	if n := count(encode("WAIT", "2", "1000"), 1); n != 2 {
		t.Errorf("a WAIT for two writes that waited for nobody counts as %d", n)
	}
}
