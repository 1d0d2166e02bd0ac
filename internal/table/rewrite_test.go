package table

import (
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"testing"
	"time"

	"github.com/sessioncast/sessioncast/internal/hlc"
	"github.com/sessioncast/sessioncast/internal/record"
)

// BenchmarkRewriteOnce writes every session once anew with a value of the same length, by itself and after a transfer gave all of them
// away. SESSIONS says how many there are. The collector runs as in the daemon.
func BenchmarkRewriteOnce(b *testing.B) {
	sessions := 100_000
	if n, err := strconv.Atoi(os.Getenv("SESSIONS")); err == nil {
		sessions = n
	}
	for _, bm := range []struct {
		name string
		sent bool
	}{{"nobody has them", false}, {"sent before", true}} {
		b.Run(bm.name, func(b *testing.B) {
			defer debug.SetGCPercent(debug.SetGCPercent(5))
			for range b.N {
				rewriteOnce(b, sessions, bm.sent)
			}
		})
	}
}

func rewriteOnce(b *testing.B, sessions int, sent bool) {
	t := New(Config{Self: originNo(1), Origins: new(record.Origins), Clock: new(hlc.Clock)})
	all, w := names(sessions), Write{Value: make([]byte, 1024), Due: t0 + hour}
	put := func() {
		for _, name := range all {
			_, _ = t.Put(t0, key(name), &w)
		}
	}
	put()
	put() // the registers have their length from here on
	for cursor, done := uint64(0), !sent; !done; {
		cursor, done = t.Chunk(cursor, 1<<20, nil, func(record.Key, *record.State) {})
	}
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	began := time.Now()
	put()
	took := time.Since(began)
	runtime.ReadMemStats(&after)
	n := float64(sessions)
	b.ReportMetric(float64(took.Nanoseconds())/n, "ns/rewrite")
	b.ReportMetric(float64(after.TotalAlloc-before.TotalAlloc)/n, "B-allocated/rewrite")
	b.ReportMetric(float64(before.HeapInuse)/n, "B-in-use-before/session")
	b.ReportMetric(float64(after.HeapInuse)/n, "B-in-use-at-the-end/session")
	runtime.GC()
	runtime.ReadMemStats(&after)
	b.ReportMetric(float64(after.HeapInuse)/n, "B-in-use-collected/session")
	runtime.KeepAlive(t)
}
