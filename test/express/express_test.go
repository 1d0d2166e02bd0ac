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
		soon  bool // the next request may be too early, but not for long: what one acknowledgement promises
	}{
		{"v4", 0, ackAll, false},
		{"v6", 0, append([]string{"--use", "v6"}, ackAll...), false},
		{"v4 with 5 percent loss", 5, ackAll, false},
		{"v6 with 5 percent loss", 5, append([]string{"--use", "v6"}, ackAll...), false},
		{"without options with 5 percent loss", 5, nil, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			needApp(t)
			t.Parallel() // they mostly wait
			rig.Namespaces(t, servers, func(t *testing.T, n *nstest.Net) {
				list := startServers(t, n, c.flags)
				for i := range servers {
					n.Loss(i, c.loss)
				}
				(&scenario{t, list, c.soon}).run()
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

// scenario is what users do on the servers.
type scenario struct {
	*testing.T
	servers []*server
	soon    bool
}

func (s *scenario) run() {
	ids := s.oneUser()
	s.crash(ids)
}

// oneUser logs in on one server, changes on another, and logs out on a third; it returns the ids that there were.
func (s *scenario) oneUser() (ids []string) {
	first, second, third := s.servers[0], s.servers[1], s.servers[2]
	alice := &user{name: userMark + " alice"}
	s.answers("before", alice.me(first), page{})
	s.answers("logged in", alice.login(first), page{User: &alice.name})
	old := *alice
	s.sees("logged in on the first", second, alice, page{User: &alice.name})
	s.sees("logged in on the first", third, alice, page{User: &alice.name})

	note := noteMark + " 1"
	s.answers("changed", alice.change(second, note), page{&alice.name, &note})
	s.sees("changed on the second", third, alice, page{&alice.name, &note})
	s.sees("changed on the second", first, alice, page{&alice.name, &note})

	alice.ask(second, http.MethodPost, "/regenerate", nil)
	if alice.cookie == old.cookie {
		s.Error("the session has the same id after it was regenerated")
	}
	for _, on := range s.servers {
		s.sees("regenerated on the second", on, alice, page{&alice.name, &note})
		s.sees("with the id of before", on, &old, page{})
	}
	ids = []string{old.sessionID(), alice.sessionID()}
	alice.ask(third, http.MethodPost, "/logout", nil)
	for _, on := range s.servers {
		s.sees("logged out on the third", on, alice, page{})
	}
	return ids
}

// crash kills the first server's daemon while many are logged in, and lets things happen until it is back.
func (s *scenario) crash(ids []string) {
	users := make([]*user, manyLogins)
	for i := range users {
		users[i] = &user{name: fmt.Sprint(userMark, " ", i)}
		users[i].login(s.servers[i%servers])
		ids = append(ids, users[i].sessionID())
	}
	home, other := s.servers[0], s.servers[1]
	rig.Eventually(s, "another server holds every session", func() bool { return other.daemon.Status().Sessions == manyLogins })
	home.daemon.Kill()
	note := noteMark + " meanwhile"
	users[0].change(other, note)
	users[1].ask(s.servers[2], http.MethodPost, "/logout", nil)
	home.daemon.Restart()
	restarted := time.Now()
	home.daemon.Wait(servers)
	s.Logf("the restarted daemon had every session after %v", time.Since(restarted))
	if got := home.daemon.Status().Sessions; got != manyLogins-1 {
		s.Errorf("the restarted daemon holds %d sessions, want %d", got, manyLogins-1)
	}
	rig.Eventually(s, "the app has found its daemon again", func() bool {
		browser := *users[2]
		_, err := browser.request(home, http.MethodGet, "/me", nil)
		return err == nil
	})
	s.sees("changed while its server was away", home, users[0], page{&users[0].name, &note})
	s.sees("logged out while its server was away", home, users[1], page{})
	for _, u := range users[2:] {
		s.sees("logged in before the crash", home, u, page{User: &u.name})
	}
	logsHoldNone(s.T, s.servers, append(ids, userMark, noteMark))
}

func (s *scenario) answers(when string, got, want page) {
	s.Helper()
	if got.String() != want.String() {
		s.Fatalf("%s: %v, want %v", when, got, want)
	}
}

// sees asks a server who a user is; it must know at once.
func (s *scenario) sees(when string, on *server, u *user, want page) {
	s.Helper()
	browser := *u // what is answered changes no cookie
	got := browser.me(on)
	if s.soon {
		rig.Eventually(s, fmt.Sprintf("%s: %s answers %v", when, on.name, want), func() bool {
			got = browser.me(on)
			return got.String() == want.String()
		})
	}
	s.answers(when+": "+on.name, got, want)
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
