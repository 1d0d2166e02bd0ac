//go:build linux

package daemons

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sessioncast/sessioncast/internal/nstest"
	"github.com/sessioncast/sessioncast/test/rig"
)

// crowdOf makes so many sessions of some size.
func crowdOf(t *testing.T, c *redis.Client, sessions, size int) {
	t.Helper()
	ctx, value := background(t), strings.Repeat("x", size)
	for from := 0; from < sessions; from += pipelined {
		_, err := c.Pipelined(ctx, func(p redis.Pipeliner) error {
			for i := from; i < from+pipelined; i++ {
				p.Set(ctx, fmt.Sprint("s", i), value, time.Hour)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// A daemon that starts where the other holds more than its memory: logouts work there, and what it lacks is not missing.
func TestADaemonWithoutRoomLogsOutAndCallsNothingMissing(t *testing.T) {
	rig.Namespaces(t, 3, func(t *testing.T, n *nstest.Net) {
		ctx, site := background(t), rig.NewSite(t)
		big := site.Serve(rig.In(n, 0), "big")
		big.Wait(1)
		const sessions = 5000
		bigs := clientIn(t, big.Place)
		crowdOf(t, bigs, sessions, 1000)
		small := site.Serve(rig.In(n, 1), "small", "--max-memory", "1MiB")
		rig.Eventually(t, "the small one says what is wrong", func() bool {
			return strings.Contains(small.Log(), "not ready: memory is full")
		})
		c := clientIn(t, small.Place)
		here, there := "", ""
		for i := 0; i < sessions && (here == "" || there == ""); i++ {
			switch err := c.Get(ctx, fmt.Sprint("s", i)).Err(); {
			case err == nil:
				here = fmt.Sprint("s", i)
			case redis.HasErrorPrefix(err, "LOADING this node's --max-memory (1.0 MiB) is smaller than what the cluster holds"):
				there = fmt.Sprint("s", i)
			default:
				t.Fatalf("a session is answered by %v", err)
			}
		}
		for _, id := range []string{here, there} {
			if err := c.Del(ctx, id).Err(); err != nil {
				t.Errorf("a logout of %q: %v", id, err)
			}
			rig.Eventually(t, "the other hears of it", func() bool { return bigs.Get(ctx, id).Err() == redis.Nil })
			if err := clientIn(t, big.Place).Set(ctx, id, "of a request under way", time.Hour).Err(); !redis.HasErrorPrefix(err, "DESTROYED") {
				t.Errorf("after the logout of %q: %v", id, err)
			}
		}
		late := site.Serve(rig.In(n, 2), "late")
		rig.Eventually(t, "one that comes holds all", func() bool { return strings.Contains(late.Log(), "this node has every session") })
		if !strings.Contains(late.Log(), "donor=big") || late.Status().Sessions != sessions-2 {
			t.Errorf("it holds %d sessions, and printed:\n%s", late.Status().Sessions, late.Log())
		}
	})
}

// Who has sessions that nobody else has waits eight seconds for who fetches them, and says that it was too short; so does who is
// left with a part.
func TestTheOnlyDonorThatHasToGoAndItsJoinerSayWhatIsLost(t *testing.T) {
	if testing.Short() {
		t.Skip("moves 150 MB")
	}
	rig.Namespaces(t, 2, func(t *testing.T, n *nstest.Net) {
		site := rig.NewSite(t)
		donor := site.Serve(rig.In(n, 0), "donor")
		donor.Wait(1)
		crowdOf(t, clientIn(t, donor.Place), 30_000, 5000) // more than the kernel's buffers take
		n.Throttle(1, 5<<20)                               // a fifth of them within the eight seconds
		joiner := site.Serve(rig.In(n, 1), "joiner")
		rig.Eventually(t, "the joiner has found its donor", func() bool { return strings.Contains(joiner.Log(), "peer heard, synced") })
		began := time.Now()
		if code := donor.Stop(t, syscall.SIGTERM); code != 1 || time.Since(began) < 7900*time.Millisecond {
			t.Errorf("the donor's exit code is %d, after %v", code, time.Since(began))
		}
		if got := donor.Log(); !strings.Contains(got, "leaving although joining nodes can get the rest of the sessions here only") {
			t.Errorf("the donor printed:\n%s", got)
		}
		rig.Eventually(t, "the joiner serves, and says what is missing", func() bool { return strings.Contains(joiner.Log(), "this node serves, and lacks sessions") })
		s := joiner.Status()
		if s.Sessions >= 30_000 || !strings.Contains(strings.Join(s.Findings, " "), "donor went away while this node fetched them") {
			t.Errorf("%d sessions, findings %q", s.Sessions, s.Findings)
		}
	})
}
