package expresscookie

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestTheCookieKeyIsExpressSessions(t *testing.T) {
	for name, c := range map[string]struct {
		cookie     Cookie
		https      bool
		json, sent string
	}{
		"by default": {Cookie{}, false,
			`{"originalMaxAge":null,"expires":null,"httpOnly":true,"path":"/"}`,
			"n=v; Path=/; HttpOnly"},
		"with an age": {Cookie{MaxAge: time.Minute}, false,
			`{"originalMaxAge":60000,"expires":"2000-01-01T00:01:00.000Z","httpOnly":true,"path":"/"}`,
			"n=v; Path=/; Expires=Sat, 01 Jan 2000 00:01:00 GMT; HttpOnly"},
		"with all": {Cookie{Path: "/shop", Domain: "example.com", MaxAge: 1500 * time.Millisecond, Readable: true, Secure: SecureAlways,
			SameSite: "Lax", Partitioned: true, Priority: "high"}, true,
			`{"originalMaxAge":1500,"partitioned":true,"priority":"high","expires":"2000-01-01T00:00:01.500Z","secure":true,` +
				`"httpOnly":false,"domain":"example.com","path":"/shop","sameSite":"Lax"}`,
			"n=v; Domain=example.com; Path=/shop; Expires=Sat, 01 Jan 2000 00:00:01 GMT; Secure; Partitioned; Priority=High; SameSite=Lax"},
		"automatic over HTTPS": {Cookie{Secure: SecureAuto, SameSite: "auto"}, true,
			`{"originalMaxAge":null,"expires":null,"secure":true,"httpOnly":true,"path":"/","sameSite":"none"}`,
			"n=v; Path=/; HttpOnly; Secure; SameSite=None"},
		"automatic over HTTP": {Cookie{Secure: SecureAuto, SameSite: "auto"}, false,
			`{"originalMaxAge":null,"expires":null,"secure":false,"httpOnly":true,"path":"/","sameSite":"lax"}`,
			"n=v; Path=/; HttpOnly; SameSite=Lax"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				must(t, c.cookie.check())
				a := c.cookie.made(c.https)
				a.touch(time.Now())
				if got := string(jsonOf(a)); got != c.json {
					t.Errorf("JSON\n %s, want\n %s", got, c.json)
				}
				if got, err := a.setCookie("n", "v"); err != nil || got != c.sent {
					t.Errorf("sent\n %q, %v, want\n %q", got, err, c.sent)
				}
				read, err := readAttributes(jsonOf(a))
				must(t, err)
				read.touch(time.Now())
				if got := string(jsonOf(read)); got != c.json {
					t.Errorf("read and written again\n %s, want\n %s", got, c.json)
				}
			})
		})
	}
}

func TestForeignCookieKeysAreReadAsByExpress(t *testing.T) {
	for name, c := range map[string]struct{ json, written, sent string }{
		"an old end does not count": {`{"originalMaxAge":1000,"expires":"1999-01-01T00:00:00.000Z","path":"/"}`,
			`{"originalMaxAge":1000,"expires":"2000-01-01T00:00:01.000Z","path":"/"}`, "n=v; Path=/; Expires=Sat, 01 Jan 2000 00:00:01 GMT"},
		"what is unknown goes":   {`{"originalMaxAge":null,"Path":"/x","more":1}`, `{"originalMaxAge":null,"expires":null}`, "n=v"},
		"sameSite true":          {`{"sameSite":true}`, `{"originalMaxAge":null,"expires":null,"sameSite":true}`, "n=v; SameSite=Strict"},
		"falsehoods":             {`{"sameSite":false,"secure":0,"domain":"","path":null,"httpOnly":false}`, `{"originalMaxAge":null,"expires":null,"secure":0,"httpOnly":false,"domain":"","path":null,"sameSite":false}`, "n=v"},
		"half a millisecond":     {`{"originalMaxAge":1000.5}`, `{"originalMaxAge":1000.5,"expires":"2000-01-01T00:00:01.000Z"}`, "n=v; Expires=Sat, 01 Jan 2000 00:00:01 GMT"},
		"an age beyond all time": {`{"originalMaxAge":1e300}`, `{"originalMaxAge":1e300,"expires":"2099-12-07T00:00:00.000Z"}`, "n=v; Expires=Mon, 07 Dec 2099 00:00:00 GMT"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, err := readAttributes(json.RawMessage(c.json))
				must(t, err)
				a.touch(time.Now())
				if got := string(jsonOf(a)); got != c.written {
					t.Errorf("JSON\n %s, want\n %s", got, c.written)
				}
				if got, err := a.setCookie("n", "v"); err != nil || got != c.sent {
					t.Errorf("sent %q, %v, want %q", got, err, c.sent)
				}
			})
		})
	}
	for _, text := range []string{"", "null", "[]", "1", `{"originalMaxAge":"60000"}`, `{"originalMaxAge":{}}`} {
		_, err := readAttributes(json.RawMessage(text))
		wantErr(t, text, err, ErrNotSession)
	}
}

func TestACookieThatCannotBeIsNotSent(t *testing.T) {
	for name, text := range map[string]string{
		"a path with a header": `{"path":"/\r\nX-Evil: 1"}`, "a path with an attribute": `{"path":"/; Domain=evil"}`, "a path of a number": `{"path":1}`,
		"a domain with a space": `{"domain":"a b"}`, "a domain of dashes": `{"domain":"-"}`, "a priority": `{"priority":"urgent"}`,
		"a site": `{"sameSite":"some"}`, "a site of a number": `{"sameSite":1}`, "a path too long": `{"path":"/` + strings.Repeat("p", MaxCookie) + `"}`,
	} {
		a, err := readAttributes(json.RawMessage(text))
		must(t, err)
		sent, err := a.setCookie("n", "v")
		wantErr(t, name, err, ErrCookie)
		if sent != "" || err != nil && strings.Contains(err.Error(), "evil") {
			t.Errorf("%s: %q, %v", name, sent, err)
		}
	}
}

func TestConfigErrorsSayWhatIsWrong(t *testing.T) {
	fine := func() Config { return Config{Store: newMemory(), Secrets: []string{secret}} }
	if _, err := New(fine()); err != nil {
		t.Fatal(err)
	}
	for want, spoil := range map[string]func(*Config){
		"Store is missing":      func(c *Config) { c.Store = nil },
		"must be 1 to 16":       func(c *Config) { c.Secrets = nil },
		"17, must be 1 to 16":   func(c *Config) { c.Secrets = strings.Split("1234567890abcdefg", "") },
		"is the variable set":   func(c *Config) { c.Secrets = []string{secret, ""} },
		`Name "a b"`:            func(c *Config) { c.Name = "a b" },
		"TTL -1s":               func(c *Config) { c.TTL = -time.Second },
		"passport.user":         func(c *Config) { c.User = "passport..user" },
		"must begin with /":     func(c *Config) { c.Cookie.Path = "shop" },
		`Path "/\r\n"`:          func(c *Config) { c.Cookie.Path = "/\r\n" },
		"must be a domain":      func(c *Config) { c.Cookie.Domain = "exa mple" },
		"strict, lax":           func(c *Config) { c.Cookie.SameSite = "sometimes" },
		"low, medium":           func(c *Config) { c.Cookie.Priority = "urgent" },
		"SecureNever":           func(c *Config) { c.Cookie.Secure = 7 },
		"MaxAge -1s":            func(c *Config) { c.Cookie.MaxAge = -time.Second },
		"MaxAge 1µs: must be 0": func(c *Config) { c.Cookie.MaxAge = time.Microsecond },
		"a hundred years":       func(c *Config) { c.Cookie.MaxAge = 2 * longestAge },
	} {
		cfg := fine()
		spoil(&cfg)
		if _, err := New(cfg); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), secret) {
			t.Errorf("%v, want … %s …", err, want)
		}
	}
}

func TestEventsAndErrorsHaveNames(t *testing.T) {
	for k := Unsigned; k <= Failed; k++ {
		if name := k.String(); name == "" || name == "no kind" {
			t.Errorf("%d: %q", k, name)
		}
	}
	if EventKind(0).String() != EventKind(99).String() {
		t.Error("a kind that is none has a name")
	}
	for _, err := range []error{ErrDestroyed, ErrOutside, ErrReserved, ErrTooLarge, ErrNotSession, ErrUser, ErrCookie, ErrTooLate, ErrNotFound} {
		if !strings.HasPrefix(err.Error(), "expresscookie: ") || errors.Unwrap(err) != nil {
			t.Errorf("%v", err)
		}
	}
}
