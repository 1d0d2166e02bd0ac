package expresscookie

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/sessioncast/sessioncast/expresscookie"
)

const (
	textPlain  = `{"cookie":{"originalMaxAge":null,"expires":null,"httpOnly":true,"path":"/"},"user":"alice"}`
	textMinute = `{"cookie":{"originalMaxAge":60000,"expires":"2000-01-01T00:00:50.000Z","httpOnly":true,"path":"/"},"user":"alice"}`
	textStale  = `{"cookie":{"originalMaxAge":60000,"expires":"1999-12-31T23:00:00.000Z","httpOnly":true,"path":"/"},"user":"alice"}`
	textAll    = `{"cookie":{"originalMaxAge":1500,"partitioned":true,"priority":"LOW","expires":"2000-01-01T00:00:01.500Z","secure":false,` +
		`"httpOnly":false,"domain":".example.com","path":"/","sameSite":true},"user":"alice","deep":{"é":[1,"</b>",null,1e21]}}`
)

// options are express-session's.
func options(secrets []string, cookie map[string]any) map[string]any {
	o := map[string]any{"secret": secrets}
	if cookie != nil {
		o["cookie"] = cookie
	}
	return o
}

// Every kind of cookie, with every option that says when it is sent and what is saved, in every case: new, known, stale; read, changed,
// saved by hand, regenerated, destroyed. The store is asked for the same in the same order, the same session is in it afterwards, and
// the same Set-Cookie header is sent, to the byte.
func TestRequestsEndAsInExpress(t *testing.T) {
	questions, ours := everyVisit(t)
	sent := 0
	for i, a := range asks(t, questions) {
		q, what := questions[i], describe(questions[i])
		if a.Error != nil {
			t.Fatalf("%s: Express fails: %s", what, *a.Error)
		}
		if got, want := ours[i].Calls, expected(a.Calls, q); !slices.Equal(got, want) {
			t.Errorf("%s: asked the store to %v, Express %v", what, got, a.Calls)
		}
		if got, want := ours[i].Stored, a.Stored; (got == nil) != (want == nil) || got != nil && !sameJSON(t, *got, *want, q.Does == "save") {
			t.Errorf("%s: stored\n %v, Express\n %v", what, show(got), show(want))
		}
		if !slices.Equal(ours[i].Sent, a.Sent) {
			t.Errorf("%s: sent\n %q, Express\n %q", what, ours[i].Sent, a.Sent)
		}
		sent += len(a.Sent)
	}
	t.Logf("%d requests, %d cookies", len(questions), sent)
	if sent < len(questions)/10 || sent > len(questions)*9/10 {
		t.Errorf("%d cookies of %d requests: the cases show little", sent, len(questions))
	}
}

// expected leaves out what this package does not do on purpose: to destroy a session that was never stored.
func expected(calls []string, q question) []string {
	if q.Text != "" {
		return calls
	}
	return slices.DeleteFunc(slices.Clone(calls), func(c string) bool { return c == "destroy" })
}

// sameJSON compares two sessions. What Express saves by hand has the end of the last save in it, in which connect-redis then lets the
// session end, or destroys it where that is over; here it has the one that is in force.
func sameJSON(t *testing.T, a, b string, butExpires bool) bool {
	t.Helper()
	var x, y map[string]any
	if err := errors.Join(json.Unmarshal([]byte(a), &x), json.Unmarshal([]byte(b), &y)); err != nil {
		t.Fatalf("%v: %s and %s", err, a, b)
	}
	if butExpires {
		delete(x["cookie"].(map[string]any), "expires")
		delete(y["cookie"].(map[string]any), "expires")
	}
	return reflect.DeepEqual(x, y)
}

func describe(q question) string {
	o, _ := json.Marshal(q.Options)
	return fmt.Sprintf("%s with %s, https %v, of %q", q.Does, o, q.HTTPS, q.Text)
}

func everyVisit(t *testing.T) (questions []question, ours []answer) {
	t.Helper()
	secrets := []string{"keyboard cat"}
	header := []byte("connect.sid=" + escaped(expresscookie.Sign("0123456789abcdefghijklmnopqrstuv", secrets[0])))
	for _, c := range []struct {
		theirs map[string]any
		ours   expresscookie.Cookie
	}{
		{nil, expresscookie.Cookie{}},
		{map[string]any{"maxAge": 60000}, expresscookie.Cookie{MaxAge: time.Minute}},
		{map[string]any{"maxAge": 1500, "secure": true, "sameSite": "Lax", "domain": "example.com", "path": "/"},
			expresscookie.Cookie{MaxAge: 1500 * time.Millisecond, Secure: expresscookie.SecureAlways, SameSite: "Lax", Domain: "example.com", Path: "/"}},
		{map[string]any{"secure": "auto", "sameSite": "auto", "httpOnly": false},
			expresscookie.Cookie{Secure: expresscookie.SecureAuto, SameSite: "auto", Readable: true}},
		{map[string]any{"maxAge": 86400000, "partitioned": true, "priority": "high", "sameSite": "strict"},
			expresscookie.Cookie{MaxAge: 24 * time.Hour, Partitioned: true, Priority: "high", SameSite: "strict"}},
	} {
		for bits := range 8 {
			rolling, uninitialized, https := bits&1 != 0, bits&2 != 0, bits&4 != 0
			for _, text := range []string{"", textPlain, textMinute, textStale, textAll, "gone"} {
				for _, do := range slices.Sorted(maps.Keys(does)) {
					q := question{Op: "visit", Options: options(secrets, c.theirs), Text: text, HTTPS: https, Does: do}
					q.Options["rolling"], q.Options["saveUninitialized"] = rolling, uninitialized
					if text != "" {
						q.Header = header
					}
					if text == "gone" { // the cookie is good, and the store has nothing
						q.Text = ""
					}
					ours = append(ours, visits(t, expresscookie.Config{Secrets: secrets, Cookie: c.ours, Rolling: rolling, SaveUninitialized: uninitialized}, &q))
					questions = append(questions, q)
				}
			}
		}
	}
	return questions, ours
}

// What JavaScript finds in every session is no key that a session may have: Express would not see it.
func TestReservedKeysAreThoseThatExpressDoesNotSee(t *testing.T) {
	q := question{Op: "visit", IDs: []string{"x"}, Now: bubble, Options: options([]string{"s"}, nil), Inherited: true}
	names := asks(t, []question{q})[0].Inherited
	if len(names) < 15 {
		t.Fatalf("Express names %q", names)
	}
	var seen string
	tries := func(_ context.Context, s *expresscookie.Session) error {
		for _, name := range names {
			if err := s.Set(name, 1); !errors.Is(err, expresscookie.ErrReserved) {
				t.Errorf("the key %s: %v", name, err)
			}
			seen += name
		}
		return s.Set("prototype", 1)
	}
	visits(t, expresscookie.Config{Secrets: []string{"s"}}, &question{here: tries})
	if seen == "" {
		t.Error("nothing was tried")
	}
}
