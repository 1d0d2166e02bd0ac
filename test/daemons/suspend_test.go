//go:build unix

package daemons

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sessioncast/sessioncast/test/rig"
)

// suspension is longer than it takes the others to call a member dead.
const suspension = 11 * time.Second

// A laptop's lid, a debugger, a host that swaps: the process does not run, and then goes on as if nothing had happened.
func TestASuspendedDaemonIsCorrectAgainWithoutBeingTold(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a suspension's time")
	}
	t.Parallel()
	l := startLocal(t, "--ack", "1", "--ack-timeout", "50ms")
	ctx := background(t)
	const sessions = 20_000 // more than anybody keeps a log of
	suspended, client := l.daemons[2], l.clients[2]
	writeAll(t, l.clients[0], "before", 100)
	if err := l.clients[0].Set(ctx, "logged out meanwhile", 1, time.Hour).Err(); err != nil {
		t.Fatal(err)
	}
	rig.Eventually(t, "the third has it", func() bool { return client.Exists(ctx, "logged out meanwhile").Val() == 1 })
	if err := suspended.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	asleep := time.Now()
	writeAll(t, l.clients[0], "meanwhile", sessions)
	if err := l.clients[1].Del(ctx, "logged out meanwhile").Err(); err != nil {
		t.Fatal(err)
	}
	writes, slow := 0, 0
	rig.Eventually(t, "the suspension is over", func() bool {
		start := time.Now()
		if err := l.clients[0].Set(ctx, "steady", start.UnixNano(), time.Hour).Err(); err != nil {
			t.Fatal(err)
		}
		writes++
		if time.Since(start) > 45*time.Millisecond {
			slow++
		}
		return time.Since(asleep) > suspension
	})
	if slow*2 > writes { // how few wait before it is left out is asserted under the virtual clock, in test/cluster: here a busy machine adds others
		t.Errorf("%d of %d writes of the others waited for the suspended daemon", slow, writes)
	}
	if err := suspended.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	woken := time.Now()
	rig.Eventually(t, "it holds what it missed", func() bool {
		n, err := client.Exists(ctx, "logged out meanwhile").Result() // an error while it joins again
		return err == nil && n == 0 && suspended.Status().Sessions == 100+sessions+1
	})
	t.Logf("correct %v after it was woken", time.Since(woken).Round(time.Millisecond))
	for _, i := range []int{0, sessions / 2, sessions - 1} {
		name := fmt.Sprint("meanwhile", i)
		if got := client.Get(ctx, name).Val(); got != name {
			t.Errorf("it reads %s as %q", name, got)
		}
	}
	if err := client.Set(ctx, "after", 1, time.Hour).Err(); err != nil {
		t.Fatalf("it takes no writes: %v", err)
	}
	rig.Eventually(t, "the others have what it writes", func() bool { return l.clients[0].Exists(ctx, "after").Val() == 1 })
	if n := suspended.Status().Counters.Divergences; n != 0 {
		t.Errorf("%d divergences", n)
	}
}

func writeAll(t *testing.T, c *redis.Client, name string, n int) {
	t.Helper()
	ctx := background(t)
	for from := 0; from < n; from += pipelined {
		_, err := c.Pipelined(ctx, func(p redis.Pipeliner) error {
			for i := from; i < min(from+pipelined, n); i++ {
				s := fmt.Sprint(name, i)
				p.Set(ctx, s, s, time.Hour)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}
