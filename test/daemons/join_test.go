//go:build linux

package daemons

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sessioncast/sessioncast/internal/nstest"
	"github.com/sessioncast/sessioncast/test/rig"
)

const (
	manySessions = 10_000
	sessionBytes = 1024
	pipelined    = 500
	idMark       = "id-that-no-log-may-hold:"
	contentMark  = "content-that-no-log-may-hold:"
)

func TestAFourthDaemonJoinsTenThousandSessions(t *testing.T) {
	for name, loss := range map[string]float64{"without loss": 0, "with 1 percent loss": 1} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // they mostly wait
			rig.Namespaces(t, members+1, func(t *testing.T, n *nstest.Net) {
				site := rig.NewSite(t)
				var daemons []*rig.Daemon
				for i := range members {
					daemons = append(daemons, site.Serve(rig.In(n, i), fmt.Sprint("node", i)))
				}
				rig.WaitAll(daemons)
				for i := range members + 1 {
					n.Loss(i, loss)
				}
				fill(t, daemons)
				fourth := site.Serve(rig.In(n, members), "fourth")
				daemons = append(daemons, fourth)
				rig.WaitAll(daemons)
				for _, d := range daemons {
					rig.Eventually(t, d.Name+" holds all", func() bool { return d.Status().Sessions == manySessions })
				}
				readAll(t, clientIn(t, fourth.Place))
				logsHoldNothing(t, daemons)
			})
		})
	}
}

func session(i int) (id, content string) {
	content = fmt.Sprint(contentMark, i, " ")
	return fmt.Sprint(idMark, i), content + strings.Repeat("x", sessionBytes-len(content))
}

// fill writes the sessions on all daemons in turn, as a website at work does but faster.
func fill(t *testing.T, daemons []*rig.Daemon) {
	t.Helper()
	ctx := background(t)
	for from := 0; from < manySessions; from += pipelined {
		c := clientIn(t, daemons[from/pipelined%len(daemons)].Place)
		_, err := c.Pipelined(ctx, func(p redis.Pipeliner) error {
			for i := from; i < from+pipelined; i++ {
				id, content := session(i)
				p.Set(ctx, id, content, time.Hour)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func readAll(t *testing.T, c *redis.Client) {
	t.Helper()
	ctx := background(t)
	for from := 0; from < manySessions; from += pipelined {
		var ids, want []string
		for i := from; i < from+pipelined; i++ {
			id, content := session(i)
			ids, want = append(ids, id), append(want, content)
		}
		got, err := c.MGet(ctx, ids...).Result()
		if err != nil {
			t.Fatal(err)
		}
		for i := range got {
			if got[i] != want[i] {
				t.Fatalf("the fourth daemon reads session %d as %.40v…", from+i, got[i])
			}
		}
	}
}

func logsHoldNothing(t *testing.T, daemons []*rig.Daemon) {
	t.Helper()
	for _, d := range daemons {
		for _, mark := range []string{idMark, contentMark} {
			if strings.Contains(d.AllLogs(), mark) {
				t.Errorf("%s printed %q", d.Name, mark)
			}
		}
	}
}
