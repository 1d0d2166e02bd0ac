package daemon

import (
	"testing"
	"time"

	"github.com/sessioncast/sessioncast/internal/resp"
)

func TestNobodyIsThereSinceTheLastClientWasSeen(t *testing.T) {
	start := time.Unix(1_000, 0)
	l := lonely{since: start}
	for _, step := range []struct {
		what     string
		at       time.Duration
		clients  int64
		accepted uint64
		want     time.Duration
	}{
		{"from the start on", 2 * time.Second, 0, 0, 2 * time.Second},
		{"one came", 3 * time.Second, 1, 1, 0},
		{"it stays", 9 * time.Second, 1, 1, 0},
		{"it went", 10 * time.Second, 0, 1, time.Second},
		{"another came and went between two looks", 11 * time.Second, 0, 2, 0},
		{"nobody since", 15 * time.Second, 0, 2, 4 * time.Second},
	} {
		if got := l.look(start.Add(step.at), resp.Stats{Clients: step.clients, Accepted: step.accepted}); got != step.want {
			t.Errorf("%s: %v, want %v", step.what, got, step.want)
		}
	}
}
