package expresscookie

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

const (
	plain  = `{"originalMaxAge":null,"expires":null,"httpOnly":true,"path":"/"}`
	anID   = "0123456789abcdefghijklmnopqrstuv"
	minute = `{"originalMaxAge":60000,"expires":"2000-01-01T00:01:00.000Z","httpOnly":true,"path":"/"}`
)

// known is an app whose browser has a session of that JSON.
func known(t *testing.T, cfg Config, text string) *app {
	t.Helper()
	a := newApp(t, cfg)
	a.store.put(anID, text, time.Hour)
	a.use(anID, secret)
	return a
}

func (a *app) use(id, secret string) {
	value, _ := encodeURIComponent(Sign(id, secret))
	a.cookie = "connect.sid=" + value
}

func TestKeysAreReadAndWrittenAsJSON(t *testing.T) {
	a := known(t, Config{}, `{"cookie":`+plain+`,"user":{"name":"Zoë <b>","n":12345678901234567890},"views":1,"gone":[1],"null":null}`)
	s := a.load()
	if s.ID() != anID || s.New() || fmt.Sprint(s.Keys()) != "[gone null user views]" {
		t.Errorf("%s, new %v, %v", s.ID(), s.New(), s.Keys())
	}
	var all struct {
		User struct {
			Name string
			N    json.Number
		}
		Views  int
		Cookie struct{ Path string }
	}
	must(t, s.Decode(&all))
	if all.User.Name != "Zoë <b>" || all.User.N != "12345678901234567890" || all.Views != 1 || all.Cookie.Path != "/" {
		t.Errorf("decoded %+v", all)
	}
	var views int
	if there, err := s.Get("views", &views); !there || err != nil || views != 1 {
		t.Errorf("views %d, %v, %v", views, there, err)
	}
	if there, err := s.Get("none", &views); there || err != nil {
		t.Errorf("what is not there: %v, %v", there, err)
	}
	if text := s.JSON("null"); string(text) != "null" {
		t.Errorf("null is %q", text)
	}
	must(t, s.Set("views", views+1))
	must(t, s.Set("tag", "</script>&"))
	must(t, s.Delete("gone"))
	must(t, s.Delete("never there"))
	must(t, s.Save(t.Context()))
	want := `{"cookie":` + plain + `,"null":null,"tag":"</script>&","user":{"name":"Zoë <b>","n":12345678901234567890},"views":2}`
	if got := a.store.text(anID); got != want {
		t.Errorf("stored\n %s, want\n %s", got, want)
	}
}

func TestOnlyWhatChangedIsWritten(t *testing.T) {
	a := known(t, Config{}, `{"cookie":`+plain+`,"a":1,"b":{"c":2},"d":3}`)
	s := a.load()
	// Another request, in Express perhaps, writes two keys meanwhile; one of them is none of this one's business.
	a.store.put(anID, `{"cookie":`+plain+`,"a":10,"b":{"c":20},"d":3,"e":5}`, time.Hour)
	must(t, s.Set("a", 1)) // as it was
	must(t, s.Set("b", map[string]int{"c": 3}))
	must(t, s.Delete("d"))
	must(t, s.Save(t.Context()))
	if got, want := a.store.text(anID), `{"cookie":`+plain+`,"a":10,"b":{"c":3},"e":5}`; got != want {
		t.Errorf("stored\n %s, want\n %s", got, want)
	}
	if got := a.store.asked(); got != "get patch(b -d)" {
		t.Errorf("asked to %s", got)
	}
	a.wantEvents("conflict")
	must(t, s.Save(t.Context()))
	if got := a.store.asked(); got != "touch" {
		t.Errorf("a second save without a change: %s", got)
	}
	must(t, s.SetMaxAge(time.Minute))
	must(t, s.Save(t.Context()))
	if got := a.store.asked(); got != "patch(cookie)" {
		t.Errorf("a save of a changed cookie: %s", got)
	}
	a.wantEvents() // of this session's own doing nothing is in conflict
}

func TestASaveOfADestroyedSessionDoesNotReviveIt(t *testing.T) {
	for name, change := range map[string]func(*Session){
		"changed": func(s *Session) { _ = s.Set("a", 2) }, "unchanged": func(*Session) {}, "only older": func(s *Session) { _ = s.SetMaxAge(time.Hour) },
	} {
		a := known(t, Config{}, `{"cookie":`+plain+`,"a":1}`)
		s := a.load()
		change(s)
		must(t, a.store.Destroy(t.Context(), anID))
		wantErr(t, name, s.Save(t.Context()), ErrDestroyed)
		wantErr(t, name+", again", s.Save(t.Context()), ErrDestroyed)
		wantErr(t, name+", a later change", s.Set("a", 3), ErrDestroyed)
		wantErr(t, name+", a touch", s.Touch(t.Context()), ErrDestroyed)
		if got := a.store.text(anID); got != "" {
			t.Errorf("%s: revived as %s", name, got)
		}
		a.wantEvents("destroyed")
	}
}

func TestBadCookiesAreNoSession(t *testing.T) {
	value, _ := encodeURIComponent(Sign(anID, secret))
	other, _ := encodeURIComponent(Sign(anID, "other"))
	for name, c := range map[string]struct{ cookie, event string }{
		"none":              {"", ""},
		"of another name":   {"sid=" + value, ""},
		"empty":             {"connect.sid=", ""},
		"tampered":          {"connect.sid=" + strings.Replace(value, "0", "1", 1), "tampered"},
		"of another secret": {"connect.sid=" + other, "tampered"},
		"unsigned":          {"connect.sid=" + anID, "unsigned"},
		"too long":          {"connect.sid=" + value + strings.Repeat("A", MaxCookie), "too long"},
		"garbage":           {"connect.sid=%ff\xff\x00", "unsigned"},
	} {
		a := known(t, Config{}, `{"cookie":`+plain+`,"a":1}`)
		a.cookie = c.cookie
		s := a.load()
		if !s.New() || s.ID() == anID || len(s.ID()) != 32 || len(s.Keys()) != 0 {
			t.Errorf("%s: new %v, %v", name, s.New(), s.Keys())
		}
		if asked := a.store.asked(); asked != "" {
			t.Errorf("%s: the store was asked to %s", name, asked)
		}
		if c.event == "" {
			a.wantEvents()
		} else {
			a.wantEvents(c.event)
		}
	}
	a := known(t, Config{}, `{"cookie":`+plain+`}`)
	a.use("another id", secret)
	if s := a.load(); !s.New() || s.ID() == "another id" {
		t.Error("an id that nobody has was taken")
	}
	a.wantEvents("unknown")
}

// The store for Express takes the same for a session, for nothing and for an error, as its tests with this file show.
func TestWhatIsStoredIsASessionAsForExpress(t *testing.T) {
	data, err := os.ReadFile("testdata/stored.json")
	must(t, err)
	var list []struct {
		Name, Text, Is string
		Keys           []string
	}
	must(t, json.Unmarshal(data, &list))
	for _, c := range list {
		a := known(t, Config{}, c.Text)
		if c.Is == "an error" {
			_, err := a.Load(a.request())
			wantErr(t, c.Name, err, ErrNotSession)
			if strings.Contains(fmt.Sprint(err), anID) {
				t.Errorf("%s: %v holds the id", c.Name, err)
			}
			continue
		}
		s := a.load()
		if s.New() != (c.Is == "nothing") || !slices.Equal(s.Keys(), c.Keys) {
			t.Errorf("%s: new %v with %q", c.Name, s.New(), s.Keys())
		}
		if !s.New() {
			a.wantEvents()
			continue
		}
		a.wantEvents("no object")
		must(t, s.Set("more", 1))
		must(t, s.Save(t.Context()))
		if got := string(a.store.text(anID)); got != c.Text {
			t.Errorf("%s: it was overwritten: %s", c.Name, got)
		}
	}
}

func TestASessionThatIsTooLargeIsAnError(t *testing.T) {
	a := known(t, Config{}, `{"cookie":`+plain+`,"a":"`+strings.Repeat("a", MaxSession)+`"}`)
	_, err := a.Load(a.request())
	wantErr(t, "too large", err, ErrTooLarge)
}

func TestLimitsOfASession(t *testing.T) {
	a := known(t, Config{}, `{"cookie":`+plain+`,"a":1}`)
	s := a.load()
	room := MaxSession - len(`{"cookie":`+plain+`,"a":1,"big":""}`)
	must(t, s.Set("big", strings.Repeat("b", room)))
	must(t, s.Save(t.Context()))
	must(t, s.Set("big", strings.Repeat("b", room+1)))
	wantErr(t, "one byte more", s.Save(t.Context()), ErrTooLarge)
	if got := len(a.store.text(anID)); got != MaxSession {
		t.Errorf("%d bytes are stored, want %d", got, MaxSession)
	}
	for _, key := range hidden {
		wantErr(t, key, s.Set(key, 1), ErrReserved)
		wantErr(t, key, s.Delete(key), ErrReserved)
	}
	if err := s.Set("f", func() {}); err == nil {
		t.Error("a function became JSON")
	}
	if err := s.SetMaxAge(-1); err == nil {
		t.Error("a negative age was taken")
	}
}

func TestRegenerate(t *testing.T) {
	a := known(t, Config{}, `{"cookie":`+plain+`,"a":1}`)
	s := a.load()
	a.store.asked()
	must(t, s.Regenerate(t.Context()))
	if s.ID() == anID || len(s.Keys()) != 0 || !s.New() || a.store.text(anID) != "" || a.store.asked() != "destroy" {
		t.Errorf("after Regenerate: %v, %q", s.Keys(), a.store.text(anID))
	}
	must(t, s.Set("user", "alice"))
	must(t, s.Save(t.Context()))
	if got, want := a.store.text(s.ID()), `{"cookie":`+plain+`,"user":"alice"}`; got != want {
		t.Errorf("stored %s, want %s", got, want)
	}

	a = known(t, Config{}, `{"cookie":`+plain+`,"a":1}`)
	s = a.load()
	a.store.broken = errors.New("out of order")
	wantErr(t, "with a store that is broken", s.Regenerate(t.Context()), a.store.broken)
	if s.ID() != anID || len(s.Keys()) != 1 {
		t.Error("it is another session nevertheless")
	}

	a = newApp(t, Config{})
	s = a.load()
	must(t, s.Regenerate(t.Context()))
	if asked := a.store.asked(); asked != "" {
		t.Errorf("of a session never stored the store was asked to %s", asked)
	}
}

func TestDestroy(t *testing.T) {
	a := known(t, Config{}, `{"cookie":`+plain+`,"a":1}`)
	s := a.load()
	must(t, s.Destroy(t.Context()))
	must(t, s.Destroy(t.Context()))
	wantErr(t, "Set", s.Set("a", 1), ErrDestroyed)
	wantErr(t, "Delete", s.Delete("a"), ErrDestroyed)
	wantErr(t, "SetMaxAge", s.SetMaxAge(time.Hour), ErrDestroyed)
	wantErr(t, "Save", s.Save(t.Context()), ErrDestroyed)
	if there, err := s.Get("a", new(int)); there || err != nil || s.JSON("a") != nil || s.New() || a.store.text(anID) != "" {
		t.Error("something is left")
	}
	must(t, s.Regenerate(t.Context()))
	must(t, s.Set("a", 2))
	must(t, s.Save(t.Context()))
}

func TestLivesInTheStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, c := range map[string]struct {
			cookie string
			cfg    Config
			want   time.Duration
		}{
			"as long as the cookie":       {minute, Config{TTL: time.Hour}, time.Minute},
			"without an end of its own":   {plain, Config{TTL: 2 * time.Hour}, 2 * time.Hour},
			"by default":                  {plain, Config{}, 24 * time.Hour},
			"not as new sessions' cookie": {plain, Config{Cookie: Cookie{MaxAge: time.Minute}}, 24 * time.Hour},
		} {
			for what, f := range map[string]func(*Session) error{
				"touched": func(s *Session) error { return s.Touch(t.Context()) },
				"saved":   func(s *Session) error { _ = s.Set("a", 2); return s.Save(t.Context()) },
			} {
				a := known(t, c.cfg, `{"cookie":`+c.cookie+`,"a":1}`)
				must(t, f(a.load()))
				if got := time.Until(a.store.until[anID]); got != c.want {
					t.Errorf("%s, %s: %v, want %v", name, what, got, c.want)
				}
			}
		}
		a := known(t, Config{}, `{"cookie":`+plain+`,"a":1}`)
		s := a.load()
		must(t, s.SetMaxAge(time.Minute))
		must(t, s.Save(t.Context()))
		if got, want := a.store.text(anID), `{"cookie":`+minute+`,"a":1}`; got != want || s.MaxAge() != time.Minute {
			t.Errorf("remembered\n %s, want\n %s", got, want)
		}
		a = known(t, Config{}, `{"cookie":{"originalMaxAge":0},"a":1}`)
		s = a.load()
		must(t, s.Set("a", 2))
		must(t, s.Save(t.Context()))
		if got := a.store.text(anID); got != "" {
			t.Errorf("a session of no age was kept: %s", got)
		}
	})
}

func TestNothingPrintsASecretAnIDOrContent(t *testing.T) {
	a := known(t, Config{}, `{"cookie":`+plain+`,"word":"content-of-it"}`)
	s := a.load()
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "s", s, "m", a.Sessions)
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "s", s, "m", a.Sessions)
	_, wrong := s.Get("word", new(int))
	type other struct{ Word int }
	printed := fmt.Sprintf("%v %+v %#v %s %v %+v %#v %v %v", s, s, s, s, a.Sessions, a.Sessions, a.Sessions, wrong, s.Decode(new(other))) + log.String()
	for _, hidden := range []string{anID, secret, "content-of-it"} {
		if strings.Contains(printed, hidden) {
			t.Errorf("%q is in %s", hidden, printed)
		}
	}
	if wrong == nil {
		t.Error("a text was read as a number")
	}
}

func TestPathsOutsideOfTheCookiesHaveNoSession(t *testing.T) {
	a := known(t, Config{Cookie: Cookie{Path: "/app"}}, `{"cookie":`+plain+`,"a":1}`)
	for uri, inside := range map[string]bool{"/app": true, "/app/x?y=/z": true, "/apple": true, "/": false, "/x/app": false, "/x?/app": false, "http://example.com/app/1": true, "*": false} {
		r := a.request()
		r.RequestURI = uri
		if strings.HasPrefix(uri, "http") {
			r.URL.Path = "/app/1"
		}
		s, err := a.Load(r)
		must(t, err)
		if got := s.ID() != ""; got != inside {
			t.Errorf("%s: inside %v, want %v", uri, got, inside)
		}
		if !inside {
			wantErr(t, uri, s.Set("a", 1), ErrOutside)
			wantErr(t, uri, s.Regenerate(t.Context()), ErrOutside)
			wantErr(t, uri, s.Destroy(t.Context()), nil)
		}
	}
	r, _ := http.NewRequest(http.MethodGet, "/", nil)
	wantErr(t, "without the middleware", a.Of(r).Set("a", 1), ErrOutside)
}
