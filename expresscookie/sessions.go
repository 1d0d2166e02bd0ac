package expresscookie

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Config configures a Sessions. What has to be as in the Express app says so.
type Config struct {
	// Store holds the sessions: Over a node, with the prefix of the app's store.
	Store Store
	// Secrets sign the cookies, as the app's "secret": the first signs, all verify. To change it put the new one first, everywhere,
	// and take the old one out when its cookies have ended.
	Secrets []string
	// Name is the cookie's, as the app's "name"; "" is connect.sid.
	Name string
	// Cookie is what new sessions' cookies are made with, as the app's "cookie".
	Cookie Cookie
	// Rolling sends the cookie with every response, as the app's "rolling"; else one with a MaxAge is sent when its session changes, and
	// one without when it is made.
	Rolling bool
	// SaveUninitialized makes sessions of which nothing is known, as the app's "saveUninitialized".
	SaveUninitialized bool
	// TTL is how long a session lives in the store whose cookie has no MaxAge, as the "ttl" of the app's store; 0 is 24 h.
	TTL time.Duration
	// User is where a session says whose it is, as "passport.user" or "user.id", and as the "user" of the app's store; "": nowhere. Its owner label
	// is that id then, by which Node.ByOwner finds a user's sessions and Node.DestroyOwner ends them: a logout on all devices.
	User string
	// TrustProxy believes X-Forwarded-Proto, as the app's "proxy": true. Only behind a proxy that sets it.
	TrustProxy bool

	// OnEvent is told what nobody else hears of, to count it. It is called while the request waits.
	OnEvent func(*http.Request, Event)
	// OnError answers for the middleware a request whose session could not be read or saved; nil: with status 503.
	OnError func(http.ResponseWriter, *http.Request, error)
}

const (
	defaultName = "connect.sid"
	defaultTTL  = 24 * time.Hour
)

// Sessions are the sessions of an Express app, and of the Go services beside it.
type Sessions struct {
	cfg  Config
	user userPath
}

// New checks the configuration. It starts nothing.
func New(cfg Config) (*Sessions, error) {
	if cfg.Name == "" {
		cfg.Name = defaultName
	}
	if cfg.TTL == 0 {
		cfg.TTL = defaultTTL
	}
	if cfg.OnEvent == nil {
		cfg.OnEvent = func(*http.Request, Event) {}
	}
	if cfg.OnError == nil {
		cfg.OnError = unavailable
	}
	cfg.Secrets = slices.Clone(cfg.Secrets)
	switch {
	case cfg.Store == nil:
		return nil, errors.New("expresscookie: Config.Store is missing")
	case len(cfg.Secrets) == 0 || len(cfg.Secrets) > MaxSecrets:
		return nil, fmt.Errorf("expresscookie: Config.Secrets: %d, must be 1 to %d", len(cfg.Secrets), MaxSecrets)
	case slices.Contains(cfg.Secrets, ""):
		return nil, errors.New("expresscookie: Config.Secrets: one is empty, so anybody could sign; is the variable set?")
	case !cookieName.MatchString(cfg.Name):
		return nil, fmt.Errorf("expresscookie: Config.Name %q: a cookie cannot have that name", cfg.Name)
	case cfg.TTL < 0:
		return nil, fmt.Errorf("expresscookie: Config.TTL %v: must not be negative", cfg.TTL)
	}
	if err := cfg.Cookie.check(); err != nil {
		return nil, err
	}
	user, err := readUserPath(cfg.User)
	if err != nil {
		return nil, err
	}
	return &Sessions{cfg, user}, nil
}

func unavailable(w http.ResponseWriter, _ *http.Request, _ error) {
	http.Error(w, "the session is not available", http.StatusServiceUnavailable)
}

// String shows no secret.
func (m *Sessions) String() string { return "expresscookie.Sessions " + m.cfg.Name }

// GoString shows no secret.
func (m *Sessions) GoString() string { return m.String() }

// Load returns the session that the request's cookie names, or a new one that is not stored yet. A cookie that is not good is as none,
// and a session that is gone as a new one; so is what is stored under its key and is no JSON
// object, as of another program, since an error would keep its browser out for as long as it has the cookie. An error is the store's, or, as in Express, says that the session has no
// cookie in it.
func (m *Sessions) Load(r *http.Request) (*Session, error) {
	s := &Session{m: m, r: r}
	if !m.covers(r) {
		s.ended = ErrOutside
		return s, nil
	}
	s.https = m.https(r)
	id := m.cookieID(r)
	if id == "" {
		s.begin()
		return s, nil
	}
	s.cookieID = id
	stored, err := m.cfg.Store.Get(r.Context(), id)
	switch {
	case errors.Is(err, ErrNotFound):
		m.tell(r, Unknown)
		s.begin()
		return s, nil
	case err != nil:
		return nil, err
	}
	s.now, s.cookie, err = readSession(stored.Data)
	switch {
	case errors.Is(err, errNotObject): // it stays as it is, since the new one has another id
		m.tell(r, NotObject)
		s.begin()
		return s, nil
	case err != nil:
		return nil, err
	}
	s.id, s.stored, s.version = id, true, stored.Version
	s.settle()
	return s, nil
}

func (m *Sessions) tell(r *http.Request, kind EventKind) { m.cfg.OnEvent(r, Event{Kind: kind}) }

// cookieID is the id that the request's cookie names; "": it has no good one.
func (m *Sessions) cookieID(r *http.Request) string {
	header := strings.Join(r.Header["Cookie"], "; ") // as Node makes one of several
	value, raw, found := cookieNamed(header, m.cfg.Name)
	switch {
	case !found || value == "":
		return ""
	case raw > MaxCookie:
		m.tell(r, TooLong)
		return ""
	case !strings.HasPrefix(value, signedMark):
		m.tell(r, Unsigned)
		return ""
	}
	id, ok := Unsign(value, m.cfg.Secrets...)
	if !ok {
		m.tell(r, Tampered)
	}
	return id
}

// covers reports whether the path that the client asked for is under the cookie's.
func (m *Sessions) covers(r *http.Request) bool {
	path, _, _ := strings.Cut(r.RequestURI, "?") // what a handler around this one cut off is in it
	if !strings.HasPrefix(path, "/") {
		path = r.URL.EscapedPath()
	}
	if path == "" {
		path = "/"
	}
	return strings.HasPrefix(path, m.cfg.Cookie.path())
}

func (m *Sessions) https(r *http.Request) bool {
	if r.TLS != nil || !m.cfg.TrustProxy {
		return r.TLS != nil
	}
	proto, _, _ := strings.Cut(r.Header.Get("X-Forwarded-Proto"), ",")
	return strings.EqualFold(strings.TrimSpace(proto), "https")
}

// ClearCookie tells the browser to forget the cookie, as res.clearCookie does; Destroy alone leaves it there, and it means nothing
// any more. Call it before the response's head is written.
func (m *Sessions) ClearCookie(w http.ResponseWriter) {
	a := m.cfg.Cookie.made(false)
	a.ages, a.until = true, time.Unix(0, 0)
	if text, err := a.setCookie(m.cfg.Name, ""); err == nil { // New has checked what could be wrong
		w.Header().Add("Set-Cookie", text)
	}
}

// of is the context key of a Sessions' session.
type of struct{ m *Sessions }

// Of returns the session of a request that came through Handler. Without it there is none: what comes back then has nothing, and
// refuses what is set.
func (m *Sessions) Of(r *http.Request) *Session { return m.from(r.Context()) }

func (m *Sessions) from(ctx context.Context) *Session {
	if s, ok := ctx.Value(of{m}).(*Session); ok {
		return s
	}
	return &Session{m: m, ended: ErrOutside}
}
