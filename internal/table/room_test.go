package table

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// fill makes sessions until one is refused.
func (n *node) fill(size int) (made int) {
	for ; ; made++ {
		if _, err := n.tryPut(fmt.Sprint("s", made), strings.Repeat("x", size), n.dueIn(hour)); err != nil {
			if !errors.Is(err, ErrFull) {
				n.t.Fatal(err)
			}
			return made
		}
	}
}

// limits: max-memory
func TestNewSessionsLeaveRoomForThoseThatAreThereToGrow(t *testing.T) {
	n := newNode(t, 1, func(c *Config) { c.MaxBytes = 100_000 })
	n.fill(500)
	if full := n.StatsFull(); full < 93 || full > createLimitPercent {
		t.Fatalf("new sessions are refused at %d %%", full)
	}
	n.put("s0", strings.Repeat("x", 4000), n.dueIn(hour))
	if _, err := n.tryPut("s1", strings.Repeat("x", 4000), n.dueIn(hour)); !errors.Is(err, ErrFull) {
		t.Errorf("grown beyond the limit: %v", err)
	}
	n.put("s2", "shorter", n.dueIn(hour))
	n.expire("s1", n.now+2*hour)
	n.destroy("s0")
	if full := n.StatsFull(); full > 94 {
		t.Fatalf("%d %% full after the largest went", full)
	}
	n.put("new", "v", n.dueIn(hour))
	if s := n.Stats(); s.Refused != 2 {
		t.Errorf("%d refusals counted", s.Refused)
	}
}

func TestACrowdedClusterMakesNoNewSessions(t *testing.T) {
	n := newNode(t, 1)
	n.put("there", "v", n.dueIn(hour))
	n.SetCrowded(true)
	_, err := n.tryPut("new", "v")
	if !errors.Is(err, ErrCrowded) || !errors.Is(err, ErrFull) {
		t.Errorf("a new session: %v", err)
	}
	n.put("there", "longer", n.dueIn(hour))
	n.SetCrowded(false)
	n.put("new", "v")
}

func TestWhatIsWeighedTogetherFitsTogetherOrNotAtAll(t *testing.T) {
	n := newNode(t, 1, func(c *Config) { c.MaxBytes = 20_000 })
	var two, three Room
	w := Write{Value: make([]byte, 7000)}
	for i := range 3 {
		for _, r := range []*Room{&two, &three} {
			if r == &two && i == 2 {
				continue
			}
			if err := n.Weigh(n.now, key(fmt.Sprint(i)), &w, r); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := n.Fits(&three); !errors.Is(err, ErrFull) {
		t.Errorf("21,000 bytes fit into 20,000: %v", err)
	}
	if err := n.Fits(&two); err != nil {
		t.Error(err)
	}
	if n.Bytes() != 0 || n.OwnHigh() != 0 {
		t.Errorf("weighing left %d bytes and %d dots", n.Bytes(), n.OwnHigh())
	}
}
