//go:build linux

package main

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// watch takes the daemons' metrics and looks whether they live. Safe for concurrent use.
type watch struct {
	top   *topology
	judge *judge

	mu       sync.Mutex
	latest   []map[string]float64
	starts   []int
	sums     map[string]float64 // of the runs before, by counter
	peaks    []peak
	settled  [][]sample // of each node, at every census
	crashes  map[int]int
	begun    time.Time
	interval time.Duration
}

// peak is the most that was seen of a daemon.
type peak struct {
	RSS        float64 `json:"rss"`
	FDs        float64 `json:"fds"`
	Goroutines float64 `json:"goroutines"`
}

// sample is a daemon at a census.
type sample struct {
	At         float64 `json:"at"` // seconds
	RSS        float64 `json:"rss"`
	Bytes      float64 `json:"bytes"`
	Sessions   float64 `json:"sessions"`
	Tombstones float64 `json:"tombstones"`
	FDs        float64 `json:"fds"`
	Goroutines float64 `json:"goroutines"`
	Start      int     `json:"start"`
}

func newWatch(top *topology, j *judge) *watch {
	n := len(top.nodes)
	return &watch{top: top, judge: j, latest: make([]map[string]float64, n), starts: make([]int, n), sums: map[string]float64{},
		peaks: make([]peak, n), settled: make([][]sample, n), crashes: map[int]int{}, begun: time.Now(), interval: 2 * time.Second}
}

func (w *watch) run(ctx context.Context) {
	for ctx.Err() == nil {
		w.look()
		wait(ctx, w.interval)
	}
}

func (w *watch) look() {
	for i := range w.top.nodes {
		if _, ended := w.top.alive(i); ended {
			w.judge.find(findCrash, i, "its log ends:\n%s", w.top.tail(i))
			w.top.buried(i)
			continue
		}
		if !w.top.shun(i) {
			w.take(i)
		}
	}
}

// take scrapes one daemon.
func (w *watch) take(i int) {
	w.top.mu.Lock()
	starts := w.top.nodes[i].starts
	w.top.mu.Unlock()
	m, err := scrape(w.top.admin(i))
	if err != nil {
		return // it is starting, ending, or stopped just now
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.starts[i] != starts {
		for name, v := range w.latest[i] {
			w.sums[name] += v
		}
	}
	w.starts[i], w.latest[i] = starts, m
	p := &w.peaks[i]
	p.RSS = max(p.RSS, m["process_resident_memory_bytes"])
	p.FDs = max(p.FDs, m["process_open_fds"])
	p.Goroutines = max(p.Goroutines, m["go_goroutines"])
}

// checkpoint samples every daemon, in peace.
func (w *watch) checkpoint() {
	for i := range w.top.nodes {
		w.take(i)
		w.mu.Lock()
		if m := w.latest[i]; m != nil {
			w.settled[i] = append(w.settled[i], sample{At: time.Since(w.begun).Seconds(), RSS: m["process_resident_memory_bytes"],
				Bytes: m["sessioncast_table_bytes"], Sessions: m["sessioncast_table_sessions"], Tombstones: m["sessioncast_table_tombstones"],
				FDs: m["process_open_fds"], Goroutines: m["go_goroutines"], Start: w.starts[i]})
		}
		w.mu.Unlock()
	}
}

// counter is the sum over all runs of all daemons, as far as it was seen.
func (w *watch) counter(name string) (sum float64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	sum = w.sums[name]
	for _, m := range w.latest {
		sum += m[name]
	}
	return sum
}

// counters lists what was counted under names that fit.
func (w *watch) counters(fits *regexp.Regexp) map[string]float64 {
	w.mu.Lock()
	known := map[string]bool{}
	for _, m := range append(slices.Clone(w.latest), w.sums) {
		for name := range m {
			known[name] = known[name] || fits.MatchString(name)
		}
	}
	w.mu.Unlock()
	out := map[string]float64{}
	for name, fit := range known {
		if fit {
			out[name] = w.counter(name)
		}
	}
	return out
}

const (
	restingFDs        = 200 // of a daemon in peace, besides its clients'
	restingGoroutines = 200
)

// conclude looks at what the daemons hold at the end.
func (w *watch) conclude(clients float64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, list := range w.settled {
		if len(list) == 0 {
			continue
		}
		end := list[len(list)-1]
		if end.FDs > restingFDs+clients || end.Goroutines > restingGoroutines+clients {
			w.judge.find(findLeak, i, "%v descriptors and %v goroutines at the end", end.FDs, end.Goroutines)
		}
	}
}

// scrape reads the metrics that this package uses.
func scrape(path string) (map[string]float64, error) {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}
	c := &http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}, Timeout: time.Second}
	resp, err := c.Get("http://localhost/metrics")
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	return parseMetrics(resp.Body)
}

func parseMetrics(in io.Reader) (map[string]float64, error) {
	m := map[string]float64{}
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		name, value, found := strings.Cut(lines.Text(), " ")
		if !found || strings.HasPrefix(name, "#") || strings.Contains(name, "{") {
			continue
		}
		if v, err := strconv.ParseFloat(value, 64); err == nil {
			m[name] = v
		}
	}
	return m, lines.Err()
}
