//go:build linux

package reliability

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sessioncast/sessioncast/internal/node"
)

const (
	cutHosts    = 4
	cutSessions = 100_000
	cutBytes    = 512
	partition   = 2 * time.Minute
	absence     = 10 * time.Second
)

// heal measures a partition of two minutes during which every session changes.
func heal(f *figures) {
	nodes := f.cluster(cutHosts)
	f.progress("%d sessions", cutSessions)
	f.fill(nodes, "s", cutSessions, cutBytes)
	f.within("alike before", func() bool { return alike(nodes) })
	f.progress("cut for %v while all of them change", partition)
	f.net.Partition(0, 1)
	end := time.Now().Add(partition)
	value := make([]byte, cutBytes)
	for i := range cutSessions { // by all four in turn, spread over the time
		f.put(nodes[i%cutHosts], key("s", i), value)
		if i%1000 == 999 {
			f.pause(time.Until(end) / time.Duration((cutSessions-i)/1000+1))
		}
	}
	f.pause(time.Until(end))
	before, worked := bytesIn(nodes), processorTime(f)
	for i := range cutHosts {
		f.net.Unblock(i)
	}
	f.progress("connected again")
	took := f.within("all hold the same", func() bool { return alike(nodes) })
	f.table("A partition of two minutes", []string{"sessions changed meanwhile", "halves", "bytes received by all four after it", "processor s of all four", "healed s after connectivity"},
		[]string{fmt.Sprint(cutSessions, " of ", cutSessions, ", ", cutBytes, " bytes each"), "2 and 2 nodes", fmt.Sprint(bytesIn(nodes) - before),
			fmt.Sprintf("%.2f", (processorTime(f) - worked).Seconds()), fmt.Sprintf("%.2f", took.Seconds())})
}

// processorTime is what this process, all nodes in it, has worked: where the machine is busy with other things, what was
// measured is longer for it.
func processorTime(f *figures) time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		f.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// bytesIn is what the nodes received, by datagrams and streams.
func bytesIn(nodes []*node.Node) (n uint64) {
	for _, m := range nodes {
		n += m.Counters().BytesIn + m.TransferStats().BytesIn
	}
	return n
}

// rejoin measures what coming back costs: after an absence with few changes, with many, and as a new process.
func rejoin(f *figures) {
	nodes := f.cluster(cutHosts)
	f.progress("%d sessions", cutSessions)
	f.fill(nodes, "s", cutSessions, cutBytes)
	rows := [][]string{{"absence", "changed meanwhile", "bytes", "records by transfer", "correct s after connectivity"}}
	for _, c := range []struct{ sessions, times int }{{100, 1}, {1000, 20}} {
		f.progress("cut off for %v, %d sessions change %d times", absence, c.sessions, c.times)
		rows = append(rows, f.absent(nodes, c.sessions, c.times))
	}
	f.progress("restarted")
	last := cutHosts - 1
	nodes[last].Kill()
	nodes[last] = f.open(last)
	took := f.within("the restarted one holds all", func() bool { return nodes[last].Ready() && alike(nodes) })
	rows = append(rows, []string{"process restarted", "its memory is empty: everything", fmt.Sprint(bytesIn(nodes[last:])),
		fmt.Sprint(nodes[last].TransferStats().RecordsIn), fmt.Sprintf("%.2f", took.Seconds())})
	f.table(fmt.Sprintf("Coming back to %d sessions of %d bytes", cutSessions, cutBytes), rows...)
}

func (f *figures) absent(nodes []*node.Node, sessions, times int) []string {
	last := cutHosts - 1
	f.within("alike before", func() bool { return alike(nodes) })
	f.net.Partition(last)
	value := make([]byte, cutBytes)
	for range times {
		for i := range sessions {
			f.put(nodes[0], key("s", i), value)
		}
	}
	f.pause(absence)
	bytes, records := bytesIn(nodes[last:]), nodes[last].TransferStats().RecordsIn
	for i := range last {
		f.net.Unblock(i)
	}
	start := time.Now()
	f.net.Unblock(last)
	f.within("it holds what changed", func() bool { return alike(nodes) })
	took := time.Since(start)
	return []string{fmt.Sprint(absence), fmt.Sprintf("%d sessions, %d times", sessions, times), fmt.Sprint(bytesIn(nodes[last:]) - bytes),
		fmt.Sprint(nodes[last].TransferStats().RecordsIn - records), fmt.Sprintf("%.2f", took.Seconds())}
}
