//go:build linux

package reliability

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sessioncast/sessioncast/internal/nstest"
)

// partsVariable says what to measure: names of parts with commas between them, or "all". Unset: nothing.
const partsVariable = "SCFIGURES"

var parts = []struct {
	name  string
	hosts int
	run   func(*figures)
}{
	{"latency", latencyHosts, latency},
	{"rejoin", cutHosts, rejoin},
	{"heal", cutHosts, heal},
	{"idle", maxIdle, idle},
}

// figures is one measurement under way.
type figures struct {
	*testing.T
	net   *nstest.Net
	begun time.Time
}

// TestFigures measures the parts asked for and prints each as it would stand in docs/reliability.md.
func TestFigures(t *testing.T) {
	asked := os.Getenv(partsVariable)
	if asked == "" {
		t.Skipf("measures only when %s names parts: make figures", partsVariable)
	}
	wanted := strings.Split(asked, ",")
	for _, p := range parts {
		if asked != "all" && !slices.Contains(wanted, p.name) {
			continue
		}
		t.Run(p.name, func(t *testing.T) {
			nstest.Run(t, p.hosts, func(t *testing.T, n *nstest.Net) {
				f := &figures{T: t, net: n, begun: time.Now()}
				p.run(f)
				f.progress("done")
			})
		})
	}
}

// progress says on standard error what is going on.
func (f *figures) progress(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "%6.1f s  %s: %s\n", time.Since(f.begun).Seconds(), f.Name(), fmt.Sprintf(format, args...))
}

// table prints rows as Markdown on standard output, the first of them as the heading.
func (f *figures) table(title string, rows ...[]string) {
	fmt.Printf("\n%s\n\n", title)
	for i, row := range rows {
		fmt.Printf("| %s |\n", strings.Join(row, " | "))
		if i == 0 {
			fmt.Printf("|%s\n", strings.Repeat("---|", len(row)))
		}
	}
	fmt.Println()
}

// ms is a duration in milliseconds as the tables show it.
func ms(d time.Duration) string { return fmt.Sprintf("%.2f", float64(d.Microseconds())/1000) }

// quantile of sorted durations.
func quantile(sorted []time.Duration, q float64) time.Duration {
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}
