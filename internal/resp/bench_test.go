package resp

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/sessioncast/sessioncast/internal/table"
)

func BenchmarkParser(b *testing.B) {
	value := strings.Repeat("v", 512)
	for _, bm := range []struct{ name, input string }{
		{"GET", encode("GET", "key:000000012345")},
		{"SET 512", encode("SET", "key:000000012345", value, "EX", "1800")},
		{"inline GET", "GET key:000000012345\r\n"},
	} {
		b.Run(bm.name, func(b *testing.B) {
			p := parser{maxBulk: 1 << 20, total: func([]byte) int { return 1 << 20 }}
			in := []byte(bm.input)
			b.SetBytes(int64(len(in)))
			b.ReportAllocs()
			for b.Loop() {
				if n, ok, err := p.next(in); n != len(in) || !ok || err != nil {
					b.Fatal(n, ok, err)
				}
			}
		})
	}
}

// BenchmarkExecute is what a command costs from its bytes to its reply's, without sockets.
func BenchmarkExecute(b *testing.B) {
	value := strings.Repeat("v", 512)
	for _, bm := range []struct{ name, input string }{
		{"GET 512", encode("GET", "key")},
		{"SET 512", encode("SET", "key", value)},
		{"SET 512 EX", encode("SET", "key", value, "EX", "1800")},
		{"PING", encode("PING")},
		{"EXPIRE", encode("EXPIRE", "key", "1800")},
	} {
		b.Run(bm.name, func(b *testing.B) {
			c := loose(newTable())
			c.run([]byte(encode("SET", "key", value, "EX", "1800")))
			in := bytes.Repeat([]byte(bm.input), 16)
			b.ReportAllocs()
			for i := 0; i < b.N; i += 16 {
				c.out = c.out[:0]
				if used, _ := c.run(in); used != len(in) {
					b.Fatal(used)
				}
			}
		})
	}
}

// loose is a client without a connection.
func loose(t *table.Table) *client {
	cfg := Config{Table: t, Listeners: []string{"none"}}
	cfg.setDefaults()
	s := &Server{cfg: cfg, clients: make(map[uint64]*client)}
	c := newClient(s, silent{}, "test", "test")
	c.enough = maxOutput
	return c
}

type silent struct{}

func (silent) resume(*client) {}

// BenchmarkAgainstRedis lets redis-benchmark measure a Redis and this server by turns and reports the ratio of the medians:
// above 1 this server is faster.
func BenchmarkAgainstRedis(b *testing.B) {
	bin, err := exec.LookPath("redis-benchmark")
	if err != nil {
		b.Skip("SKIPPED: no redis-benchmark is installed, so nothing is compared with Redis")
	}
	port := freePort(b)
	redisUnix := startRedis(b, "--port", port)
	s := serve(b, func(cfg *Config) {
		cfg.Listeners = append(cfg.Listeners, unixPrefix+filepath.Join(b.TempDir(), "s"))
	})
	for _, pipeline := range []int{1, 16} {
		for _, kind := range []string{"TCP", "Unix"} {
			theirs, ours := "127.0.0.1:"+port, s.Addrs()[0]
			if kind == "Unix" {
				theirs, ours = redisUnix, s.Addrs()[1]
			}
			b.Run(fmt.Sprintf("%s -P %d", kind, pipeline), func(b *testing.B) {
				versus(b, bin, theirs, ours, pipeline)
			})
		}
	}
}

// rounds are so many because rounds differ by up to half among each other, more than the two do. Who is first changes.
const rounds = 9

func versus(b *testing.B, bin, theirs, ours string, pipeline int) {
	results := map[string][]float64{}
	for round := range 2 * rounds {
		who, addr := "redis", theirs
		if (round+1)/2%2 == 1 {
			who, addr = "ours", ours
		}
		for test, rate := range redisBenchmark(b, bin, addr, pipeline) {
			results[who+test] = append(results[who+test], rate)
		}
	}
	for _, test := range []string{"SET", "GET"} {
		r, o := results["redis"+test], results["ours"+test]
		slices.Sort(r)
		slices.Sort(o)
		b.ReportMetric(o[len(o)/2]/r[len(r)/2], test+"-ratio")
		b.Logf("%s -P %d: Redis %.0f [%.0f..%.0f], ours %.0f [%.0f..%.0f] requests/s", test, pipeline,
			r[len(r)/2], r[0], r[len(r)-1], o[len(o)/2], o[0], o[len(o)-1])
	}
}

func redisBenchmark(b *testing.B, bin, addr string, pipeline int) map[string]float64 {
	requests := "200000"
	if testing.Short() {
		requests = "40000"
	}
	args := []string{"-t", "set,get", "-d", "512", "-n", requests, "-c", "50", "-P", strconv.Itoa(pipeline), "--csv"}
	if path, ok := strings.CutPrefix(addr, unixPrefix); ok {
		args = append(args, "-s", path)
	} else {
		_, port, _ := net.SplitHostPort(addr)
		args = append(args, "-p", port)
	}
	out, err := exec.Command(bin, args...).Output()
	if err != nil {
		b.Fatal(err)
	}
	lines, err := csv.NewReader(bytes.NewReader(out)).ReadAll()
	if err != nil {
		b.Fatal(err)
	}
	rates := map[string]float64{}
	for _, line := range lines[1:] {
		rates[line[0]], _ = strconv.ParseFloat(line[1], 64)
	}
	return rates
}

func freePort(b *testing.B) string {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer ln.Close()
	_, port, _ := net.SplitHostPort(ln.Addr().String())
	return port
}
