package admin

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/sessioncast/sessioncast/internal/table"
)

// shelf is a Store of n sessions for each owner, told three at a time.
type shelf struct {
	n       int
	partial bool
	asked   LogoutRequest
}

func (s *shelf) Owned(db int, owner string, cursor uint64, emit func(name, tag string, v table.View)) (next uint64) {
	for i := int(cursor); i < s.n; i++ {
		if i == int(cursor)+3 {
			return uint64(i)
		}
		v := table.View{Value: make([]byte, 10*i)}
		if i > 0 {
			v.Due = noon.UnixMilli()
		}
		emit(fmt.Sprintf("%s/%d/secret-%d", owner, db, i), fmt.Sprintf("tag-%d", i), v)
	}
	return 0
}

func (s *shelf) LogOut(_ context.Context, r *LogoutRequest) (LogoutResult, error) {
	s.asked = *r
	if r.Owner == "refused" {
		return LogoutResult{}, fmt.Errorf("no: %w", context.Canceled)
	}
	return LogoutResult{Destroyed: s.n - len(r.Except), Peers: 2, Partial: s.partial}, nil
}

func (s *shelf) Partial() bool { return s.partial }

// openShelf serves a Store on a socket and a port, and returns where.
func openShelf(t *testing.T, store Store) (socket, port string) {
	t.Helper()
	socket = socketIn(t)
	s, err := Open(Config{Socket: socket, Listen: "127.0.0.1:0", Read: healthy, Store: func() Store { return store }, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return socket, strings.TrimPrefix(s.Addr(), "http://")
}

func TestSessionsOfAnOwnerAreToldPieceByPiece(t *testing.T) {
	s := &shelf{n: 8}
	socket, _ := openShelf(t, s)
	list, err := AskOwned(t.Context(), socket, 3, "alice & bob", false)
	if err != nil || len(list.Sessions) != 8 || list.Partial || list.Schema != OwnedSchema {
		t.Fatalf("%+v, %v", list, err)
	}
	if got, want := list.Sessions[7], (OwnedSession{Tag: "tag-7", Bytes: 70, Expires: "2026-11-22T12:00:00Z"}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if got := list.Sessions[0]; got.Expires != "" || got.ID != "" {
		t.Errorf("%+v", got)
	}
	s.partial = true
	if list, err = AskOwned(t.Context(), socket, 3, "alice & bob", true); err != nil || !list.Partial || list.Sessions[1].ID != "alice & bob/3/secret-1" {
		t.Errorf("%+v, %v", list, err)
	}
	s.n = 0
	if list, err = AskOwned(t.Context(), socket, 0, "alice", true); err != nil || len(list.Sessions) != 0 {
		t.Errorf("%+v, %v", list, err)
	}
}

func TestALogoutIsAskedForByPost(t *testing.T) {
	s := &shelf{n: 8}
	socket, _ := openShelf(t, s)
	res, err := AskLogout(t.Context(), socket, &LogoutRequest{Owner: "alice", DB: 2, Except: []string{"x"}})
	if err != nil || *res != (LogoutResult{Schema: LogoutSchema, Destroyed: 7, Peers: 2}) {
		t.Errorf("%+v, %v", res, err)
	}
	if s.asked.Owner != "alice" || s.asked.DB != 2 || len(s.asked.Except) != 1 {
		t.Errorf("asked for %+v", s.asked)
	}
	if _, err = AskLogout(t.Context(), socket, &LogoutRequest{Owner: "refused"}); err == nil || !strings.Contains(err.Error(), "no: context canceled") {
		t.Error(err)
	}
	for _, bad := range []LogoutRequest{{}, {Owner: strings.Repeat("x", 257)}, {Owner: "a", DB: 16}, {Owner: "a", DB: -1}, {Owner: "a", Except: make([]string, maxBody)}} {
		s.asked = LogoutRequest{}
		if _, err := AskLogout(t.Context(), socket, &bad); err == nil || s.asked.Owner != "" {
			t.Errorf("%+v was asked for: %v", s.asked, err)
		}
	}
	for _, where := range []string{destroyPath, sessionsPath, sessionsPath + "?owner=a&db=x", sessionsPath + "?owner=a&db=16", sessionsPath + "?owner=a&cursor=-1"} {
		if code, _, err := request(t.Context(), socket, http.MethodGet, where, nil); err != nil || code < 400 {
			t.Errorf("GET %s: %d, %v", where, code, err)
		}
	}
	if code, _, err := request(t.Context(), socket, http.MethodPost, sessionsPath+"?owner=a", nil); err != nil || code != http.StatusMethodNotAllowed {
		t.Errorf("a POST to what only reads: %d, %v", code, err)
	}
}

// Every user of the host, and pages in their browsers, reach the port.
func TestSingleSessionsAreNotToldOfOnAPort(t *testing.T) {
	s := &shelf{n: 8}
	_, port := openShelf(t, s)
	if _, err := AskOwned(t.Context(), port, 0, "alice", false); err == nil || !strings.Contains(err.Error(), "own socket only") {
		t.Error(err)
	}
	if _, err := AskLogout(t.Context(), port, &LogoutRequest{Owner: "alice"}); err == nil || s.asked.Owner != "" {
		t.Error(err)
	}
}

func TestSessionsOfANodeThatIsNotOpen(t *testing.T) {
	socket := socketIn(t)
	open(t, socket, "off")
	if _, err := AskOwned(t.Context(), socket, 0, "alice", false); err == nil || !strings.Contains(err.Error(), "starting") {
		t.Error(err)
	}
}
