package resp

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/sessioncast/sessioncast/internal/hlc"
	"github.com/sessioncast/sessioncast/internal/table"
)

// Config says what a Server serves and where. Table is needed and at least one listener; all else has a default.
type Config struct {
	// Listeners are "host:port" or "unix:///path". A host that others can reach needs a Password.
	Listeners []string

	// Password, where set, is asked of every connection (AUTH, HELLO … AUTH). Username is the name it belongs to;
	// empty means "default", the name that AUTH with a password alone stands for.
	Username, Password string

	// MaxValue is the longest value and key taken, in bytes; 0 means 1 MiB. It is the daemon's --max-session.
	MaxValue int
	// MaxMemory is what CONFIG GET and INFO report as the limit; it is the table that enforces it. What all clients together
	// may have the server hold besides follows from it.
	MaxMemory int64
	// MaxClients is how many connections are served at once; 0 means 10,000.
	MaxClients int
	// MaxOutput is how many bytes of replies may wait for one client before it is closed; 0 means 64 MiB.
	MaxOutput int

	// SessionTTL is the lifetime of what is SET without one; 0 means it stays until it is deleted.
	SessionTTL time.Duration

	// Version is sessioncast's own version, which INFO reports.
	Version string

	Table   *table.Table
	Cluster Cluster      // nil: a node alone
	Logger  *slog.Logger // nil: silence

	// PerConnection serves each connection by goroutines, as on systems other than Linux, rather than by the event loop.
	PerConnection bool

	now   func() time.Time // the tests' clock
	stall time.Duration    // and their patience
}

// Stamp is a moment of the cluster's clock.
type Stamp = hlc.Stamp

// Cluster is what the server needs of the node around the table. Its methods are called with the server's lock held, so they
// must neither block nor call back into the server.
type Cluster interface {
	// Await arranges that done is called once, from any goroutine, with the number of peers that hold every local dot
	// up to seq: as soon as k have them (-1: as many as the configured policy asks; -2: all, where that asks for any) or after timeout
	// (0: the configured one). writes is how many writes wait that no Await was for before; where it is in vain they count as unconfirmed.
	// It returns false, and never calls done, when there is nothing to wait for; then acked is final.
	Await(seq uint64, writes, k int, timeout time.Duration, done func(acked int)) (pending bool, acked int)
	// AwaitTold is Await for all peers that also waits until this node holds whatever they had made up to a stamp. seq may be 0.
	AwaitTold(seq uint64, writes int, stamp Stamp, done func(acked int)) (pending bool, acked int)
	// Holding is how much of the cluster's sessions the node holds.
	Holding() Holding
	// Shortage is what is answered, where it holds a part, to what the rest might answer otherwise.
	Shortage() string
	// Info is what INFO reports of the node.
	Info() NodeInfo
}

// NodeInfo is what INFO reports of the node.
type NodeInfo struct {
	Name       string        // the node's name
	ID         string        // its id, as the log shows it
	Members    int           // live members, this one included
	Synced     int           // and how many of them hold every session
	Degraded   uint64        // writes that returned before enough peers had confirmed them
	AckTimeout time.Duration // for which a write waits for peers at most
	KeyFile    string        // where the cluster key stands, empty where it is in no file
	KeyHash    string        // of what was in it at the start: who compares knows whether the node has the key that stands there now
}

// alone is the cluster of a node without peers.
type alone struct{}

func (alone) Await(uint64, int, int, time.Duration, func(int)) (bool, int) { return false, 0 }
func (alone) AwaitTold(uint64, int, Stamp, func(int)) (bool, int)          { return false, 0 }
func (alone) Holding() Holding                                             { return HoldsAll }
func (alone) Shortage() string                                             { return "" }
func (alone) Info() NodeInfo                                               { return NodeInfo{Members: 1, Synced: 1} }

func (cfg *Config) setDefaults() {
	if cfg.Username == "" {
		cfg.Username = defaultUser
	}
	if cfg.MaxValue == 0 {
		cfg.MaxValue = defaultMaxValue
	}
	if cfg.MaxClients == 0 {
		cfg.MaxClients = defaultMaxClients
	}
	if cfg.MaxOutput == 0 {
		cfg.MaxOutput = maxOutput
	}
	if cfg.Cluster == nil {
		cfg.Cluster = alone{}
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.stall == 0 {
		cfg.stall = stallTimeout
	}
	if cfg.now == nil {
		cfg.now = time.Now
	}
}

func (cfg *Config) validate() error {
	switch {
	case cfg.Table == nil:
		return errors.New("resp: no table")
	case len(cfg.Listeners) == 0:
		return errors.New("resp: no listener")
	case cfg.MaxValue < 0 || cfg.MaxValue > maxSkippedBulk:
		return fmt.Errorf("resp: a value limit of %d bytes is not between 1 and %d", cfg.MaxValue, maxSkippedBulk)
	case cfg.MaxClients < 0:
		return fmt.Errorf("resp: %d clients is not a limit", cfg.MaxClients)
	case cfg.MaxOutput < 0:
		return fmt.Errorf("resp: %d bytes of output is not a limit", cfg.MaxOutput)
	case cfg.SessionTTL < 0:
		return fmt.Errorf("resp: a session lifetime of %v is negative", cfg.SessionTTL)
	}
	return nil
}
