//go:build linux

package reliability

import (
	"fmt"
	"os"
	"strings"
	"time"
)

const (
	maxIdle      = 32
	idleSettle   = 10 * time.Second
	idleMeasured = 20 * time.Second
)

// idle measures what clusters send that nobody writes to, as their interfaces count it: Ethernet headers, acknowledgements
// of TCP and whatever else leaves them.
func idle(f *figures) {
	rows := [][]string{{"nodes", "bytes/s of a node", "datagrams/s of a node", "bytes/s of all nodes together", "bytes/s that a node receives"}}
	for _, n := range []int{3, 10, maxIdle} {
		nodes := f.cluster(n)
		f.put(nodes[0], key("s", 0), []byte("somebody is logged in"))
		f.progress("%d nodes settle", n)
		f.pause(idleSettle)
		before := f.interfaces(n)
		f.progress("%d nodes are measured", n)
		start := time.Now()
		f.pause(idleMeasured)
		d, secs := f.interfaces(n).since(before), time.Since(start).Seconds()
		each := secs * float64(n)
		rows = append(rows, []string{fmt.Sprint(n), fmt.Sprintf("%.0f", float64(d.txBytes)/each), fmt.Sprintf("%.1f", float64(d.txPackets)/each),
			fmt.Sprintf("%.0f", float64(d.txBytes)/secs), fmt.Sprintf("%.0f", float64(d.rxBytes)/each)})
		f.close(nodes)
	}
	f.table("An idle cluster", rows...)
}

// wireCounts is what interfaces counted.
type wireCounts struct{ rxBytes, txBytes, txPackets uint64 }

func (w wireCounts) since(b wireCounts) wireCounts {
	return wireCounts{w.rxBytes - b.rxBytes, w.txBytes - b.txBytes, w.txPackets - b.txPackets}
}

// interfaces sums the counters of the first n hosts.
func (f *figures) interfaces(n int) (sum wireCounts) {
	f.Helper()
	for i := range n {
		var text []byte
		var err error
		f.net.Do(i, func() { text, err = os.ReadFile("/proc/thread-self/net/dev") })
		if err != nil {
			f.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			name, counts, found := strings.Cut(strings.TrimSpace(line), ":")
			if !found || name != "eth0" {
				continue
			}
			var rx, tx [8]uint64
			if _, err := fmt.Sscan(counts, &rx[0], &rx[1], &rx[2], &rx[3], &rx[4], &rx[5], &rx[6], &rx[7], &tx[0], &tx[1]); err != nil {
				f.Fatal(err)
			}
			sum.rxBytes += rx[0]
			sum.txBytes += tx[0]
			sum.txPackets += tx[1]
		}
	}
	return sum
}
