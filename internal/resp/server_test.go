package resp

import (
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sessioncast/sessioncast/internal/hlc"
	"github.com/sessioncast/sessioncast/internal/table"
)

// peers is a cluster whose acknowledgements the test gives.
type peers struct {
	mu      sync.Mutex
	waiting []waiter
	instant bool // nobody waits for anything
	holding Holding
	asked   chan struct{}
}

type waiter struct {
	seq     uint64
	writes  int
	k       int
	timeout time.Duration
	done    func(int)
}

func newPeers() *peers { return &peers{asked: make(chan struct{}, 1000)} }

func (p *peers) Await(seq uint64, writes, k int, timeout time.Duration, done func(int)) (bool, int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if k == 0 || p.instant {
		return false, 2
	}
	p.waiting = append(p.waiting, waiter{seq, writes, k, timeout, done})
	p.asked <- struct{}{}
	return true, 0
}

// AwaitTold is a wait for all, too.
func (p *peers) AwaitTold(seq uint64, writes int, _ hlc.Stamp, done func(int)) (bool, int) {
	return p.Await(seq, writes, byAll, 0, done)
}

func (p *peers) Holding() Holding {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.holding
}

func (p *peers) Shortage() string { return "LOADING raise it" }

func (p *peers) holds(h Holding) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.holding = h
}

func (p *peers) Info() NodeInfo { return NodeInfo{Name: "n", Members: 3, Synced: 3} }

// next is the oldest wait, once there is one.
func (p *peers) next(t *testing.T) waiter {
	t.Helper()
	select {
	case <-p.asked:
	case <-time.After(patience):
		t.Fatal("nothing awaits acknowledgements")
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	w := p.waiting[0]
	p.waiting = p.waiting[1:]
	return w
}

// silentNow fails if a reply is there. It is sure: another connection's command, sent after, was answered.
func silentNow(t *testing.T, held, other *talk) {
	t.Helper()
	other.want("+PONG\r\n", "PING")
	held.nc.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
	if b, err := held.r.Peek(1); err == nil {
		t.Errorf("answered %q before the write was acknowledged", b)
	}
	held.nc.SetReadDeadline(time.Now().Add(patience))
}

func TestRepliesWaitForTheAcknowledgementOfTheLastWrite(t *testing.T) {
	bothMovers(t, func(t *testing.T, mover func(*Config)) {
		p := newPeers()
		s := serve(t, mover, func(cfg *Config) { cfg.Cluster = p })
		k, other := dial(t, s.Addrs()[0]), dial(t, s.Addrs()[0])
		k.send(encode("SET", "a", "1") + encode("SET", "b", "2") + encode("GET", "a"))
		w := p.next(t)
		if w.k != -1 || w.timeout != 0 {
			t.Errorf("awaits %d for %v, not the configured policy", w.k, w.timeout)
		}
		if w.writes != 2 {
			t.Errorf("it counts as %d writes", w.writes)
		}
		silentNow(t, k, other)
		if got := s.Stats().Blocked; got != 1 {
			t.Errorf("%d clients are blocked", got)
		}
		w.done(1)
		for _, want := range []string{"+OK\r\n", "+OK\r\n", "$1\r\n1\r\n"} {
			if got := k.reply(); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		}
		k.want("$1\r\n2\r\n", "GET", "b") // reading waits for nobody
		if len(p.asked) != 0 {
			t.Error("a read, or the first of two writes, awaited acknowledgements too")
		}
	})
}

func TestCommandsReceivedWhileHeldAreCarriedOutAfterwards(t *testing.T) {
	bothMovers(t, func(t *testing.T, mover func(*Config)) {
		p := newPeers()
		s := serve(t, mover, func(cfg *Config) { cfg.Cluster = p })
		k, other := dial(t, s.Addrs()[0]), dial(t, s.Addrs()[0])
		k.send(encode("SET", "a", "1"))
		w := p.next(t)
		k.send(encode("GET", "a") + "*2\r\n$3\r\nGET\r\n$1")
		silentNow(t, k, other)
		k.send("\r\na\r\n")
		w.done(0) // degraded: the reply is the same
		for _, want := range []string{"+OK\r\n", "$1\r\n1\r\n", "$1\r\n1\r\n"} {
			if got := k.reply(); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		}
	})
}

func TestWait(t *testing.T) {
	bothMovers(t, func(t *testing.T, mover func(*Config)) {
		p := newPeers()
		s := serve(t, mover, func(cfg *Config) { cfg.Cluster = p })
		k := dial(t, s.Addrs()[0])
		k.send(encode("SET", "a", "1") + encode("WAIT", "2", "500") + encode("PING"))
		p.next(t).done(1)
		if got := k.reply(); got != "+OK\r\n" {
			t.Errorf("SET answered %q", got)
		}
		w := p.next(t)
		if w.k != 2 || w.timeout != 500*time.Millisecond || w.seq == 0 {
			t.Errorf("WAIT 2 500 awaits %d for %v up to dot %d", w.k, w.timeout, w.seq)
		}
		w.done(2)
		if got := k.reply() + k.reply(); got != ":2\r\n+PONG\r\n" {
			t.Errorf("WAIT and PING answered %q", got)
		}
		k.send(encode("WAIT", "7", "0"))
		if w := p.next(t); w.timeout != maxWait {
			t.Errorf("WAIT 7 0 may last %v", w.timeout)
		} else {
			w.done(2)
		}
		if got := k.reply(); got != ":2\r\n" {
			t.Errorf("WAIT 7 0 answered %q", got)
		}
		k.want(":2\r\n", "WAIT", "0", "100")
	})
}

func TestAClientThatLeavesWhileHeldIsForgotten(t *testing.T) {
	bothMovers(t, func(t *testing.T, mover func(*Config)) {
		p := newPeers()
		s := serve(t, mover, func(cfg *Config) { cfg.Cluster = p })
		k := dial(t, s.Addrs()[0])
		k.send(encode("SET", "a", "1"))
		w := p.next(t)
		k.nc.Close()
		w.done(1)
		eventually(t, "no client is left", func() bool { return s.Stats().Clients == 0 })
		if n := s.Stats(); n.Blocked != 0 || n.Output != 0 {
			t.Errorf("left behind: %d blocked, %d bytes", n.Blocked, n.Output)
		}
	})
}

func TestWhileJoiningSessionsAreNotServed(t *testing.T) {
	p := newPeers()
	p.holding = HoldsNotYet
	s := serve(t, func(cfg *Config) { cfg.Cluster = p })
	k := dial(t, s.Addrs()[0])
	k.want("-"+errLoading+"\r\n", "GET", "k")
	k.want("-"+errLoading+"\r\n", "SET", "k", "v", "NX")
	k.want("+PONG\r\n", "PING")
	if info := k.do("INFO"); !strings.Contains(info, "loading:1\r\n") || !strings.Contains(info, "redis_version:") {
		t.Errorf("INFO says %q", info)
	}
	p.holds(HoldsAll)
	k.want("$-1\r\n", "GET", "k")
	if info := k.do("INFO"); !strings.Contains(info, "loading:0\r\n") || !strings.Contains(info, "role:master\r\n") {
		t.Errorf("INFO says %q", info)
	}
}

func TestAPipelineCutAnywhereIsAnsweredTheSame(t *testing.T) {
	script := encode("SET", "k", "v\r\n1") + encode("GET", "k") + "ECHO \"inline \\x41\"\r\n" + encode("MULTI") + encode("GET", "k") +
		"*2\r\n$6\r\nSTRLEN\r\n$1\r\nk\r\n" + encode("EXEC") + encode("NOSUCH", "x") + "PING\r\n"
	const want = "+OK\r\n$4\r\nv\r\n1\r\n$8\r\ninline A\r\n+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n$4\r\nv\r\n1\r\n:4\r\n" +
		"-ERR unknown command 'NOSUCH', with args beginning with: 'x' \r\n+PONG\r\n"
	bothMovers(t, func(t *testing.T, mover func(*Config)) {
		s := serve(t, mover)
		for cut := 1; cut < len(script); cut++ {
			k := dial(t, s.Addrs()[0])
			before := s.Stats().BytesIn
			k.send(script[:cut])
			eventually(t, "the first part is read", func() bool { return s.Stats().BytesIn == before+uint64(cut) })
			k.send(script[cut:])
			got := make([]byte, len(want))
			if _, err := io.ReadFull(k.r, got); err != nil || string(got) != want {
				t.Fatalf("cut at %d: %v\n got %q\nwant %q", cut, err, got, want)
			}
			k.nc.Close()
		}
	})
}

func TestByteByByte(t *testing.T) {
	bothMovers(t, func(t *testing.T, mover func(*Config)) {
		s := serve(t, mover)
		k := dial(t, s.Addrs()[0])
		before := s.Stats().BytesIn
		for i, ch := range []byte(encode("SET", "k", "v") + encode("GET", "k")) {
			k.send(string([]byte{ch}))
			eventually(t, "the byte is read", func() bool { return s.Stats().BytesIn == before+uint64(i)+1 })
		}
		if got := k.reply() + k.reply(); got != "+OK\r\n$1\r\nv\r\n" {
			t.Errorf("got %q", got)
		}
	})
}

func TestTenThousandPipelinedCommandsCostFewSystemCalls(t *testing.T) {
	bothMovers(t, func(t *testing.T, mover func(*Config)) {
		s := serve(t, mover)
		k := dial(t, s.Addrs()[0])
		const n = 10_000
		go io.WriteString(k.nc, strings.Repeat(encode("SET", "k", "v"), n/2)+strings.Repeat(encode("GET", "k"), n/2))
		for i := range n {
			if got, want := k.reply(), []string{"+OK\r\n", "$1\r\nv\r\n"}[i*2/n]; got != want {
				t.Fatalf("reply %d is %q", i, got)
			}
		}
		if got := s.Stats(); got.Writes > 100 || got.Reads > 100 {
			t.Errorf("%d reads and %d writes", got.Reads, got.Writes)
		}
	})
}

func TestLargeValuesAndTheirLimit(t *testing.T) {
	bothMovers(t, func(t *testing.T, mover func(*Config)) {
		s := serve(t, mover)
		k := dial(t, s.Addrs()[0])
		value := strings.Repeat("v", defaultMaxValue)
		k.want("+OK\r\n", "SET", "k", value)
		if got := k.do("GET", "k"); got != fmt.Sprintf("$%d\r\n%s\r\n", len(value), value) {
			t.Errorf("1 MiB comes back as %d bytes", len(got))
		}
		if got := k.do("SET", "k", value+"v"); !strings.HasPrefix(got, "-ERR") || !strings.Contains(got, "--max-session") {
			t.Errorf("a byte more is answered %.100q", got)
		}
		k.want("+PONG\r\n", "PING")
		k.do("MULTI")
		k.do("SET", "k", value+"v")
		k.want("-"+errExecAbort+"\r\n", "EXEC")
		if got := k.do("GET", strings.Repeat("k", 513)); got != "$-1\r\n" {
			t.Errorf("a long key is answered %q", got)
		}
		k.want("-"+errKeyTooBig+"\r\n", "SET", strings.Repeat("k", 513), "v")
		// Many keys may be more than one value long.
		many := []string{"MSET"}
		for i := range 12 {
			many = append(many, fmt.Sprint("many", i), value)
		}
		k.want("+OK\r\n", many...)
		if got := k.do(append([]string{"MGET"}, "many0", "many11", "none")...); len(got) < 2*len(value) {
			t.Errorf("MGET gives %d bytes", len(got))
		}
		for range 6 {
			many = append(many, "k", value)
		}
		if got := k.do(many...); !strings.Contains(got, "--max-session") {
			t.Errorf("a command of 18 MiB is answered %.100q", got)
		}
		if got := s.Stats().TooBig; got != 3 {
			t.Errorf("%d commands are counted as too big, not 3", got)
		}
	})
}

func TestAFullTableAnswersAsRedis(t *testing.T) {
	s := serve(t, func(cfg *Config) { cfg.Table = newTable(func(tc *table.Config) { tc.MaxBytes = 2000 }) })
	k := dial(t, s.Addrs()[0])
	k.want("-OOM command not allowed when used memory > 'maxmemory'.\r\n", "SET", "k", strings.Repeat("v", 2000))
	if got := s.Stats().Full; got != 1 {
		t.Errorf("%d refusals counted", got)
	}
}

func TestAClientThatReadsNothingIsClosed(t *testing.T) {
	bothMovers(t, func(t *testing.T, mover func(*Config)) {
		s := serve(t, mover, func(cfg *Config) { cfg.MaxOutput = 8 << 20; cfg.stall = 200 * time.Millisecond })
		k, other := dial(t, s.Addrs()[0]), dial(t, s.Addrs()[0])
		other.want("+OK\r\n", "SET", "k", strings.Repeat("v", 1<<19))
		go func() {
			for range 1000 {
				if _, err := io.WriteString(k.nc, strings.Repeat(encode("GET", "k"), 100)); err != nil {
					return
				}
			}
		}()
		peak := int64(0)
		eventually(t, "the connection is closed", func() bool {
			peak = max(peak, s.Stats().Output)
			other.want("+PONG\r\n", "PING")
			return s.Stats().ClosedStalled == 1
		})
		if peak > 8<<20 {
			t.Errorf("%d bytes waited", peak)
		}
		eventually(t, "its memory is given back", func() bool { return s.Stats().Output == 0 && s.Stats().Clients == 1 })
	})
}

func TestAReplyBeyondTheLimitClosesTheConnection(t *testing.T) {
	bothMovers(t, func(t *testing.T, mover func(*Config)) {
		s := serve(t, mover, func(cfg *Config) { cfg.MaxOutput = 1 << 20 })
		k := dial(t, s.Addrs()[0])
		k.want("+OK\r\n", "SET", "k", strings.Repeat("v", 1<<19))
		k.send(encode(append([]string{"MGET"}, strings.Fields(strings.Repeat("k ", 40))...)...))
		io.Copy(io.Discard, k.r)
		if got := s.Stats().ClosedOutput; got != 1 {
			t.Errorf("%d closed for their output", got)
		}
	})
}

// A client may send all its commands before it reads the first reply.
func TestAClientThatReadsLateGetsEveryReply(t *testing.T) {
	bothMovers(t, func(t *testing.T, mover func(*Config)) {
		s := serve(t, mover)
		k := dial(t, s.Addrs()[0])
		value := strings.Repeat("v", 10_000)
		k.want("+OK\r\n", "SET", "k", value)
		const n = 2000
		k.send(strings.Repeat(encode("GET", "k"), n))
		for range n {
			if got := k.reply(); len(got) != len(value)+10 {
				t.Fatalf("a reply of %d bytes", len(got))
			}
		}
	})
}

func TestASlowReaderIsFedAsItReads(t *testing.T) {
	bothMovers(t, func(t *testing.T, mover func(*Config)) {
		s := serve(t, mover, func(cfg *Config) { cfg.MaxOutput = 1 << 20 })
		k := dial(t, s.Addrs()[0])
		value := strings.Repeat("v", 10_000)
		k.want("+OK\r\n", "SET", "k", value)
		const n = 5000 // 50 MB: far beyond what may wait
		go io.WriteString(k.nc, strings.Repeat(encode("GET", "k"), n))
		for i := range n {
			if got := k.reply(); len(got) != len(value)+10 {
				t.Fatalf("reply %d has %d bytes", i, len(got))
			}
		}
		if got := s.Stats().ClosedOutput + s.Stats().ClosedStalled; got != 0 {
			t.Error("closed although it reads")
		}
	})
}

func TestMoreClientsThanAllowedAreToldSo(t *testing.T) {
	bothMovers(t, func(t *testing.T, mover func(*Config)) {
		s := serve(t, mover, func(cfg *Config) { cfg.MaxClients = 2 })
		a, b := dial(t, s.Addrs()[0]), dial(t, s.Addrs()[0])
		a.want("+PONG\r\n", "PING")
		b.want("+PONG\r\n", "PING")
		if got := dial(t, s.Addrs()[0]).rest(); got != "-ERR max number of clients reached\r\n" {
			t.Errorf("the third is told %q", got)
		}
		a.nc.Close()
		eventually(t, "there is room again", func() bool { return s.Stats().Clients == 1 })
		dial(t, s.Addrs()[0]).want("+PONG\r\n", "PING")
	})
}

func TestAuth(t *testing.T) {
	redis := startRedis(t, "--requirepass", "secret")
	bothMovers(t, func(t *testing.T, mover func(*Config)) {
		s := serve(t, mover, func(cfg *Config) { cfg.Password = "secret" })
		theirs, ours := dial(t, redis), dial(t, s.Addrs()[0])
		compare(t, theirs, ours, `
			GET k
			NOSUCH
			GET
			PING
			CLIENT ID
			MULTI
			RESET
			HELLO 3
			AUTH wrong
			AUTH default wrong
			AUTH nobody secret
			HELLO 3 AUTH default wrong
			AUTH secret
			GET k
			RESET
			GET k
			AUTH default secret
			GET k
			RESET
			~HELLO 2 AUTH default secret SETNAME me
			CLIENT GETNAME
			QUIT`)
		if got := s.Stats().AuthFailures; got != 4 {
			t.Errorf("%d failures counted, not 4", got)
		}
		for _, raw := range []string{"*11\r\n", "*2\r\n$4\r\nAUTH\r\n$16385\r\n"} {
			if want, got := converse(t, redis, raw), converse(t, s.Addrs()[0], raw); got != want {
				t.Errorf("%q\n got %q\nwant %q", raw, got, want)
			}
		}
	})
}

func TestAuthWithAUsername(t *testing.T) {
	s := serve(t, func(cfg *Config) { cfg.Username, cfg.Password = "web", "secret" })
	k := dial(t, s.Addrs()[0])
	k.want("-"+errWrongPass+"\r\n", "AUTH", "other", "secret")
	k.want("-"+errNoAuth+"\r\n", "GET", "k")
	k.want("+OK\r\n", "AUTH", "web", "secret")
	k.want("$-1\r\n", "GET", "k")
	dial(t, s.Addrs()[0]).want("+OK\r\n", "AUTH", "secret")
}

func TestCloseFinishesWhatWasReceived(t *testing.T) {
	bothMovers(t, func(t *testing.T, mover func(*Config)) {
		p := newPeers()
		s := serve(t, mover, func(cfg *Config) { cfg.Cluster = p })
		k, idle := dial(t, s.Addrs()[0]), dial(t, s.Addrs()[0])
		idle.want("+PONG\r\n", "PING")
		k.send(encode("SET", "a", "1") + encode("GET", "a"))
		w := p.next(t)
		closed := make(chan struct{})
		go func() { s.Close(); close(closed) }()
		if got := idle.rest(); got != "" {
			t.Errorf("the idle client got %q", got)
		}
		w.done(1)
		if got := k.rest(); got != "+OK\r\n$1\r\n1\r\n" {
			t.Errorf("got %q", got)
		}
		<-closed
		if nc, err := net.Dial("tcp", s.Addrs()[0]); err == nil {
			nc.Close()
			t.Error("a closed server accepts")
		}
		w.done(2) // too late, and once too often: nothing happens
		s.Close()
	})
}

func TestCloseCutsOffWhoDoesNotRead(t *testing.T) {
	bothMovers(t, func(t *testing.T, mover func(*Config)) {
		s := serve(t, mover)
		k, other := dial(t, s.Addrs()[0]), dial(t, s.Addrs()[0])
		other.want("+OK\r\n", "SET", "k", strings.Repeat("v", 1<<20))
		k.send(strings.Repeat(encode("GET", "k"), 20))
		eventually(t, "replies wait", func() bool { return s.Stats().Output > 0 })
		closed := make(chan struct{})
		go func() { s.Close(); close(closed) }()
		select {
		case <-closed: // else it would wait for ever: nobody reads
		case <-time.After(patience):
			t.Error("Close waits for who does not read")
		}
	})
}

func TestGarbageHarmsNobody(t *testing.T) {
	bothMovers(t, func(t *testing.T, mover func(*Config)) {
		s := serve(t, mover)
		good := dial(t, s.Addrs()[0])
		good.want("+OK\r\n", "SET", "k", "v")
		for i := range 100 {
			k := dial(t, s.Addrs()[0])
			io.WriteString(k.nc, "*3\r\n$"+strings.Repeat(string([]byte{byte(i)}), i)+"\r\n\x00\xff")
			k.nc.Close()
		}
		good.want("$1\r\nv\r\n", "GET", "k")
		eventually(t, "all are gone", func() bool { return s.Stats().Clients == 1 })
		if s.Stats().ClosedProtocol == 0 {
			t.Error("no protocol error was counted")
		}
	})
}

func TestAWebPageGetsNoAnswer(t *testing.T) {
	s := serve(t)
	k := dial(t, s.Addrs()[0])
	k.send("POST / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\nSET k evil\r\n")
	if got := k.rest(); got != "" {
		t.Errorf("POST got %q", got)
	}
	dial(t, s.Addrs()[0]).want("$-1\r\n", "GET", "k")
	if got := s.Stats().ClosedHTTP; got != 1 {
		t.Errorf("%d counted", got)
	}
}

// As `printf 'SET k v\r\n' | nc` does.
func TestAClientThatEndsItsSideIsStillAnswered(t *testing.T) {
	bothMovers(t, func(t *testing.T, mover func(*Config)) {
		p := newPeers()
		s := serve(t, mover, func(cfg *Config) { cfg.Cluster = p })
		for range 20 {
			k := dial(t, s.Addrs()[0])
			k.send("SET k v\r\nGET k\r\n")
			k.nc.(*net.TCPConn).CloseWrite()
			p.next(t).done(1)
			if got := k.rest(); got != "+OK\r\n$1\r\nv\r\n" {
				t.Errorf("got %q", got)
			}
		}
		eventually(t, "all are gone", func() bool { return s.Stats().Clients == 0 })
	})
}

func TestWhatUnfinishedCommandsHoldIsCounted(t *testing.T) {
	bothMovers(t, func(t *testing.T, mover func(*Config)) {
		s := serve(t, mover)
		k := dial(t, s.Addrs()[0])
		k.send("*2\r\n$4\r\nECHO\r\n$100000\r\n" + strings.Repeat("x", 50_000))
		eventually(t, "what came is counted", func() bool { return s.Stats().Input >= 50_000 })
		if got := s.Stats().Input; got > 400_000 {
			t.Errorf("%d bytes are held for 50,000", got)
		}
		k.send(strings.Repeat("x", 50_000) + "\r\n")
		k.reply()
		eventually(t, "it is given back", func() bool { return s.Stats().Input == 0 })
		k.want("+OK\r\n", "MULTI")
		k.do("SET", "k", strings.Repeat("v", 10_000))
		eventually(t, "the queue is counted", func() bool { return s.Stats().Input >= 10_000 })
		k.nc.Close()
		eventually(t, "and given back", func() bool { return s.Stats().Input == 0 })
	})
}

// Promise 5: a peer whose clock is ahead moves the cluster's time, not the end of what is promised by this node's clock.
func TestAFastPeerHidesNothingFromClients(t *testing.T) {
	now, clock := time.UnixMilli(1_700_000_000_000), new(hlc.Clock)
	s := serve(t, func(cfg *Config) {
		cfg.now = func() time.Time { return now }
		cfg.Table = newTable(func(c *table.Config) { c.Clock, c.MaxSkew = clock, 5*time.Second })
	})
	k := dial(t, s.Addrs()[0])
	k.do("SET", "s", "x", "PX", "3000")
	clock.Observe(hlc.At(now.UnixMilli()+4900), now.UnixMilli(), 5*time.Second)
	if got := k.do("GET", "s"); got != "$1\r\nx\r\n" {
		t.Errorf("GET: %q", got)
	}
	if got := k.do("PEXPIRE", "s", "3000"); got != ":1\r\n" {
		t.Errorf("a touch: %q", got)
	}
	if got := k.do("PTTL", "s"); got != ":3000\r\n" {
		t.Errorf("PTTL: %q", got)
	}
}
