//go:build linux

package daemons

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/sessioncast/sessioncast/test/rig"
)

// What a process may take besides its limit: half as much again, for pages that are partly in use and for garbage, and a
// fixed amount for the program, its buffers and its logs.
const (
	floodLimit    = 64 << 20
	floodShare    = floodLimit / 2
	floodOverhead = 32 << 20
)

// A daemon that is flooded with new sessions, with new values for old ones, and with other sessions in the place of
// destroyed ones, stays close to its limit, whatever their size.
func TestAFloodedDaemonStaysNearItsLimit(t *testing.T) {
	for _, size := range []int{100, 1 << 10, 64 << 10} {
		t.Run(fmt.Sprint(size, " bytes"), func(t *testing.T) {
			site := rig.NewSite(t)
			d := site.Serve(rig.Here, "flooded", "--address", "127.0.0.1", "--port", fmt.Sprint(freePort(t)), "--log-level", "info",
				"--cluster", fmt.Sprintf("flood-%d", os.Getpid()), "--max-memory", fmt.Sprint(floodLimit), "--resp", "127.0.0.1:0")
			d.Wait(1)
			c := redis.NewClient(&redis.Options{Addr: d.Status().Clients[0]})
			defer func() { _ = c.Close() }()
			f := &flood{t: t, c: c, size: size, fit: floodLimit / (size + 100)}
			f.set(0, 2*f.fit)
			if f.refused == 0 {
				t.Fatal("nothing was refused: no flood")
			}
			fresh := peak(t, d)
			f.set(0, f.fit)
			f.set(0, f.fit)
			written := peak(t, d)
			for i := range f.fit / 2 {
				f.do("DEL", f.key(2*i))
			}
			f.set(2*f.fit, f.fit)
			f.flush()
			churned := peak(t, d)
			t.Logf("limit %d MiB: new %d, written over %d, others %d MiB", floodLimit>>20, fresh>>20, written>>20, churned>>20)
			if churned > floodLimit+floodShare+floodOverhead {
				t.Errorf("%d MiB for a limit of %d", churned>>20, floodLimit>>20)
			}
		})
	}
}

type flood struct {
	t       *testing.T
	c       *redis.Client
	size    int
	fit     int
	pipe    redis.Pipeliner
	refused int
}

func (f *flood) key(i int) string { return fmt.Sprintf("flood:%032d", i) }

func (f *flood) set(from, count int) {
	value := strings.Repeat("v", f.size)
	for i := range count {
		f.do("SETEX", f.key(from+i), "3600", value)
	}
	f.flush()
}

func (f *flood) do(args ...any) {
	if f.pipe == nil {
		f.pipe = f.c.Pipeline()
	}
	f.pipe.Do(context.Background(), args...)
	if f.pipe.Len()*(f.size+100) > 256<<10 {
		f.flush()
	}
}

func (f *flood) flush() {
	if f.pipe == nil {
		return
	}
	replies, _ := f.pipe.Exec(context.Background())
	for _, r := range replies {
		switch err := r.Err(); {
		case err == nil:
		case strings.HasPrefix(err.Error(), "OOM"):
			f.refused++
		default:
			f.t.Fatal(err)
		}
	}
	f.pipe = nil
}

// peak is the most of the machine's memory that the process ever held.
func peak(t *testing.T, d *rig.Daemon) int64 {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", d.PID()))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "VmHWM:")
	kib, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return kib << 10
}
