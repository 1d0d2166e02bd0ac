package resp

import (
	"strings"
	"testing"

	"github.com/sessioncast/sessioncast/internal/table"
)

// Who is refused reads why, and what to do.
func TestWritesThatAClockRefusesSayWhy(t *testing.T) {
	for why, want := range map[error]string{
		table.ErrClockAhead:   "set it right",
		table.ErrClockStepped: "set forward a moment ago",
		table.ErrClockStamps:  "restart this node",
	} {
		sessions := newTable()
		c := dial(t, serve(t, func(cfg *Config) { cfg.Table = sessions }).Addrs()[0])
		c.want("+OK\r\n", "SET", "s", "before", "EX", "100")
		sessions.SetQuarantine(why)
		for _, command := range [][]string{{"SET", "s", "1"}, {"SETEX", "s", "10", "1"}, {"EXPIRE", "s", "10"}} {
			if got := c.do(command...); !strings.HasPrefix(got, "-CLOCK this node's clock ") || !strings.Contains(got, want) {
				t.Errorf("%v is answered %q", command, got)
			}
		}
		c.want("$6\r\nbefore\r\n", "GET", "s")
		c.want(":1\r\n", "DEL", "s")
	}
}
