package bench

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sessioncast/sessioncast"
)

// cluster opens n nodes on loopback that see each other.
func cluster(b *testing.B, n int, ack sessioncast.Ack) []*sessioncast.Node {
	b.Helper()
	port := 26000 + 40*int(clusters.Add(1))
	nodes := make([]*sessioncast.Node, n)
	for i := range nodes {
		node, err := sessioncast.Open(b.Context(), sessioncast.Config{
			Name: fmt.Sprint("bench", i), Key: []byte("0123456789abcdef0123456789abcdef"), Port: port, Ack: ack,
			Address: netip.MustParseAddr("127.0.0.1"), Group: netip.MustParseAddr("239.255.70.7"),
			Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
		})
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = node.Close() })
		nodes[i] = node
	}
	for _, node := range nodes {
		for node.Stats().Peers < n-1 {
			<-time.After(time.Millisecond)
		}
	}
	return nodes
}

var clusters atomic.Int32

// BenchmarkWriteToAll is the time from a Set on one of three nodes to the Watch event on all of them.
func BenchmarkWriteToAll(b *testing.B) {
	nodes := cluster(b, 3, sessioncast.AckNone)
	seen := make(chan time.Time, 3)
	for _, n := range nodes {
		events := n.Watch(b.Context())
		go func() {
			for e := range events {
				if e.Kind == sessioncast.Created || e.Kind == sessioncast.Changed {
					seen <- time.Now()
				}
			}
		}()
	}
	data := make([]byte, 512)
	var took []time.Duration
	for b.Loop() {
		start := time.Now()
		if _, err := nodes[0].Set(context.Background(), "session", data, time.Hour); err != nil {
			b.Fatal(err)
		}
		var last time.Time
		for range nodes {
			last = <-seen
		}
		took = append(took, last.Sub(start))
	}
	report(b, took)
	repairs(b, nodes)
}

// BenchmarkAcknowledgedSet is a Set that returns when one of two peers holds it.
func BenchmarkAcknowledgedSet(b *testing.B) {
	nodes := cluster(b, 3, sessioncast.AckDefault)
	data := make([]byte, 512)
	degraded := 0
	var took []time.Duration
	for b.Loop() {
		start := time.Now()
		r, err := nodes[0].Set(context.Background(), "session", data, time.Hour)
		if err != nil {
			b.Fatal(err)
		}
		if r.Degraded {
			degraded++
		}
		took = append(took, time.Since(start))
	}
	report(b, took)
	b.ReportMetric(float64(degraded), "degraded")
	repairs(b, nodes)
}

// repairs is how many changes had to be sent again: each costs milliseconds.
func repairs(b *testing.B, nodes []*sessioncast.Node) {
	var n uint64
	for _, node := range nodes {
		n += node.Stats().Repairs
	}
	b.ReportMetric(float64(n), "repairs")
}

// report gives the median and the 99th percentile.
func report(b *testing.B, took []time.Duration) {
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
}

// BenchmarkUpdatesToAll is how many updates of 512 B per second reach all of three nodes.
func BenchmarkUpdatesToAll(b *testing.B) {
	nodes := cluster(b, 3, sessioncast.AckNone)
	data := make([]byte, 512)
	ctx := context.Background()
	i := 0
	before := nodes[1].Stats().ChangesReceived + nodes[2].Stats().ChangesReceived
	for b.Loop() {
		i++
		if _, err := nodes[0].Set(ctx, fmt.Sprint("s", i), data, time.Hour); err != nil {
			b.Fatal(err)
		}
		for i%512 == 0 && int(nodes[1].Stats().ChangesReceived+nodes[2].Stats().ChangesReceived-before) < 2*i-8192 {
			<-time.After(100 * time.Microsecond)
		}
	}
	for int(nodes[1].Stats().ChangesReceived+nodes[2].Stats().ChangesReceived-before) < 2*i {
		<-time.After(100 * time.Microsecond)
	}
	b.ReportMetric(float64(i)/b.Elapsed().Seconds(), "updates/s")
	repairs(b, nodes)
}
