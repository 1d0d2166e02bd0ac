//go:build linux

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"
)

// report is what a run found out.
type report struct {
	Seed     uint64             `json:"seed"`
	Date     string             `json:"date"`
	For      float64            `json:"seconds"`
	Nodes    int                `json:"nodes"`
	Load     map[string]int64   `json:"load"`
	Faults   map[string]int     `json:"faults"`
	Starts   int                `json:"starts"`
	Judged   int64              `json:"judged"`
	Strict   int64              `json:"strict"`
	Census   int64              `json:"census"`
	Counts   map[string]int     `json:"counts"`
	Findings []finding          `json:"findings"`
	Rounds   []round            `json:"rounds"`
	Median   float64            `json:"converge_median_seconds"`
	Worst    float64            `json:"converge_worst_seconds"`
	Counters map[string]float64 `json:"counters"`
	Errors   map[string]int     `json:"error_lines"`
	Peaks    []peak             `json:"peaks"`
	Slope    float64            `json:"rss_slope_bytes_per_minute"` // in peace, of what the sessions do not account for
	Samples  [][]sample         `json:"samples"`

	logs map[string]string
}

var counted = regexp.MustCompile(`^sessioncast_(.*diverg.*|.*heal.*|repairs_in_total|nacks_out_total|fetches_.*|ack_timeouts_total|dots_in_total|table_held_total|link_kernel_drops_total|seal_refused_total)$`)

func (r *soak) report() *report {
	t, j := &r.tally, r.judge
	out := &report{Seed: r.Seed, Date: r.begun.UTC().Format("2006-01-02"), For: time.Since(r.begun).Seconds(), Nodes: r.Nodes, Load: map[string]int64{
		"writes": t.Writes.Load(), "touches": t.Touches.Load(), "reads": t.Reads.Load(), "reads on another node": t.ReadsElsewhere.Load(),
		"logouts": t.Logouts.Load(), "logouts raced": t.Raced.Load(), "created anew": t.Recreated.Load(), "moves": t.Moves.Load(),
		"contested writes": t.Contested.Load(), "sessions of floods": t.Flooded.Load(),
		"databases emptied": r.flusher.Flushes.Load(), "sessions in the database that is": r.flusher.Created.Load(),
		"acknowledged by a peer": t.Acked.Load(),
		"acknowledged by none":   t.Unacked.Load(), "refused": t.Refused.Load(), "racing writes held off": t.Held.Load(), "unanswered": t.Unanswered.Load()},
		Faults: r.nemesis.counts, Judged: j.judged, Strict: j.strict, Census: j.census, Counts: map[string]int{}, Findings: j.found, Rounds: r.rounds,
		Counters: r.watch.counters(counted), Errors: map[string]int{}, Peaks: r.watch.peaks, Samples: r.watch.settled, logs: map[string]string{}}
	for _, kind := range findings {
		out.Counts[kind] = j.counts[kind]
	}
	for i, n := range r.top.nodes {
		out.Starts += n.starts
		out.logs[nodeName(i)] = r.top.logs(i)
		errorLines(out.logs[nodeName(i)], out.Errors)
	}
	out.Median, out.Worst = convergence(r.rounds)
	out.Slope = slope(r.watch.settled)
	return out
}

func convergence(rounds []round) (median, worst float64) {
	var all []float64
	for _, r := range rounds {
		all = append(all, r.Converge.Seconds())
	}
	if len(all) == 0 {
		return 0, 0
	}
	slices.Sort(all)
	return all[len(all)/2], all[len(all)-1]
}

var (
	errorLine = regexp.MustCompile(`^\S+ ERROR +(.*)$`)
	numbers   = regexp.MustCompile(`[0-9a-f]*[0-9][0-9a-f.:]*`)
)

// errorLines counts what was logged as an error, and whatever Go itself says when a program breaks.
func errorLines(log string, into map[string]int) {
	for line := range strings.Lines(log) {
		line = strings.TrimSpace(line)
		if m := errorLine.FindStringSubmatch(line); m != nil {
			into[numbers.ReplaceAllString(m[1], "N")]++
		} else if broken(line) {
			into[line]++
		}
	}
}

// warm is how old a process is when its memory says something.
const warm = 120 // seconds

// slope is the least-squares growth of resident memory less what the sessions account for, in peace, over all processes
// that lived long enough, in bytes a minute.
func slope(nodes [][]sample) float64 {
	var sumXY, sumXX float64
	for _, list := range nodes {
		for len(list) > 0 {
			n, old := 1, 0
			for n < len(list) && list[n].Start == list[0].Start {
				n++
			}
			for old < n && list[old].At < list[0].At+warm {
				old++
			}
			xy, xx := covariance(list[old:n])
			sumXY, sumXX = sumXY+xy, sumXX+xx
			list = list[n:]
		}
	}
	if sumXX == 0 {
		return 0
	}
	return sumXY / sumXX * 60
}

func covariance(run []sample) (xy, xx float64) {
	var mx, my float64
	for _, s := range run {
		mx += s.At / float64(len(run))
		my += (s.RSS - s.Bytes) / float64(len(run))
	}
	for _, s := range run {
		xy += (s.At - mx) * (s.RSS - s.Bytes - my)
		xx += (s.At - mx) * (s.At - mx)
	}
	return xy, xx
}

func (r *report) failed() bool {
	for _, n := range r.Counts {
		if n > 0 {
			return true
		}
	}
	return slices.ContainsFunc(slices.Collect(maps.Keys(r.Errors)), broken)
}

// broken reports whether a line is one by which Go says that a program broke.
func broken(line string) bool {
	return strings.HasPrefix(line, "panic:") || strings.HasPrefix(line, "fatal error:") || strings.Contains(line, "DATA RACE")
}

func (r *report) json(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(r)
}

// rows are what text and table show.
func (r *report) rows() (list [][2]string) {
	add := func(name, format string, args ...any) {
		list = append(list, [2]string{name, fmt.Sprintf(format, args...)})
	}
	add("seed, nodes, time", "%d, %d, %v", r.Seed, r.Nodes, (time.Duration(r.For) * time.Second))
	for _, name := range slices.Sorted(maps.Keys(r.Load)) {
		add(name, "%d", r.Load[name])
	}
	total := 0
	var kinds []string
	for _, name := range slices.Sorted(maps.Keys(r.Faults)) {
		total += r.Faults[name]
		kinds = append(kinds, fmt.Sprintf("%s %d", name, r.Faults[name]))
	}
	add("faults", "%d: %s", total, strings.Join(kinds, ", "))
	add("daemons started", "%d", r.Starts)
	add("reads judged under faults (with one answer allowed)", "%d (%d)", r.Judged, r.Strict)
	add("reads judged in censuses", "%d", r.Census)
	for _, kind := range findings {
		add("**"+kind+"**", "**%d**", r.Counts[kind])
	}
	add("censuses, all nodes compared in full", "%d", len(r.Rounds))
	add("convergence after healing: median, worst", "%.2f s, %.2f s", r.Median, r.Worst)
	for _, name := range slices.Sorted(maps.Keys(r.Counters)) {
		add("`"+name+"`", "%.0f", r.Counters[name])
	}
	var most peak
	for _, p := range r.Peaks {
		most = peak{max(most.RSS, p.RSS), max(most.FDs, p.FDs), max(most.Goroutines, p.Goroutines)}
	}
	add("a daemon's most: memory, descriptors, goroutines", "%.0f MiB, %.0f, %.0f", most.RSS/(1<<20), most.FDs, most.Goroutines)
	add("growth of memory beyond that of sessions", "%.0f KiB a minute", r.Slope/1024)
	lines := 0
	for _, n := range r.Errors {
		lines += n
	}
	add("log lines at error level", "%d", lines)
	return list
}

func (r *report) text(w io.Writer) {
	for _, row := range r.rows() {
		fmt.Fprintf(w, "  %-50s %s\n", strings.ReplaceAll(row[0], "*", ""), strings.ReplaceAll(row[1], "*", ""))
	}
	for _, line := range slices.Sorted(maps.Keys(r.Errors)) {
		fmt.Fprintf(w, "  ERROR %d × %s\n", r.Errors[line], line)
	}
}

// markdown is the table of docs/reliability.md.
func (r *report) markdown(w io.Writer) {
	fmt.Fprintf(w, "| run of %s | |\n|---|---|\n", r.Date)
	for _, row := range r.rows() {
		fmt.Fprintf(w, "| %s | %s |\n", row[0], row[1])
	}
}
