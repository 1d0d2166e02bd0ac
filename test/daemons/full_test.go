//go:build linux

package daemons

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sessioncast/sessioncast/internal/nstest"
	"github.com/sessioncast/sessioncast/test/rig"
)

const (
	fullLimit = 32 << 20
	fullMost  = fullLimit + fullLimit/2 + 64<<20 // what README tells the operator
	fullTime  = 5 * time.Minute                  // ample
)

// crowd is a client of the first of two daemons with little memory that makes too many sessions.
type crowd struct {
	t       *testing.T
	ctx     context.Context
	daemons []*rig.Daemon
	c       *redis.Client
	other   *redis.Client // of the second daemon
	size    int
	made    int
}

func newCrowd(t *testing.T, n *nstest.Net) *crowd {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), fullTime)
	t.Cleanup(cancel)
	f := &crowd{t: t, ctx: ctx}
	site := rig.NewSite(t)
	for i := range 2 {
		f.daemons = append(f.daemons, site.Serve(rig.In(n, i), fmt.Sprint("node", i), "--log-level", "info", "--max-memory", fmt.Sprint(fullLimit)))
	}
	rig.WaitAll(f.daemons)
	f.c, f.other = clientIn(t, f.daemons[0].Place), clientIn(t, f.daemons[1].Place)
	return f
}

func (f *crowd) name(i int) string { return fmt.Sprint(f.size, "-", i) }

// batch is how many sessions go into a pipeline.
func (f *crowd) batch() int { return min(max(1, (1<<20)/f.size), pipelined) }

// fill makes new sessions until one is refused, by OOM and nothing else.
func (f *crowd) fill(life time.Duration) {
	f.t.Helper()
	value := strings.Repeat("x", f.size)
	for f.made = 0; ; {
		cmds, err := f.c.Pipelined(f.ctx, func(p redis.Pipeliner) error {
			for i := range f.batch() {
				p.Set(f.ctx, f.name(f.made+i), value, life)
			}
			return nil
		})
		for _, cmd := range cmds {
			if cmd.Err() == nil {
				f.made++
			} else if !redis.HasErrorPrefix(cmd.Err(), "OOM") {
				f.t.Fatal(cmd.Err())
			}
		}
		if err != nil {
			return
		}
	}
}

// churn writes every session over, all of them round after round.
func (f *crowd) churn(rounds int) {
	f.t.Helper()
	for round := range rounds {
		value := strings.Repeat(string(rune('a'+round)), f.size)
		for from := 0; from < f.made; from += f.batch() {
			_, err := f.c.Pipelined(f.ctx, func(p redis.Pipeliner) error {
				for i := from; i < min(from+f.batch(), f.made); i++ {
					p.Set(f.ctx, f.name(i), value, time.Hour)
				}
				return nil
			})
			if err != nil {
				f.t.Fatalf("a session that is there cannot be written: %v", err)
			}
		}
	}
}

func (f *crowd) destroy() {
	f.t.Helper()
	for from := 0; from < f.made; from += pipelined {
		var names []string
		for i := from; i < min(from+pipelined, f.made); i++ {
			names = append(names, f.name(i))
		}
		if n, err := f.c.Del(f.ctx, names...).Result(); err != nil || int(n) != len(names) {
			f.t.Fatalf("%d of %d destroyed: %v", n, len(names), err)
		}
	}
}

// goesOn checks what full nodes do for the sessions that are there: it destroys the last one.
func (f *crowd) goesOn() {
	f.t.Helper()
	f.made--
	name := f.name(f.made)
	if err := f.c.Expire(f.ctx, name, 2*time.Hour).Err(); err != nil {
		f.t.Errorf("a session cannot be extended: %v", err)
	}
	for who, c := range map[string]*redis.Client{"the first": f.c, "the other": f.other} {
		rig.Eventually(f.t, who+" reads a session", func() bool { return c.Get(f.ctx, name).Val() != "" })
	}
	if n, err := f.c.Del(f.ctx, name).Result(); n != 1 || err != nil {
		f.t.Errorf("a session cannot be destroyed: %d, %v", n, err)
	}
	rig.Eventually(f.t, "the logout is seen by the other", func() bool { return errors.Is(f.other.Get(f.ctx, name).Err(), redis.Nil) })
}

// otherRefuses waits until the other is as full; what it makes until then ends soon.
func (f *crowd) otherRefuses() {
	f.t.Helper()
	tried := 0
	rig.Eventually(f.t, "the other is as full", func() bool {
		tried++
		err := f.other.Set(f.ctx, fmt.Sprint("other", tried), strings.Repeat("x", f.size), time.Second).Err()
		return redis.HasErrorPrefix(err, "OOM")
	})
}

func (f *crowd) withinMemory(after string) {
	f.t.Helper()
	for _, d := range f.daemons {
		st, got := d.Status(), peak(f.t, d)
		f.t.Logf("%s: %s took up to %d MiB, now %d sessions in %d bytes", after, d.Name, got>>20, st.Sessions, st.Bytes)
		if got > fullMost {
			f.t.Errorf("%s: %s took up to %d bytes, more than %d", after, d.Name, got, fullMost)
		}
		if !st.Ready || st.Counters.Divergences != 0 {
			f.t.Errorf("%s: %s ready: %v, %d divergences", after, d.Name, st.Ready, st.Counters.Divergences)
		}
	}
}

// A flood of new sessions on one of two daemons: both refuse more, go on with those that are there, and take new ones again.
func TestTwoFullDaemonsGoOnAndRecover(t *testing.T) {
	if testing.Short() {
		t.Skip("fills memories")
	}
	rig.Namespaces(t, 2, func(t *testing.T, n *nstest.Net) {
		f := newCrowd(t, n)
		for size, rounds := range map[int]int{1 << 10: 1, 64 << 10: 2} {
			f.size = size
			f.fill(time.Hour)
			if most := fullLimit / size; f.made > most || f.made < most/8 {
				t.Errorf("%d sessions of %d bytes were made", f.made, size)
			}
			f.otherRefuses()
			f.churn(rounds)
			f.goesOn()
			f.destroy()
			f.withinMemory(fmt.Sprint("filled, churned and emptied of sessions of ", size))
		}
		f.size = 32 << 10
		f.fill(4 * time.Second)
		rig.Eventually(t, "all have expired and new ones are made", func() bool {
			return f.daemons[1].Status().Sessions == 0 && f.other.Set(f.ctx, "new", strings.Repeat("x", 1<<20), time.Hour).Err() == nil
		})
		f.withinMemory("in the end")
	})
}

// Large values go in hundreds of fragments, of which a loss lets many be put together at a time.
func TestLargeValuesUnderLossStayWithinTheMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("fills memories")
	}
	rig.Namespaces(t, 2, func(t *testing.T, n *nstest.Net) {
		f := newCrowd(t, n)
		for i := range f.daemons {
			n.Loss(i, 5)
		}
		f.size, f.made = 1<<20, 10
		f.churn(4)
		for i := range f.made {
			want := f.c.Get(f.ctx, f.name(i)).Val()
			rig.Within(t, fullTime, "the other has what was written last", func() bool { return f.other.Get(f.ctx, f.name(i)).Val() == want })
		}
		rig.Eventually(t, "both are ready", func() bool { return f.daemons[0].Status().Ready && f.daemons[1].Status().Ready })
		f.withinMemory("written over under loss")
		if c := f.daemons[1].Status().Counters; c.Nacks == 0 {
			t.Error("nothing was lost, so nothing was tested")
		}
		f.destroy()
		rig.Eventually(t, "both are empty", func() bool { return f.daemons[0].Status().Sessions+f.daemons[1].Status().Sessions == 0 })
	})
}
