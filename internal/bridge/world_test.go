package bridge

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
)

var (
	self  = netip.MustParseAddrPort("10.0.0.9:4000")
	hostA = netip.MustParseAddrPort("10.0.0.1:4000")
	hostB = netip.MustParseAddrPort("10.0.0.2:4000")
	start = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
)

// memory is a Store.
type memory struct {
	m     map[string]Stored
	ended map[string]bool
	err   error    // of the next Put
	names []string // as Scan last sorted them
}

func (s *memory) Get(_ time.Time, sid string) (Stored, bool, bool) {
	v, there := s.m[sid]
	return v, there, s.ended[sid]
}

func (s *memory) Put(_ time.Time, sid string, w *Write) error {
	if s.err != nil {
		return s.err
	}
	value := w.Value
	if w.Patch {
		list, err := fieldsOf(s.m[sid].Value)
		if err != nil {
			panic(err)
		}
		for _, name := range w.Remove {
			list = without(list, name)
		}
		for _, f := range w.Set {
			list = setField(list, f)
		}
		value = objectOf(list)
	}
	if !json.Valid(value) || string(value) != string(w.Value) {
		panic(string(value) + " is not " + string(w.Value))
	}
	s.m[sid] = Stored{SID: sid, Value: value, Due: w.Due}
	return nil
}

func (s *memory) Destroy(_ time.Time, sid string) error {
	delete(s.m, sid)
	s.ended[sid] = true
	return nil
}

func (s *memory) Scan(_ time.Time, cursor uint64, emit func(Stored)) uint64 {
	if cursor == 0 { // what is made later is seen in the next scan
		s.names = slices.Sorted(maps.Keys(s.m))
	}
	names := s.names
	const batch = 3
	for i := int(cursor); i < len(names); i++ {
		if i == int(cursor)+batch {
			return uint64(i)
		}
		if v, there := s.m[names[i]]; there {
			emit(v)
		}
	}
	return 0
}

// world is a core with its store, a clock, and what it has sent.
type world struct {
	*testing.T
	core  *Core
	store *memory
	now   time.Time
	sent  []Datagram
}

func newWorld(t *testing.T) *world {
	store := &memory{m: map[string]Stored{}, ended: map[string]bool{}}
	return &world{T: t, core: New(Config{Self: self, MaxSID: 100}, store), store: store, now: start}
}

// begun is a world whose bridge is in the group for a while.
func begun(t *testing.T) *world {
	w := newWorld(t)
	w.core.Begin(w.now)
	w.pass(time.Minute)
	w.sent = nil
	return w
}

// pass lets time pass, and sends what is to be sent in it.
func (w *world) pass(d time.Duration) {
	w.Helper()
	for end, i := w.now.Add(d), 0; ; i++ {
		out, next := w.core.Poll(w.now)
		for _, d := range out {
			if !json.Valid(d.Data) || d.Data[0] != '{' || len(d.Data) > MaxDatagram {
				w.Fatalf("an original would die of %q", d.Data)
			}
		}
		w.sent = append(w.sent, out...)
		if next.IsZero() || next.After(end) {
			w.now = end
			return
		}
		if i > 1_000_000 {
			w.Fatal("it never rests")
		}
		w.now = later(w.now, next)
	}
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

func (w *world) hear(from netip.AddrPort, text string) {
	w.Helper()
	w.core.Receive(w.now, from, []byte(text))
	w.pass(0)
}

// took is what was sent since it was last asked, each as "to: what".
func (w *world) took() (list []string) {
	for _, d := range w.sent {
		to := "all"
		if d.To.IsValid() {
			to = d.To.String()
		}
		list = append(list, to+": "+string(d.Data))
	}
	w.sent = nil
	return list
}

// wantSent wants the messages sent since, in their order, by what each holds.
func (w *world) wantSent(parts ...string) {
	w.Helper()
	got := w.took()
	if len(got) != len(parts) {
		w.Fatalf("sent %d:\n%s\nwant %d: %q", len(got), strings.Join(got, "\n"), len(parts), parts)
	}
	for i, part := range parts {
		if !strings.Contains(got[i], part) {
			w.Errorf("sent %s, want something with %s", got[i], part)
		}
	}
}

func (w *world) counter(name string, got uint64, want uint64) {
	w.Helper()
	if got != want {
		w.Errorf("%s: %d, want %d", name, got, want)
	}
}

func (w *world) holds(sid, want string) {
	w.Helper()
	if got := string(w.store.m[sid].Value); got != want {
		w.Errorf("%s is %s, want %s", sid, got, want)
	}
}

// cookieFor is a cookie that ends so long after the start.
func cookieFor(d time.Duration) string {
	return fmt.Sprintf(`"cookie":{"originalMaxAge":%d,"expires":"%s","httpOnly":true,"path":"/"}`, d.Milliseconds(), start.Add(d).Format("2006-01-02T15:04:05.000Z"))
}

func newSession(sid, fields string) string {
	return fmt.Sprintf(`{"dataset":{"sid":"%s","session":{%s,%s,"save":"%[1]s"}},"status":"new","type":"session"}`, sid, cookieFor(2*time.Hour), fields)
}

func value(fields string) []byte { return []byte("{" + cookieFor(2*time.Hour) + "," + fields + "}") }

func (w *world) have(sid, fields string) {
	w.store.m[sid] = Stored{SID: sid, Value: value(fields), Due: start.Add(2 * time.Hour).UnixMilli()}
}
