package expresscookie

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// memory is a Store in this process that counts what is asked of it.
type memory struct {
	mu     sync.Mutex
	data   map[string][]byte
	until  map[string]time.Time
	calls  []string
	broken error // what all writes return, if any
}

func newMemory() *memory {
	return &memory{data: make(map[string][]byte), until: make(map[string]time.Time)}
}

func (m *memory) there(id string) bool {
	_, ok := m.data[id]
	return ok && time.Now().Before(m.until[id])
}

func (m *memory) call(what string) func() {
	m.mu.Lock()
	m.calls = append(m.calls, what)
	return m.mu.Unlock
}

// asked returns what was asked since the last time.
func (m *memory) asked() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	calls := strings.Join(m.calls, " ")
	m.calls = nil
	return calls
}

func (m *memory) put(id, text string, ttl time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.data[id], m.until[id] = []byte(text), time.Now().Add(ttl)
}

func (m *memory) text(id string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.there(id) {
		return ""
	}
	return string(m.data[id])
}

func (m *memory) Get(_ context.Context, id string) (Stored, error) {
	defer m.call("get")()
	if !m.there(id) {
		return Stored{}, ErrNotFound
	}
	return Stored{m.data[id], string(m.data[id])}, nil
}

func (m *memory) write(id string, must bool, f func() ([]byte, error), ttl time.Duration) error {
	if m.broken != nil {
		return m.broken
	}
	if must != m.there(id) {
		return ErrNotFound
	}
	data, err := f()
	if err == nil {
		m.data[id], m.until[id] = data, time.Now().Add(ttl)
	}
	return err
}

func (m *memory) Create(_ context.Context, id string, data []byte, ttl time.Duration) error {
	defer m.call("create")()
	return m.write(id, false, func() ([]byte, error) { return data, nil }, ttl)
}

func (m *memory) Patch(_ context.Context, id string, p Patch, ttl time.Duration) (done Patched, err error) {
	names := slices.Sorted(maps.Keys(p.Changed))
	for _, key := range p.Removed {
		names = append(names, "-"+key)
	}
	defer m.call("patch(" + strings.Join(names, " ") + ")")()
	if was, ok := p.Since.(string); ok && was != string(m.data[id]) { // more than a real one would tell
		done.Conflicts = slices.Clone(names)
	}
	err = m.write(id, true, func() ([]byte, error) { return p.apply(m.data[id]) }, ttl)
	done.Version = string(m.data[id])
	return done, err
}

// apply changes a JSON object.
func (p *Patch) apply(data []byte) ([]byte, error) {
	var f fields
	if json.Unmarshal(data, &f) != nil || f == nil {
		return nil, ErrNotSession
	}
	for _, key := range p.Removed {
		delete(f, key)
	}
	maps.Copy(f, p.Changed)
	cookie := f[cookieKey]
	delete(f, cookieKey)
	return f.text(cookie), nil
}

func (m *memory) Touch(_ context.Context, id string, ttl time.Duration) error {
	defer m.call("touch")()
	return m.write(id, true, func() ([]byte, error) { return m.data[id], nil }, ttl)
}

func (m *memory) Destroy(_ context.Context, id string) error {
	defer m.call("destroy")()
	if m.broken != nil {
		return m.broken
	}
	delete(m.data, id)
	return nil
}

const secret = "keyboard cat"

// app is a Sessions over a memory, and one browser that keeps its cookie.
type app struct {
	*Sessions
	t      *testing.T
	store  *memory
	events []string
	cookie string // as a Cookie header
}

func newApp(t *testing.T, cfg Config) *app {
	t.Helper()
	a := &app{t: t, store: newMemory()}
	cfg.Store, cfg.OnEvent = a.store, func(_ *http.Request, e Event) { a.events = append(a.events, e.Kind.String()) }
	if cfg.Secrets == nil {
		cfg.Secrets = []string{secret}
	}
	var err error
	if a.Sessions, err = New(cfg); err != nil {
		t.Fatal(err)
	}
	return a
}

func (a *app) request() *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	if a.cookie != "" {
		r.Header.Set("Cookie", a.cookie)
	}
	return r
}

// ask makes a request that f handles and returns the answer; the browser takes its cookie.
func (a *app) ask(f func(w http.ResponseWriter, s *Session)) *httptest.ResponseRecorder {
	a.t.Helper()
	w := httptest.NewRecorder()
	a.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { f(w, a.Of(r)) })).ServeHTTP(w, a.request())
	a.take(w)
	return w
}

// take keeps the cookie of an answer.
func (a *app) take(w *httptest.ResponseRecorder) {
	if set := w.Header().Get("Set-Cookie"); set != "" {
		a.cookie, _, _ = strings.Cut(set, ";")
	}
}

func (a *app) load() *Session {
	a.t.Helper()
	s, err := a.Load(a.request())
	if err != nil {
		a.t.Fatal(err)
	}
	return s
}

func (a *app) wantEvents(want ...string) {
	a.t.Helper()
	if got := strings.Join(a.events, ", "); got != strings.Join(want, ", ") {
		a.t.Errorf("events %q, want %q", got, want)
	}
	a.events = nil
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantErr(t *testing.T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: %v, want %v", what, err, want)
	}
}

func set(t *testing.T, key string, v any) func(http.ResponseWriter, *Session) {
	return func(_ http.ResponseWriter, s *Session) { must(t, s.Set(key, v)) }
}

func nothing(http.ResponseWriter, *Session) {}
