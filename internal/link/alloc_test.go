//go:build linux

package link

import (
	"context"
	"testing"
)

func TestDatagramsCostNoAllocation(t *testing.T) {
	l, err := Open(loopback())
	if err != nil {
		t.Fatal(err)
	}
	heard, done := make(chan int, 1000), make(chan error)
	go func() {
		done <- l.Receive(context.Background(), func(p []Packet) { heard <- len(p) })
	}()
	defer func() { _ = l.Close(); <-done }()
	var batch []Datagram
	for i := range 32 {
		batch = append(batch, Datagram{Data: make([]byte, 1200+i%3), Multicast: i%2 == 0, To: l.Addr()})
	}
	allocs := testing.AllocsPerRun(200, func() {
		if err := l.Send(batch); err != nil {
			t.Error(err)
		}
		for n := 0; n < len(batch); {
			n += <-heard
		}
	})
	if allocs > 0 {
		t.Errorf("%v allocations for %d datagrams sent and received", allocs, len(batch))
	}
}

// BenchmarkMulticast is one sender and one receiver on loopback, as in the table of measured peers.
func BenchmarkMulticast(b *testing.B) {
	l, err := Open(loopback())
	if err != nil {
		b.Fatal(err)
	}
	heard, done := make(chan int, 1<<16), make(chan error)
	go func() {
		done <- l.Receive(context.Background(), func(p []Packet) { heard <- len(p) })
	}()
	defer func() { _ = l.Close(); <-done }()
	var batch []Datagram
	for range 64 {
		batch = append(batch, Datagram{Data: make([]byte, 1400), Multicast: true})
	}
	for b.Loop() {
		if err := l.Send(batch); err != nil {
			b.Fatal(err)
		}
		for n := 0; n < len(batch); {
			n += <-heard
		}
	}
	b.ReportMetric(float64(b.N*len(batch))/b.Elapsed().Seconds(), "datagrams/s")
}
