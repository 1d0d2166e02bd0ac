package admin

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/sessioncast/sessioncast/internal/record"
	"github.com/sessioncast/sessioncast/internal/table"
)

// What is said of single sessions, and what ends them, goes over sockets of this host's users only, never over a port that all of them can reach.
const (
	sessionsPath = "/v1/sessions"
	destroyPath  = "/v1/sessions/destroy"
)

// logoutTimeout is how long a logout may take: it waits twice for the peers, a minute at most each time.
const logoutTimeout = 150 * time.Second

// What the answers say they are.
const (
	OwnedSchema  = "sessioncast.sessions/v1"
	LogoutSchema = "sessioncast.logout/v1"
)

// Store finds and ends the sessions of an owner. It is called by several goroutines at once.
type Store interface {
	// Owned is table.Owned, with the tag of each session.
	Owned(db int, owner string, cursor uint64, emit func(name, tag string, v table.View)) (next uint64)
	// LogOut destroys an owner's sessions and waits for the peers.
	LogOut(ctx context.Context, r *LogoutRequest) (LogoutResult, error)
	// Partial reports whether there may be sessions that this node lacks.
	Partial() bool
}

// OwnedSessions are some of an owner's sessions.
type OwnedSessions struct {
	Schema   string         `json:"schema"`
	Sessions []OwnedSession `json:"sessions"`
	Next     string         `json:"next"`    // cursor for more; empty: these are all, or the last
	Partial  bool           `json:"partial"` // this node lacks sessions: there may be more
}

// OwnedSession is one of them.
type OwnedSession struct {
	Tag     string `json:"tag"`          // stands for the id, the same on all nodes
	ID      string `json:"id,omitempty"` // where asked for
	Bytes   int    `json:"bytes"`
	Expires string `json:"expires"` // RFC 3339; empty: never
}

// LogoutRequest says which sessions are to be destroyed.
type LogoutRequest struct {
	Owner  string   `json:"owner"`
	DB     int      `json:"db"`
	Except []string `json:"except"` // ids or tags of those that stay
}

// LogoutResult says what became of it.
type LogoutResult struct {
	Schema    string `json:"schema"`
	Destroyed int    `json:"destroyed"`
	Peers     int    `json:"peers"`    // that confirmed it
	Degraded  bool   `json:"degraded"` // not all did in time
	Partial   bool   `json:"partial"`  // this node lacks sessions: there may be more
}

// sessionsHandler answers from what store returns, nil before the node is open.
func sessionsHandler(mux *http.ServeMux, store func() Store) {
	open := func(serve func(http.ResponseWriter, *http.Request, Store)) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			var s Store
			if store != nil {
				s = store()
			}
			switch {
			case !overUnix(r):
				http.Error(w, "single sessions are told of on the node's own socket only, in its user's runtime folder", http.StatusForbidden)
			case s == nil:
				http.Error(w, "the node is starting", http.StatusServiceUnavailable)
			default:
				serve(w, r, s)
			}
		}
	}
	mux.HandleFunc(sessionsPath, open(writeOwned))
	mux.HandleFunc(destroyPath, open(logOut))
}

func writeOwned(w http.ResponseWriter, r *http.Request, s Store) {
	q := r.URL.Query()
	owner, ids := q.Get("owner"), q.Get("ids") == "1"
	db, err := number(q.Get("db"))
	cursor, cursorErr := number(q.Get("cursor"))
	if err = errors.Join(err, cursorErr); err != nil || !validOwner(owner, int(min(db, record.Databases))) {
		http.Error(w, "give owner, and perhaps db, cursor and ids=1", http.StatusBadRequest)
		return
	}
	answer := OwnedSessions{Schema: OwnedSchema, Sessions: []OwnedSession{}, Partial: s.Partial()}
	next := s.Owned(int(db), owner, cursor, func(name, tag string, v table.View) {
		one := OwnedSession{Tag: tag, Bytes: len(v.Value)}
		if ids {
			one.ID = name
		}
		if v.Due != 0 {
			one.Expires = time.UnixMilli(v.Due).UTC().Format(time.RFC3339)
		}
		answer.Sessions = append(answer.Sessions, one)
	})
	if next != 0 {
		answer.Next = strconv.FormatUint(next, 10)
	}
	writeJSON(w, http.StatusOK, &answer)
}

// number reads a number that may be missing.
func number(text string) (uint64, error) {
	if text == "" {
		return 0, nil
	}
	return strconv.ParseUint(text, 10, 64)
}

func validOwner(owner string, db int) bool {
	return owner != "" && len(owner) <= record.MaxOwner && 0 <= db && db < record.Databases
}

func logOut(w http.ResponseWriter, r *http.Request, s Store) {
	var req LogoutRequest
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", "POST")
		http.Error(w, "this destroys sessions: use POST", http.StatusMethodNotAllowed)
		return
	}
	if err := json.NewDecoder(r.Body).Decode(&req); err != nil || !validOwner(req.Owner, req.DB) {
		http.Error(w, `give {"owner": …, "db": 0, "except": […]}`, http.StatusBadRequest)
		return
	}
	deadline := time.Now().Add(logoutTimeout)
	conn := http.NewResponseController(w)
	_ = conn.SetWriteDeadline(deadline) // a test's writer has none
	_ = conn.SetReadDeadline(deadline)  // or the request counts as broken off
	res, err := s.LogOut(r.Context(), &req)
	if err != nil {
		http.Error(w, err.Error(), http.StatusConflict)
		return
	}
	res.Schema = LogoutSchema
	writeJSON(w, http.StatusOK, &res)
}

// AskOwned asks the daemon at where for an owner's sessions, all of them, with their ids if so asked.
func AskOwned(ctx context.Context, where string, db int, owner string, ids bool) (*OwnedSessions, error) {
	all := &OwnedSessions{Schema: OwnedSchema, Sessions: []OwnedSession{}}
	for cursor, more := "", true; more; more = cursor != "" {
		var page OwnedSessions
		if err := call(ctx, askTimeout, where, http.MethodGet, ownedQuery(db, owner, cursor, ids), nil, &page); err != nil {
			return nil, err
		}
		all.Sessions = append(all.Sessions, page.Sessions...)
		all.Partial = all.Partial || page.Partial
		cursor = page.Next
	}
	return all, nil
}

// AskLogout has the daemon at where destroy an owner's sessions.
func AskLogout(ctx context.Context, where string, r *LogoutRequest) (*LogoutResult, error) {
	var res LogoutResult
	if err := call(ctx, logoutTimeout, where, http.MethodPost, destroyPath, r, &res); err != nil {
		return nil, err
	}
	return &res, nil
}
