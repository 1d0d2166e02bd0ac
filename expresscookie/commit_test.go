package expresscookie

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// What is asked of the store, and whether the cookie is sent, in each case that express-session tells apart.
func TestWhatIsSavedAndSent(t *testing.T) {
	ages := Config{Cookie: Cookie{MaxAge: time.Minute}}
	rolling := Config{Rolling: true}
	uninitialized := Config{SaveUninitialized: true}
	minute := strings.Replace(minute, "00:01:00", "00:00:50", 1) // ten seconds ago
	for _, c := range []struct {
		name  string
		cfg   Config
		known string // the cookie of the session that the browser has; "": none
		do    func(*Session) error
		calls string
		sent  bool
	}{
		{"new and empty", Config{}, "", nil, "", false},
		{"new and empty, rolling", rolling, "", nil, "", false},
		{"new and empty, to be saved so", uninitialized, "", nil, "create", true},
		{"new and changed", Config{}, "", change, "create", true},
		{"new, changed and changed back", Config{}, "", func(s *Session) error { _ = change(s); return s.Delete("a") }, "", false},
		{"new and saved", Config{}, "", func(s *Session) error { _ = change(s); return save(s) }, "create", true},
		{"new, saved and changed again", Config{}, "", func(s *Session) error { _ = save(s); return change(s) }, "create patch(a)", true},
		{"new and destroyed", Config{}, "", destroy, "", false},
		{"new and regenerated", Config{}, "", regenerate, "create", true},
		{"new and to be remembered", Config{}, "", func(s *Session) error { return s.SetMaxAge(time.Hour) }, "create", true},
		{"as it was", Config{}, plain, nil, "get touch", false},
		{"as it was, with an age", ages, minute, nil, "get touch", false},
		{"as it was, rolling", rolling, plain, nil, "get touch", true},
		{"changed, without an age", Config{}, plain, change, "get patch(a)", false},
		{"changed, with an age", ages, minute, change, "get patch(a cookie)", true},
		{"changed, with an age of its own", Config{}, minute, change, "get patch(a cookie)", true},
		{"changed and saved", ages, minute, func(s *Session) error { _ = change(s); return save(s) }, "get patch(a cookie) touch", true},
		{"set to what it was", ages, minute, func(s *Session) error { return s.Set("user", "alice") }, "get touch", false},
		{"older only", Config{}, plain, func(s *Session) error { return s.SetMaxAge(time.Hour) }, "get patch(cookie)", true},
		{"no age any more", Config{}, minute, func(s *Session) error { return s.SetMaxAge(0) }, "get patch(cookie)", false},
		{"regenerated", Config{}, plain, regenerate, "get destroy create", true},
		{"regenerated and changed", Config{}, plain, func(s *Session) error { _ = regenerate(s); return change(s) }, "get destroy create", true},
		{"regenerated, changed and saved", Config{}, plain, func(s *Session) error { _ = regenerate(s); _ = change(s); return save(s) }, "get destroy create", true},
		{"destroyed", Config{}, plain, destroy, "get destroy", false},
		{"destroyed, rolling", rolling, minute, destroy, "get destroy", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := newApp(t, c.cfg)
				if c.known != "" {
					a = known(t, c.cfg, `{"cookie":`+c.known+`,"user":"alice"}`)
				}
				w := a.ask(func(_ http.ResponseWriter, s *Session) {
					if c.do != nil {
						must(t, c.do(s))
					}
				})
				if got := a.store.asked(); got != c.calls {
					t.Errorf("asked to %q, want %q", got, c.calls)
				}
				if sent := w.Header().Values("Set-Cookie"); len(sent) != 0 != c.sent || len(sent) > 1 {
					t.Errorf("sent %q, want one %v", sent, c.sent)
				}
				a.wantEvents()
			})
		})
	}
}

func change(s *Session) error     { return s.Set("a", 1) }
func save(s *Session) error       { return s.Save(s.r.Context()) }
func destroy(s *Session) error    { return s.Destroy(s.r.Context()) }
func regenerate(s *Session) error { return s.Regenerate(s.r.Context()) }

func TestWhatIsSentIsFoundAgain(t *testing.T) {
	a := newApp(t, Config{Name: "shop.sid", Secrets: []string{"new", "old"}})
	a.ask(set(t, "user", "alice"))
	if !strings.HasPrefix(a.cookie, "shop.sid=s%3A") {
		t.Fatalf("sent %q", a.cookie)
	}
	a.ask(func(_ http.ResponseWriter, s *Session) {
		var user string
		if _, err := s.Get("user", &user); user != "alice" || err != nil {
			t.Errorf("user %q, %v", user, err)
		}
	})
	a.cfg.Secrets = []string{"newer", "new"}
	if s := a.load(); s.New() {
		t.Error("a cookie of a rotated secret was not taken")
	}
	a.cfg.Secrets = []string{"newest"}
	if s := a.load(); !s.New() {
		t.Error("a cookie of a secret that is no more was taken")
	}
	a.wantEvents("tampered")
}

func TestTheCookieMovesAlongWithEachChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newApp(t, Config{Cookie: Cookie{MaxAge: time.Minute}})
		a.ask(set(t, "views", 1))
		for i := 2; i < 5; i++ {
			time.Sleep(50 * time.Second)
			w := a.ask(set(t, "views", i))
			until := time.Now().Add(time.Minute).UTC().Format(http.TimeFormat)
			if got := w.Header().Get("Set-Cookie"); !strings.Contains(got, "Expires="+until) {
				t.Fatalf("view %d: %q, want %s", i, got, until)
			}
		}
		for range 3 { // reading extends it in the store alone
			time.Sleep(50 * time.Second)
			a.ask(nothing)
		}
		if a.load().New() {
			t.Error("a session that was used has ended")
		}
		time.Sleep(70 * time.Second)
		if !a.load().New() {
			t.Error("a session that was not used for longer than its age is there")
		}
	})
}

func TestASecureCookieIsNotSentInTheOpen(t *testing.T) {
	for _, c := range []struct {
		name   string
		cfg    Config
		proto  string
		https  bool
		sent   bool
		secure bool
	}{
		{"over HTTP", Config{Cookie: Cookie{Secure: SecureAlways}}, "", false, false, true},
		{"over HTTPS", Config{Cookie: Cookie{Secure: SecureAlways}}, "", true, true, true},
		{"behind a proxy that is trusted", Config{Cookie: Cookie{Secure: SecureAlways}, TrustProxy: true}, " HTTPS , http", false, true, true},
		{"behind a proxy that got HTTP", Config{Cookie: Cookie{Secure: SecureAlways}, TrustProxy: true}, "http, https", false, false, true},
		{"behind somebody", Config{Cookie: Cookie{Secure: SecureAlways}}, "https", false, false, true},
		{"automatic over HTTP", Config{Cookie: Cookie{Secure: SecureAuto}}, "", false, true, false},
		{"automatic over HTTPS", Config{Cookie: Cookie{Secure: SecureAuto}}, "", true, true, true},
	} {
		a := newApp(t, c.cfg)
		url := "http://example.com/"
		if c.https {
			url = "https://example.com/"
		}
		r, w := httptest.NewRequest(http.MethodGet, url, nil), httptest.NewRecorder()
		r.Header.Set("X-Forwarded-Proto", c.proto)
		s, err := a.Load(r)
		must(t, err)
		must(t, change(s))
		must(t, s.Commit(t.Context(), w))
		sent := w.Header().Get("Set-Cookie")
		if (sent != "") != c.sent || c.sent && strings.Contains(sent, "Secure") != c.secure {
			t.Errorf("%s: sent %q", c.name, sent)
		}
		if c.sent {
			a.wantEvents()
		} else {
			a.wantEvents("insecure")
		}
	}
}

func TestCommitMeetsALogout(t *testing.T) {
	for name, do := range map[string]func(*Session) error{"changed": change, "unchanged": func(*Session) error { return nil }} {
		a := known(t, Config{Rolling: true}, `{"cookie":`+minute+`}`)
		s, w := a.load(), httptest.NewRecorder()
		must(t, do(s))
		must(t, a.store.Destroy(t.Context(), anID))
		wantErr(t, name, s.Commit(t.Context(), w), ErrDestroyed)
		if sent := w.Header().Get("Set-Cookie"); sent != "" || a.store.text(anID) != "" {
			t.Errorf("%s: sent %q, stored %q", name, sent, a.store.text(anID))
		}
		a.wantEvents("destroyed")
	}
}

func TestCommitFails(t *testing.T) {
	a := known(t, Config{Rolling: true}, `{"cookie":`+minute+`}`)
	a.store.broken = errors.New("out of order")
	s, w := a.load(), httptest.NewRecorder()
	wantErr(t, "a touch", s.Commit(t.Context(), w), a.store.broken)
	must(t, change(s))
	wantErr(t, "a save", s.Commit(t.Context(), w), a.store.broken)
	if sent := w.Header().Get("Set-Cookie"); sent != "" {
		t.Errorf("sent %q", sent)
	}
	a = known(t, Config{Rolling: true}, `{"cookie":{"path":"/;"}}`)
	wantErr(t, "a cookie that cannot be", a.load().Commit(t.Context(), w), ErrCookie)
}

func TestClearCookie(t *testing.T) {
	a, w := newApp(t, Config{Cookie: Cookie{Domain: "example.com", MaxAge: time.Hour}}), httptest.NewRecorder()
	a.ClearCookie(w)
	const want = "connect.sid=; Domain=example.com; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT; HttpOnly"
	if got := w.Header().Get("Set-Cookie"); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
