//go:build linux

package express

import (
	"bytes"
	"context"
	"encoding/json"
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

	"github.com/sessioncast/sessioncast/test/rig"
)

const appURL = "http://127.0.0.1:3000"

var packages struct {
	sync.Once
	err error
}

// needApp installs the app's packages, unless "make test" has done so, and skips where there is no Node.
func needApp(t *testing.T) {
	t.Helper()
	rig.Need(t, "node", "nodejs")
	rig.Need(t, "npm", "npm")
	for _, file := range []string{"app/server.js", "app/package-lock.json"} {
		if _, err := os.ReadFile(file); err != nil { // seen by go test, which runs the test anew when it changes
			t.Fatal(err)
		}
	}
	packages.Do(func() {
		if installed() {
			return
		}
		cmd := exec.Command("npm", "ci", "--no-audit", "--no-fund")
		cmd.Dir = "app"
		if out, err := cmd.CombinedOutput(); err != nil {
			packages.err = fmt.Errorf("npm ci: %w\n%s", err, out)
		}
	})
	if packages.err != nil {
		t.Fatal(packages.err)
	}
}

// installed tells whether what npm ci left is newer than what it is made from.
func installed() bool {
	lock, err := os.Stat("app/package-lock.json")
	if err != nil {
		return false
	}
	left, err := os.Stat("app/node_modules/.package-lock.json")
	return err == nil && left.ModTime().After(lock.ModTime())
}

// server is one web server: the app and the daemon beside it.
type server struct {
	t      *testing.T
	name   string
	daemon *rig.Daemon
	app    *rig.Process
	client *http.Client
}

// startApp starts the app at the place of its daemon, which must take connections.
func (s *server) startApp() {
	s.t.Helper()
	cmd := exec.Command("node", "server.js")
	cmd.Dir = "app"
	s.app = rig.Start(s.t, s.daemon.Place, "app of "+s.name, cmd)
	dial := func(ctx context.Context, network, address string) (c net.Conn, err error) {
		s.daemon.Place.Do(func() { c, err = new(net.Dialer).DialContext(ctx, network, address) })
		return c, err
	}
	transport := &http.Transport{DialContext: dial}
	s.t.Cleanup(transport.CloseIdleConnections)
	s.client = &http.Client{Transport: transport, Timeout: rig.Patience}
}

func (s *server) listening() {
	s.t.Helper()
	rig.Eventually(s.t, s.name+"'s app listens", func() bool { return strings.Contains(s.app.Log(), "listening") })
}

// user is a browser: it keeps the cookie that the servers share.
type user struct {
	name   string
	cookie string
}

// page is what the app answers; nil: nobody is logged in, nothing is noted.
type page struct {
	User *string `json:"user"`
	Note *string `json:"note"`
}

func (p page) String() string {
	show := func(s *string) string {
		if s == nil {
			return "none"
		}
		return *s
	}
	return "user " + show(p.User) + ", note " + show(p.Note)
}

// sessionID is the id that stands in the cookie, and after "sess:" in the store.
func (u *user) sessionID() string {
	value, _ := url.QueryUnescape(strings.TrimPrefix(u.cookie, "connect.sid="))
	id, _, _ := strings.Cut(strings.TrimPrefix(value, "s:"), ".")
	return id
}

// ask makes exactly one request of a server.
func (u *user) ask(s *server, method, path string, body any) page {
	s.t.Helper()
	p, err := u.request(s, method, path, body)
	if err != nil {
		s.t.Fatal(err)
	}
	return p
}

func (u *user) request(s *server, method, path string, body any) (p page, err error) {
	var content []byte
	if body != nil {
		if content, err = json.Marshal(body); err != nil {
			return p, err
		}
	}
	req, err := http.NewRequest(method, appURL+path, bytes.NewReader(content))
	if err != nil {
		return p, err
	}
	req.Header.Set("Content-Type", "application/json")
	if u.cookie != "" {
		req.Header.Set("Cookie", u.cookie)
	}
	res, err := s.client.Do(req)
	if err != nil {
		return p, err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		return p, fmt.Errorf("%s %s on %s: %s %s %v", method, path, s.name, res.Status, answer, err)
	}
	for _, c := range res.Cookies() {
		if c.Name == "connect.sid" {
			u.cookie = c.Name + "=" + c.Value
		}
	}
	return p, json.Unmarshal(answer, &p)
}

func (u *user) login(s *server) page {
	s.t.Helper()
	return u.ask(s, http.MethodPost, "/login", map[string]string{"user": u.name})
}

func (u *user) change(s *server, note string) page {
	s.t.Helper()
	return u.ask(s, http.MethodPost, "/change", map[string]string{"note": note})
}

func (u *user) me(s *server) page {
	s.t.Helper()
	return u.ask(s, http.MethodGet, "/me", nil)
}
