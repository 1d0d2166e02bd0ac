//go:build linux

package bench

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/sessioncast/sessioncast"
	"github.com/sessioncast/sessioncast/internal/engine"
	"github.com/sessioncast/sessioncast/internal/link"
	"github.com/sessioncast/sessioncast/internal/node"
	"github.com/sessioncast/sessioncast/internal/seal"
	"github.com/sessioncast/sessioncast/internal/wire"
)

// observer is a node in this process that tells when it knows of a death.
type observer struct {
	*node.Node
	states chan stateAt
}

type stateAt struct {
	name  string
	state wire.MemberState
	at    time.Time
}

func observe(b *testing.B, port int, name string) *observer {
	b.Helper()
	o := &observer{states: make(chan stateAt, 1024)}
	cfg := benchConfig(port, name)
	var key seal.Key
	copy(key[:], cfg.Key)
	n, err := node.Open(node.Config{
		Name: name, Keys: []seal.Key{key}, Ack: 1, Hold: time.Minute, Log: cfg.Logger,
		Network: link.Config{Address: cfg.Address, Group: cfg.Group, Port: port},
		OnEvent: func(e engine.Event) {
			if e.Kind == engine.EventMember {
				o.states <- stateAt{e.Member.Name, e.State, time.Now()}
			}
		},
	})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(n.Kill)
	o.Node = n
	if err := n.WaitSynced(b.Context()); err != nil {
		b.Fatal(err)
	}
	return o
}

// dead is when it was told of the death.
func (o *observer) dead(b *testing.B, name string) time.Time {
	b.Helper()
	limit := time.After(30 * time.Second)
	for {
		select {
		case s := <-o.states:
			if s.name == name && s.state == wire.Dead {
				return s.at
			}
		case <-limit:
			b.Fatal(name, " is not known to be dead after 30 s")
		}
	}
}

// BenchmarkDeathSeen is the time from a signal to a process until the last of four others calls it dead: killed, or
// stopped, which leaves its connections as they are.
func BenchmarkDeathSeen(b *testing.B) {
	for name, signal := range map[string]syscall.Signal{"killed": syscall.SIGKILL, "stopped": syscall.SIGSTOP} {
		b.Run(name, func(b *testing.B) {
			port := 27000 + 40*int(clusters.Add(1))
			var observers []*observer
			for i := range 4 {
				observers = append(observers, observe(b, port, fmt.Sprint("observer", i)))
			}
			var took []time.Duration
			for i := 0; b.Loop(); i++ {
				took = append(took, seeDeath(b, observers, port, fmt.Sprint("victim", i), signal))
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
			b.ReportMetric(float64(took[len(took)-1].Microseconds())/1000, "max-ms")
		})
	}
}

func seeDeath(b *testing.B, observers []*observer, port int, name string, signal syscall.Signal) (longest time.Duration) {
	b.StopTimer()
	defer b.StartTimer()
	v := startVictim(b, port, name)
	for _, o := range observers {
		until(b, "five are synced", func() bool { return o.Peers() == len(observers) })
	}
	<-time.After(500 * time.Millisecond) // the watches are made
	began := time.Now()
	if err := v.cmd.Process.Signal(signal); err != nil {
		b.Fatal(err)
	}
	for _, o := range observers {
		longest = max(longest, o.dead(b, name).Sub(began))
	}
	v.kill()
	return longest
}

// BenchmarkBesideASlowNode is what one of five nodes writes, and how fast the three healthy others have it, while the fifth
// is well, stopped, or has 1 % of a core. The latencies are those of a Set that waits for one acknowledgement.
func BenchmarkBesideASlowNode(b *testing.B) {
	for _, c := range []struct {
		name string
		slow func(*testing.B, *victim)
	}{
		{"healthy", func(*testing.B, *victim) {}},
		{"stopped", func(b *testing.B, v *victim) { _ = v.cmd.Process.Signal(syscall.SIGSTOP) }},
		{"one-percent", throttle},
	} {
		b.Run("latency/"+c.name, func(b *testing.B) {
			nodes := besideVictim(b, sessioncast.AckDefault, c.slow)
			measureLatency(b, nodes[0])
			repairs(b, nodes)
		})
		b.Run("throughput/"+c.name, func(b *testing.B) {
			nodes := besideVictim(b, sessioncast.AckNone, c.slow)
			measureThroughput(b, nodes)
			repairs(b, nodes)
		})
	}
}

// besideVictim opens four nodes here and a fifth in a process of its own.
func besideVictim(b *testing.B, ack sessioncast.Ack, slow func(*testing.B, *victim)) (nodes []*sessioncast.Node) {
	port := 27000 + 40*int(clusters.Add(1))
	for i := range 4 {
		cfg := benchConfig(port, fmt.Sprint("bench", i))
		cfg.Ack = ack
		n, err := sessioncast.Open(b.Context(), cfg)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = n.Close() })
		nodes = append(nodes, n)
	}
	v := startVictim(b, port, "victim")
	for _, n := range nodes {
		until(b, "five are synced", func() bool { return n.Stats().Peers == len(nodes) })
	}
	slow(b, v)
	return nodes
}

func measureLatency(b *testing.B, n *sessioncast.Node) {
	data := make([]byte, 512)
	var took []time.Duration
	degraded := 0
	for i := 0; b.Loop(); i++ {
		start := time.Now()
		r, err := n.Set(context.Background(), fmt.Sprint("s", i%10_000), data, time.Hour)
		if err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(start))
		if r.Degraded {
			degraded++
		}
	}
	report(b, took)
	b.ReportMetric(float64(took[len(took)-1].Microseconds()), "max-µs")
	b.ReportMetric(float64(degraded), "degraded")
}

func measureThroughput(b *testing.B, nodes []*sessioncast.Node) {
	data := make([]byte, 512)
	sum := func() (n int) {
		for _, o := range nodes[1:] {
			n += int(o.Stats().ChangesReceived)
		}
		return n
	}
	before, i := sum(), 0
	for b.Loop() {
		i++
		if _, err := nodes[0].Set(context.Background(), fmt.Sprint("s", i%10_000), data, time.Hour); err != nil {
			b.Fatal(err)
		}
		for i%512 == 0 && sum()-before < 3*(i-4096) {
			<-time.After(100 * time.Microsecond)
		}
	}
	until(b, "the three have all", func() bool { return sum()-before >= 3*i })
	b.ReportMetric(float64(i)/b.Elapsed().Seconds(), "updates/s")
}

// throttle gives the process 1 % of a core by a control group of its own: 1 ms in each 100 ms.
func throttle(b *testing.B, v *victim) {
	group, quota := "/sys/fs/cgroup/scbench", map[string]string{"cpu.max": "1000 100000"}
	if _, err := os.Stat("/sys/fs/cgroup/cgroup.controllers"); err != nil {
		group, quota = "/sys/fs/cgroup/cpu/scbench", map[string]string{"cpu.cfs_period_us": "100000", "cpu.cfs_quota_us": "1000"}
	}
	if err := os.Mkdir(group, 0o755); err != nil {
		b.Skip("no control group can be made: ", err)
	}
	b.Cleanup(func() {
		v.kill()
		_ = os.Remove(group)
	})
	quota["cgroup.procs"] = strconv.Itoa(v.cmd.Process.Pid)
	for name, value := range quota {
		if err := os.WriteFile(filepath.Join(group, name), []byte(value), 0); err != nil {
			b.Skip("no control group can be used: ", err)
		}
	}
}
