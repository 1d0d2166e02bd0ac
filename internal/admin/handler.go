package admin

import (
	"encoding/json"
	"net"
	"net/http"
	"net/netip"
	"strings"

	"github.com/sessioncast/sessioncast/internal/engine"
	"github.com/sessioncast/sessioncast/internal/wire"
)

const index = `sessioncast admin API
/healthz    200 while the process lives
/readyz     200 when the node is synced and may get traffic, else 503
/metrics    Prometheus
/v1/status  this node and its members, as JSON

On the node's own socket only:
/v1/sessions          the sessions of an owner, as JSON: ?owner=LABEL&db=0&cursor=&ids=1
/v1/sessions/destroy  POST {"owner": LABEL, "db": 0, "except": [ID or tag, ...]}: logs out everywhere
`

// handler answers the API from what read and store return.
func handler(read func() *Reading, store func() Store) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/{$}", func(w http.ResponseWriter, _ *http.Request) { writeText(w, index) })
	mux.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) { writeText(w, "ok\n") })
	mux.HandleFunc("/readyz", func(w http.ResponseWriter, _ *http.Request) { writeReadiness(w, read()) })
	mux.HandleFunc("/v1/status", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, http.StatusOK, read().Status()) })
	mux.Handle("/metrics", metricsHandler(read))
	sessionsHandler(mux, store)
	return guarded(mux)
}

// guarded lets only harmless requests of this host through. A page in a browser may be made to send requests here under a
// name of its own (DNS rebinding): it gives itself away by the Host header.
func guarded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		switch {
		case !overUnix(r) && !loopbackName(r.Host):
			http.Error(w, "this API answers to 127.0.0.1, localhost and [::1] only", http.StatusForbidden)
		case r.Method != http.MethodGet && r.Method != http.MethodHead && !(r.Method == http.MethodPost && r.URL.Path == destroyPath && overUnix(r)):
			h.Set("Allow", "GET, HEAD")
			http.Error(w, "this is read-only: use GET", http.StatusMethodNotAllowed)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

func overUnix(r *http.Request) bool {
	a, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	return ok && a.Network() == "unix"
}

func loopbackName(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	if strings.EqualFold(host, "localhost") {
		return true
	}
	a, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && a.Unmap().IsLoopback()
}

func writeText(w http.ResponseWriter, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write([]byte(text))
}

func writeJSON(w http.ResponseWriter, code int, v any) {
	body, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		http.Error(w, "internal error", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_, _ = w.Write(append(body, '\n'))
}

// Readiness is what /readyz answers.
type Readiness struct {
	Ready  bool   `json:"ready"`
	State  string `json:"state"`
	Reason string `json:"reason"` // why not ready
	// Degraded says why writes are not confirmed by as many peers as --ack asks, now or within the last ten seconds, and that sessions are
	// missing which a donor took with it; empty when neither is so. It does not make a node unready.
	Degraded string `json:"degraded"`
	// DegradedAcks counts the writes that returned before as many peers as --ack asks had confirmed them, since the start of the node: it stays when
	// Degraded is empty again. DegradedAcks1m are those of the last minute.
	DegradedAcks   uint64 `json:"degraded_acks"`
	DegradedAcks1m uint64 `json:"degraded_acks_1m"`
	Peers          int    `json:"peers"` // synced
	Sessions       int64  `json:"sessions"`
	// Findings are what sessioncast status shows as worth a look: sentences with what to do. They do not make a node unready.
	Findings []string `json:"findings"`
}

func writeReadiness(w http.ResponseWriter, r *Reading) {
	d := Readiness{State: stateText(r.State), Reason: r.unready(), DegradedAcks: r.Counts.Engine.AckTimeouts, DegradedAcks1m: r.Acks.Minute.Unconfirmed,
		Degraded: r.impaired(), Peers: r.syncedPeers(), Sessions: r.Counts.Table.Sessions, Findings: r.findingTexts()}
	code := http.StatusOK
	if d.Ready = d.Reason == ""; !d.Ready {
		code = http.StatusServiceUnavailable
	}
	writeJSON(w, code, &d)
}

func (r *Reading) syncedPeers() (n int) {
	for _, m := range r.Members {
		if isSyncedPeer(&m) {
			n++
		}
	}
	return n
}

func isSyncedPeer(m *engine.Member) bool { return !m.Self && m.State == wire.Synced }
