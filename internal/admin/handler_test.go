package admin

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/sessioncast/sessioncast/internal/engine"
	"github.com/sessioncast/sessioncast/internal/link"
	"github.com/sessioncast/sessioncast/internal/resp"
	"github.com/sessioncast/sessioncast/internal/stream"
	"github.com/sessioncast/sessioncast/internal/table"
	"github.com/sessioncast/sessioncast/internal/transfer"
	"github.com/sessioncast/sessioncast/internal/wire"
)

// ask sends a request to a handler that reads r.
func ask(t *testing.T, r *Reading, method, path, host string) *http.Response {
	t.Helper()
	req := httptest.NewRequest(method, path, nil)
	req.Host = host
	w := httptest.NewRecorder()
	handler(func() *Reading { return r }, func() Store { return nil }).ServeHTTP(w, req)
	return w.Result()
}

func body(t *testing.T, resp *http.Response) string {
	t.Helper()
	var b strings.Builder
	if _, err := io.Copy(&b, resp.Body); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestReadinessFollowsTheNode(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*Reading)
		code   int
		reason string
	}{
		{"synced", func(*Reading) {}, 200, ""},
		{"synced, with late acknowledgements", func(r *Reading) { r.Counts.Engine.AckTimeouts = 5 }, 200, ""},
		{"starting", func(r *Reading) { r.State = 0 }, 503, "starting"},
		{"joining", func(r *Reading) { r.State = wire.Joining }, 503, "fetching"},
		{"leaving", func(r *Reading) { r.State = wire.Leaving }, 503, "leaving"},
		{"lacking for want of room", func(r *Reading) { r.Full.Lacks = noon.Add(-time.Second) }, 503, "memory is full: sessions of other nodes found no room"},
		{"joining without room", func(r *Reading) { r.State, r.Full.Lacks = wire.Joining, noon.Add(-time.Second) }, 503, "memory is full"},
		{"full", func(r *Reading) { r.Counts.Table.Bytes, r.Counts.Table.Limit = 1101, 1000 }, 503, "memory is full"},
		{"nearly full", func(r *Reading) { r.Counts.Table.Bytes, r.Counts.Table.Limit = 1090, 1000 }, 200, ""},
		{"others nearly full", func(r *Reading) { r.Full.Crowded = true }, 200, ""},
		{"full, but not lately", func(r *Reading) { r.Counts.Table.NoRoom = 1 }, 200, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := healthy()
			test.change(r)
			resp := ask(t, r, "GET", "/readyz", "127.0.0.1:4080")
			var got Readiness
			if err := json.Unmarshal([]byte(body(t, resp)), &got); err != nil {
				t.Fatal(err)
			}
			if resp.StatusCode != test.code || got.Ready != (test.code == 200) || !strings.Contains(got.Reason, test.reason) {
				t.Errorf("%d %+v, want %d, reason %q", resp.StatusCode, got, test.code, test.reason)
			}
			if got.DegradedAcks != r.Counts.Engine.AckTimeouts {
				t.Errorf("degraded acks %d", got.DegradedAcks)
			}
		})
	}
}

func TestAnIncompleteNodeIsDegradedAndReady(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*Reading)
		want   string
	}{
		{"its acknowledgements are well", func(*Reading) {}, "sessions are missing here for 1 min"},
		{"nor are its writes confirmed", func(r *Reading) { r.Acks.Listening = 0 }, "0 of 2 peers answer; sessions are missing here for 1 min"},
	} {
		r := healthy()
		r.Lost = engine.Incomplete{Since: noon.Add(-90 * time.Second), Changes: 3, Donor: engine.Member{Name: "web-9"}}
		test.change(r)
		var got Readiness
		if err := json.Unmarshal([]byte(body(t, ask(t, r, "GET", "/readyz", "localhost"))), &got); err != nil {
			t.Fatal(err)
		}
		if !got.Ready || got.Degraded != test.want {
			t.Errorf("%s: %+v", test.name, got)
		}
	}
}

// "degraded state in status, /readyz detail and metrics"
func TestDegradedAcknowledgementsAreNamedAndDoNotMakeANodeUnready(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*engine.AckHealth)
		want   string
	}{
		{"confirmed", func(*engine.AckHealth) {}, ""},
		{"nobody is asked", func(h *engine.AckHealth) { h.Asked, h.Live, h.Listening = 0, 0, 0 }, ""},
		{"unconfirmed", func(h *engine.AckHealth) {
			h.Since, h.Minute = noon.Add(-12*time.Second), engine.AckShare{Waited: 400, Unconfirmed: 30}
		}, "for 12 s, 30 of 400 writes in the last minute unconfirmed"},
		{"alone", func(h *engine.AckHealth) { h.Live, h.Listening = 0, 0 }, "no peer is there to confirm writes"},
		{"short", func(h *engine.AckHealth) { h.Asked, h.Live, h.Listening = 2, 1, 1 }, "1 peer is there, --ack asks for 1"},
		{"deaf", func(h *engine.AckHealth) { h.Listening = 0 }, "0 of 2 peers answer"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := healthy()
			test.change(&r.Acks)
			var got Readiness
			if err := json.Unmarshal([]byte(body(t, ask(t, r, "GET", "/readyz", "localhost"))), &got); err != nil {
				t.Fatal(err)
			}
			if !got.Ready || got.Degraded != test.want {
				t.Errorf("ready %v, degraded %q, want %q", got.Ready, got.Degraded, test.want)
			}
			if s := r.Status().Acks; s.Degraded != (test.want != "") || s.Reason != test.want {
				t.Errorf("status says %+v", s)
			}
			gauge := "sessioncast_acks_degraded 0"
			if test.want != "" {
				gauge = "sessioncast_acks_degraded 1"
			}
			if text := body(t, ask(t, r, "GET", "/metrics", "localhost")); !strings.Contains(text, gauge) {
				t.Errorf("metrics lack %q", gauge)
			}
		})
	}
}

func TestHealthIsTheProcessAlone(t *testing.T) {
	r := healthy()
	r.State = wire.Joining
	if resp := ask(t, r, "GET", "/healthz", "localhost"); resp.StatusCode != 200 {
		t.Error(resp.Status)
	}
}

func TestOnlyNamesOfThisHostAreAnswered(t *testing.T) {
	for host, want := range map[string]int{
		"127.0.0.1:4080": 200, "localhost": 200, "LOCALHOST:4080": 200, "[::1]:4080": 200, "[::1]": 200, "127.1.2.3": 200,
		"evil.example": 403, "evil.example:4080": 403, "127.0.0.1.evil.example": 403, "10.0.0.1": 403, "": 403, "localhost.evil": 403,
	} {
		for _, path := range []string{"/healthz", "/readyz", "/metrics", "/v1/status", "/"} {
			if got := ask(t, healthy(), "GET", path, host).StatusCode; got != want {
				t.Errorf("Host %q, %s: %d, want %d", host, path, got, want)
			}
		}
	}
}

func TestOnlyReadingIsPossible(t *testing.T) {
	for method, want := range map[string]int{"GET": 200, "HEAD": 200, "POST": 405, "PUT": 405, "DELETE": 405, "OPTIONS": 405, "TRACE": 405} {
		resp := ask(t, healthy(), method, "/v1/status", "localhost")
		if resp.StatusCode != want || want == 405 && resp.Header.Get("Allow") != "GET, HEAD" {
			t.Errorf("%s: %d, Allow %q", method, resp.StatusCode, resp.Header.Get("Allow"))
		}
		for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store",
			"Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'", "Access-Control-Allow-Origin": ""} {
			if got := resp.Header.Get(name); got != want {
				t.Errorf("%s: %s is %q, want %q", method, name, got, want)
			}
		}
	}
	if got := ask(t, healthy(), "GET", "/v1/nothing", "localhost").StatusCode; got != 404 {
		t.Errorf("unknown path: %d", got)
	}
}

func TestMetricsHoldEveryCounter(t *testing.T) {
	r := healthy()
	r.Counts.Engine.DropTag, r.Counts.Engine.NacksOut = 3, 4
	text := body(t, ask(t, r, "GET", "/metrics", "localhost"))
	for part, counters := range map[string]any{"": engine.Counters{}, "link": link.Stats{}, "table": table.Stats{},
		"stream": stream.Stats{}, "transfer": transfer.Stats{}, "resp": resp.Stats{}} {
		v := reflect.TypeOf(counters)
		for i := range v.NumField() {
			name := strings.TrimPrefix(part+"_"+snake(v.Field(i).Name), "_")
			if reason, is := strings.CutPrefix(name, "drop_"); is {
				name = `dropped_frames_total{reason="` + reason + `"}`
			}
			if !strings.Contains(text, "\nsessioncast_"+name) {
				t.Errorf("%s.%s is no metric %s", part, v.Field(i).Name, name)
			}
		}
	}
	for _, line := range []string{
		`sessioncast_dropped_frames_total{reason="tag"} 3`, `sessioncast_nacks_out_total 4`, `sessioncast_ready 1`,
		`sessioncast_members{state="synced"} 3`, `sessioncast_members{state="dead"} 0`, `sessioncast_member_lag{member="web-2"} 0`, "go_goroutines ",
	} {
		if !strings.Contains(text, "\n"+line) {
			t.Errorf("no line %s", line)
		}
	}
}

func TestMetricsStandTwoMembersOfOneName(t *testing.T) {
	r := healthy()
	r.Members[2].Name = "web-2"
	if resp := ask(t, r, "GET", "/metrics", "localhost"); resp.StatusCode != 200 {
		t.Errorf("%s: %s", resp.Status, body(t, resp))
	}
}

func TestStatusBeforeTheNodeIsOpen(t *testing.T) {
	r := &Reading{At: noon, Node: "web-1"}
	for _, path := range []string{"/v1/status", "/metrics"} {
		if resp := ask(t, r, "GET", path, "localhost"); resp.StatusCode != 200 {
			t.Errorf("%s: %s", path, resp.Status)
		}
	}
	if s := r.Status(); s.Ready || s.State != "starting" {
		t.Errorf("%+v", s)
	}
}

func TestFieldNamesBecomeMetricNames(t *testing.T) {
	for field, want := range map[string]string{"FramesIn": "frames_in", "ClosedHTTP": "closed_http", "RTT": "rtt", "GSOBatches": "gso_batches"} {
		if got := snake(field); got != want {
			t.Errorf("%s: %s, want %s", field, got, want)
		}
	}
}
