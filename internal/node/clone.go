package node

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"time"

	"github.com/sessioncast/sessioncast/internal/engine"
	"github.com/sessioncast/sessioncast/internal/record"
)

// reincarnate gives the machine, which found its incarnation at another node as well, a new one. Called with the machine's lock
// held.
func (n *Node) reincarnate(now time.Time) {
	self := newOrigin(n.cfg.Name, now)
	copy(self.Incarnation[6:], n.uncommon("incarnation", now))
	in := engine.NewIncarnation{Self: self, Seed: [32]byte(n.uncommon("dice", now))}
	n.core.machine.Step(now, in)
	n.self.Store(&self)
}

// uncommon is 32 random bytes that a clone does not draw as well, even where its kernel's random numbers were cloned with it: the
// clocks in nanoseconds and the addresses of the two differ.
func (n *Node) uncommon(what string, now time.Time) []byte {
	b := make([]byte, 32, 128)
	_, _ = rand.Read(b) // never fails
	b = binary.BigEndian.AppendUint64(b, uint64(now.UnixNano()))
	b = binary.BigEndian.AppendUint64(b, uint64(time.Now().UnixNano()))
	b = append(b, n.Addr().String()...)
	sum := sha256.Sum256(append(b, what...))
	return sum[:]
}

// firstOrigin is the run's own, until it is found cloned.
func (c *Config) firstOrigin(now time.Time) *record.Origin {
	if c.cloneOf != nil {
		return c.cloneOf
	}
	o := newOrigin(c.Name, now)
	return &o
}
