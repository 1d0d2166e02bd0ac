//go:build linux

package express

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sessioncast/sessioncast/internal/nstest"
	"github.com/sessioncast/sessioncast/test/rig"
)

func TestMain(m *testing.M) { rig.Main(m) }

const (
	servers    = 3
	userMark   = "name-that-no-log-may-hold"
	noteMark   = "note-that-no-log-may-hold"
	manyLogins = 60
)

// An acknowledgement of all makes what one server has answered true on every other for the next request. Its time is
// long here, since a loaded machine that runs tests may stop a daemon for longer than 50 ms.
var ackAll = []string{"--ack", "all", "--ack-timeout", "5s"}

func TestAnExpressAppOnThreeServersSharesItsSessions(t *testing.T) {
	for _, c := range []struct {
		name  string
		loss  float64
		flags []string
	}{
		{"v4", 0, nil},
		{"v4 with 5 percent loss", 5, nil},
		{"v6", 0, []string{"--use", "v6"}},
		{"v6 with 5 percent loss", 5, []string{"--use", "v6"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			needApp(t)
			t.Parallel() // they mostly wait
			rig.Namespaces(t, servers, func(t *testing.T, n *nstest.Net) {
				list := startServers(t, n, append(c.flags, ackAll...))
				for i := range servers {
					n.Loss(i, c.loss)
				}
				scenario(t, list)
			})
		})
	}
}

func startServers(t *testing.T, n *nstest.Net, flags []string) []*server {
	t.Helper()
	site := rig.NewSite(t)
	var list []*server
	var daemons []*rig.Daemon
	for i := range servers {
		name := fmt.Sprint("server", i+1)
		daemon := site.Serve(rig.In(n, i), name, flags...)
		daemons = append(daemons, daemon)
		list = append(list, &server{t: t, name: name, daemon: daemon})
	}
	rig.WaitAll(daemons)
	for _, s := range list {
		s.startApp()
	}
	for _, s := range list {
		s.listening()
	}
	return list
}

func scenario(t *testing.T, list []*server) {
	first, second, third := list[0], list[1], list[2]
	alice := &user{name: userMark + " alice"}
	expect(t, "before", alice.me(first), page{})
	expect(t, "logged in", alice.login(first), page{User: &alice.name})
	old := *alice
	expect(t, "the second server on the next request", alice.me(second), page{User: &alice.name})
	expect(t, "the third server on the next request", alice.me(third), page{User: &alice.name})

	note := noteMark + " 1"
	expect(t, "changed on the second", alice.change(second, note), page{&alice.name, &note})
	expect(t, "read on the third", alice.me(third), page{&alice.name, &note})
	expect(t, "read on the first", alice.me(first), page{&alice.name, &note})

	alice.ask(second, http.MethodPost, "/regenerate", nil)
	if alice.cookie == old.cookie {
		t.Error("the session has the same id after it was regenerated")
	}
	for _, s := range list {
		renewed := *alice
		expect(t, "regenerated, on "+s.name, renewed.me(s), page{&alice.name, &note})
		stolen := old
		expect(t, "the id of before, on "+s.name, stolen.me(s), page{})
	}

	gone := *alice
	alice.ask(third, http.MethodPost, "/logout", nil)
	for _, s := range list {
		again := gone
		expect(t, "logged out, on "+s.name, again.me(s), page{})
	}
	crash(t, list, []string{old.sessionID(), gone.sessionID()})
}

// crash kills the first server's daemon while many are logged in, and lets things happen until it is back.
func crash(t *testing.T, list []*server, ids []string) {
	users := make([]*user, manyLogins)
	for i := range users {
		users[i] = &user{name: fmt.Sprint(userMark, " ", i)}
		users[i].login(list[i%servers])
		ids = append(ids, users[i].sessionID())
	}
	list[0].daemon.Kill()
	note := noteMark + " meanwhile"
	users[0].change(list[1], note)
	away := *users[1]
	users[1].ask(list[2], http.MethodPost, "/logout", nil)
	list[0].daemon.Restart()
	restarted := time.Now()
	list[0].daemon.Wait(servers)
	if took := time.Since(restarted); took > 10*time.Second {
		t.Errorf("the restarted daemon needed %v to have every session", took)
	}
	if got := list[0].daemon.Status().Sessions; got != manyLogins-1 {
		t.Errorf("the restarted daemon holds %d sessions, want %d", got, manyLogins-1)
	}
	rig.Eventually(t, "the app has found its daemon again", func() bool {
		_, err := new(user).request(list[0], http.MethodGet, "/me", nil)
		return err == nil
	})
	for i, u := range users {
		switch i {
		case 0:
			expect(t, "changed while its server was away", u.me(list[0]), page{&u.name, &note})
		case 1:
			expect(t, "logged out while its server was away", away.me(list[0]), page{})
		default:
			expect(t, "after the crash", u.me(list[0]), page{User: &u.name})
		}
	}
	logsHoldNone(t, list, append(ids, userMark, noteMark))
}

func expect(t *testing.T, when string, got, want page) {
	t.Helper()
	if got.String() != want.String() {
		t.Fatalf("%s: %v, want %v", when, got, want)
	}
}

// logsHoldNone looks for what no daemon may print, though they ran at the level debug.
func logsHoldNone(t *testing.T, list []*server, secrets []string) {
	t.Helper()
	for _, s := range list {
		printed := s.daemon.AllLogs()
		if printed == "" {
			t.Errorf("%s's daemon printed nothing", s.name)
		}
		for _, secret := range secrets {
			if secret == "" {
				t.Fatal("no secret to look for")
			}
			if strings.Contains(printed, secret) {
				t.Errorf("%s's daemon printed %q", s.name, secret)
			}
		}
	}
}
