//go:build linux

package expresscookie

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/sessioncast/sessioncast/internal/nstest"
	"github.com/sessioncast/sessioncast/test/rig"
)

const (
	userMark = "name-that-no-log-may-hold"
	noteMark = "note-that-no-log-may-hold"
)

// An acknowledgement of all makes what one server has answered true on every other for the next request.
var ackAll = []string{"--ack", "all", "--ack-timeout", "5s"}

// On each of two servers a daemon and an Express app; beside the first a Go service with a node of its own. Who logs in at one is logged
// in at all, and who logs out is logged out at all, also where a request was still running.
func TestAGoServiceSharesTheLoginOfAnExpressApp(t *testing.T) {
	for name, store := range map[string]string{"with connect-redis": "", "with the store of node": "../../../node/express-session"} {
		t.Run(name, func(t *testing.T) {
			needPackages(t)
			rig.Namespaces(t, 2, func(t *testing.T, n *nstest.Net) {
				s := startAll(t, n, store)
				s.run()
				if store != "" { // connect-redis writes whole sessions, and knows no users
					s.atOnce()
					s.devices()
				}
			})
		})
	}
}

func (s *site) run() {
	alice := &user{T: s.t}
	s.everywhere(alice, "before", page{Minutes: halfAnHour})

	// In Express, read and changed in Go, out in Go.
	name, note := userMark+" alice", noteMark+" 1"
	alice.post(s.express[0], "/login", "user", name)
	s.everywhere(alice, "logged in in Express", page{&name, nil, halfAnHour, 0})
	alice.post(s.service, "/change", "note", note)
	s.everywhere(alice, "changed in Go", page{&name, &note, halfAnHour, 0})
	second := noteMark + " 2"
	alice.post(s.express[1], "/change", "note", second)
	s.everywhere(alice, "changed in Express", page{&name, &second, halfAnHour, 0})
	alice.post(s.service, "/logout", "", "")
	s.everywhere(alice, "logged out in Go", page{Minutes: halfAnHour})

	// In Go, read and changed in Express, out in Express while a request runs in Go.
	planted := alice.sessionID()
	alice.post(s.service, "/login", "user", name)
	if alice.sessionID() == planted {
		s.t.Error("the id was not changed at the login")
	}
	s.everywhere(alice, "logged in in Go", page{&name, nil, halfAnHour, 0})
	alice.post(s.express[1], "/change", "note", note)
	s.everywhere(alice, "changed in Express", page{&name, &note, halfAnHour, 0})
	s.logoutDuringASlowRequest(alice)
	s.everywhere(alice, "logged out in Express during a request in Go", page{Minutes: halfAnHour})
	if !strings.Contains(s.service.process.Log(), "event: destroyed") {
		s.t.Error("the service was not told of the save that came too late")
	}
	s.logsHoldNone(append(alice.ids, userMark, noteMark))
}

const halfAnHour = 30

// atOnce has many requests of one session run at the same time, everywhere, each setting a key of its own: none is lost.
func (s *site) atOnce() {
	const each = 40
	name := userMark + " busy"
	u := &user{T: s.t}
	u.post(s.express[0], "/login", "user", name)
	s.everywhere(u, "logged in", page{&name, nil, halfAnHour, 0})
	var all sync.WaitGroup
	for i, p := range s.programs() {
		for j := range each {
			browser := *u
			all.Go(func() {
				if _, err := browser.ask(p, http.MethodPost, "/key", map[string]string{"key": fmt.Sprint("key", i, "-", j)}); err != nil {
					s.t.Error(err)
				}
			})
		}
	}
	all.Wait()
	s.everywhere(u, "after all requests", page{&name, nil, halfAnHour, each * len(s.programs())})
}

// devices logs one user in everywhere, and out everywhere at once.
func (s *site) devices() {
	name := userMark + " of many devices"
	var devices []*user
	for _, p := range s.programs() {
		u := &user{T: s.t}
		u.post(p, "/login", "user", name)
		s.everywhere(u, "logged in on a device", page{&name, nil, halfAnHour, 0})
		devices = append(devices, u)
	}
	(&user{T: s.t}).post(s.service, "/logout-everywhere", "user", name)
	for _, u := range devices {
		s.everywhere(u, "logged out on all devices", page{Minutes: halfAnHour})
	}
}

// program is an app or a service of a server.
type program struct {
	name    string
	url     string
	process *rig.Process
	client  *http.Client
}

type site struct {
	t       *testing.T
	express []*program
	service *program
	daemons []*rig.Daemon
}

func startAll(t *testing.T, n *nstest.Net, store string) *site {
	t.Helper()
	s, shared := &site{t: t}, rig.NewSite(t)
	key := shared.NewKey("cluster")
	for i := range 2 {
		s.daemons = append(s.daemons, shared.Serve(rig.In(n, i), fmt.Sprint("server", i+1), append([]string{"--key-file", key}, ackAll...)...))
	}
	rig.WaitAll(s.daemons)
	for i, d := range s.daemons {
		cmd := exec.Command("node", "server.js")
		cmd.Dir, cmd.Env = "app", append(os.Environ(), "SCTEST_STORE="+store)
		s.express = append(s.express, start(t, d.Place, fmt.Sprint("Express on server", i+1), "http://127.0.0.1:3000", cmd))
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), serviceVariable+"="+key)
	s.service = start(t, s.daemons[0].Place, "Go on server1", "http://127.0.0.1:3001", cmd)
	for _, p := range s.programs() {
		rig.Eventually(t, p.name+" listens", func() bool { return strings.Contains(p.process.Log(), "listening") })
	}
	for _, d := range s.daemons {
		d.Wait(len(s.daemons) + 1)
	}
	return s
}

func (s *site) programs() []*program { return append([]*program{s.service}, s.express...) }

func start(t *testing.T, at rig.Place, name, url string, cmd *exec.Cmd) *program {
	t.Helper()
	dial := func(ctx context.Context, network, address string) (c net.Conn, err error) {
		at.Do(func() { c, err = new(net.Dialer).DialContext(ctx, network, address) })
		return c, err
	}
	transport := &http.Transport{DialContext: dial}
	t.Cleanup(transport.CloseIdleConnections)
	return &program{name, url, rig.Start(t, at, name, cmd), &http.Client{Transport: transport, Timeout: rig.Patience}}
}

// everywhere asks every program who the user is; each must know at once.
func (s *site) everywhere(u *user, when string, want page) {
	s.t.Helper()
	for _, p := range s.programs() {
		browser := *u // what is answered changes no cookie
		got, err := browser.ask(p, http.MethodGet, "/me", nil)
		if err != nil || !equal(got, want) {
			s.t.Errorf("%s: %s answers %v, %v, want %v", when, p.name, got, err, want)
		}
	}
}

func equal(a, b page) bool {
	x, err1 := json.Marshal(a)
	y, err2 := json.Marshal(b)
	return errors.Join(err1, err2) == nil && bytes.Equal(x, y)
}

func (p page) String() string {
	text, _ := json.Marshal(p) // it has nothing that fails
	return string(text)
}

// logoutDuringASlowRequest logs out in Express while a request that changes the session runs in Go.
func (s *site) logoutDuringASlowRequest(u *user) {
	s.t.Helper()
	slow, nobody := *u, &user{T: s.t}
	answered := make(chan error)
	go func() {
		_, err := slow.ask(s.service, http.MethodPost, "/slow", map[string]string{"note": noteMark + " too late"})
		answered <- err
	}()
	nobody.post(s.service, "/arrived", "", "")
	u.post(s.express[1], "/logout", "", "")
	nobody.post(s.service, "/release", "", "")
	if err := <-answered; err != nil {
		s.t.Errorf("the slow request: %v", err)
	}
}

// logsHoldNone looks for what nobody may print.
func (s *site) logsHoldNone(secrets []string) {
	s.t.Helper()
	logs := map[string]string{s.service.name: s.service.process.Log()}
	for _, d := range s.daemons {
		logs[d.Name] = d.AllLogs()
	}
	for name, printed := range logs {
		if printed == "" {
			s.t.Errorf("%s printed nothing", name)
		}
		for _, secret := range secrets {
			if secret == "" {
				s.t.Fatal("no secret to look for")
			}
			if strings.Contains(printed, secret) {
				s.t.Errorf("%s printed %q", name, secret)
			}
		}
	}
}

// user is a browser: it keeps the cookie that all share.
type user struct {
	*testing.T
	cookie string
	ids    []string // that it had
}

// sessionID is the id in the cookie.
func (u *user) sessionID() string {
	value, _ := url.QueryUnescape(strings.TrimPrefix(u.cookie, "connect.sid="))
	id, _, _ := strings.Cut(strings.TrimPrefix(value, "s:"), ".")
	return id
}

func (u *user) post(p *program, path, key, value string) {
	u.Helper()
	if _, err := u.ask(p, http.MethodPost, path, map[string]string{key: value}); err != nil {
		u.Fatal(err)
	}
}

func (u *user) ask(p *program, method, path string, body any) (answer page, err error) {
	var content []byte
	if body != nil {
		if content, err = json.Marshal(body); err != nil {
			return answer, err
		}
	}
	req, err := http.NewRequest(method, p.url+path, bytes.NewReader(content))
	if err != nil {
		return answer, err
	}
	req.Header.Set("Content-Type", "application/json")
	if u.cookie != "" {
		req.Header.Set("Cookie", u.cookie)
	}
	res, err := p.client.Do(req)
	if err != nil {
		return answer, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		return answer, fmt.Errorf("%s %s at %s: %s %s %v", method, path, p.name, res.Status, text, err)
	}
	for _, c := range res.Cookies() {
		if c.Name == "connect.sid" && u.cookie != c.Name+"="+c.Value {
			u.cookie = c.Name + "=" + c.Value
			u.ids = append(u.ids, u.sessionID())
		}
	}
	if len(text) == 0 {
		return answer, nil
	}
	return answer, json.Unmarshal(text, &answer)
}
