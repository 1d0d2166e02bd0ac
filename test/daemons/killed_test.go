package daemons

import (
	"fmt"
	"os"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sessioncast/sessioncast/test/rig"
)

// daemonKills is how often a daemon is killed, where SESSIONCAST_KILLS does not say otherwise: each time takes a second.
const daemonKills = 5

// "Killing the writer right after an acknowledged write loses nothing", with processes: in memory it is checked thousands of times.
func TestADaemonKilledRightAfterWaitLosesNothing(t *testing.T) {
	rounds := daemonKills
	if n, err := strconv.Atoi(os.Getenv("SESSIONCAST_KILLS")); err == nil {
		rounds = n
	}
	l := startLocal(t, "--ack", "1", "--ack-timeout", "50ms")
	ctx, unconfirmed := t.Context(), 0
	for round := range rounds {
		at := round % members
		key, c := fmt.Sprint("kill:", round), l.clients[at]
		if round%3 == 2 { // a logout
			if err := c.Set(ctx, key, round, time.Hour).Err(); err != nil {
				t.Fatal(err)
			}
		}
		var wait *redis.Cmd
		_, err := c.Pipelined(ctx, func(p redis.Pipeliner) error { // on one connection, for which WAIT speaks
			if round%3 == 2 {
				p.Del(ctx, key)
			} else {
				p.Set(ctx, key, round, time.Hour)
			}
			wait = p.Do(ctx, "WAIT", 1, 5000)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := l.daemons[at].Signal(syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		if wait.Val() == int64(0) {
			unconfirmed++
		} else {
			l.survivorsShow(t, at, round)
		}
		l.restart(at)
	}
	t.Logf("%d daemons killed by SIGKILL right after WAIT had counted a peer: nothing was lost (%d more were not confirmed)", rounds-unconfirmed, unconfirmed)
	if unconfirmed > rounds/4 {
		t.Errorf("%d of %d writes were confirmed by nobody within five seconds", unconfirmed, rounds)
	}
}

// survivorsShow waits until all but one show what the round wrote.
func (l *local) survivorsShow(t *testing.T, dead, round int) {
	t.Helper()
	for i, c := range l.clients {
		if i == dead {
			continue
		}
		rig.Eventually(t, fmt.Sprintf("node%d shows what was confirmed in round %d", i, round), func() bool {
			got, err := c.Get(t.Context(), fmt.Sprint("kill:", round)).Result()
			if round%3 == 2 {
				return err == redis.Nil
			}
			return err == nil && got == fmt.Sprint(round)
		})
	}
}

// restart starts a daemon that was killed, and its client.
func (l *local) restart(at int) {
	_ = l.clients[at].Close()
	l.daemons[at].Restart()
	rig.WaitAll(l.daemons)
	l.clients[at] = redis.NewClient(&redis.Options{Addr: l.daemons[at].Status().Clients[0]})
}
