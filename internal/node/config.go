package node

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"log/slog"
	"net"
	"time"

	"github.com/sessioncast/sessioncast/internal/engine"
	"github.com/sessioncast/sessioncast/internal/link"
	"github.com/sessioncast/sessioncast/internal/peers"
	"github.com/sessioncast/sessioncast/internal/record"
	"github.com/sessioncast/sessioncast/internal/seal"
	"github.com/sessioncast/sessioncast/internal/stream"
)

// AckAll waits for every live synced peer.
const AckAll = engine.AckAll

// AckAllOrNone, of a single write, waits for all where Config.Ack waits for any.
const AckAllOrNone = -2

// Config is a node's configuration, every choice made.
type Config struct {
	Name       string        // unique in the cluster
	Cluster    string        // mixed into every key
	Keys       []seal.Key    // the primary first
	Network    link.Config   // the sockets; Multicast follows from Mode
	Mode       engine.Mode   // how others are reached
	Peers      peers.Config  // where others may be found without multicast; Port, V6 and Log follow from the rest
	Dialer     stream.Dialer // of streams; nil: this host's
	Ack        int           // peers that a write waits for; AckAll for all
	AckTimeout time.Duration // at most so long; 0: 50 ms
	MaxMemory  int64         // bytes of the table; 0: no limit
	MaxSession int           // bytes of a value; 0: 1 MiB
	Lifetime   time.Duration // absolute lifetime of a session; 0: none
	Keep       time.Duration // of tombstones where there is no Lifetime; 0: 24 h. Other values are for tests
	Hold       time.Duration // logout hold; 0: off

	// BeforeJoin is called when the sockets are open and nothing was sent yet; its error ends Open. May be nil.
	BeforeJoin func(*Node) error
	// OnEvent is told what the operator may want to know. It is called from the node's goroutines without locks held and
	// must not block. May be nil.
	OnEvent func(engine.Event)
	Log     *slog.Logger     // nil: slog.Default
	Now     func() time.Time // this host's clock, monotonic reading and all; nil: time.Now. Others are for tests

	cloneOf *record.Origin // for tests: the incarnation that another node has as well
}

const (
	maxSkew           = 5 * time.Second
	defaultAckTimeout = 50 * time.Millisecond
)

func (c *Config) validate() error {
	switch {
	case c.Name == "" || len(c.Name) > 64:
		return errors.New("a node needs a name of 1 to 64 bytes")
	case c.MaxSession < 0 || c.MaxSession > record.MaxValue:
		return errors.New("the largest session must be at most 1 MiB")
	case c.Ack < 0, c.AckTimeout < 0, c.MaxMemory < 0, c.Lifetime < 0, c.Keep < 0, c.Hold < 0:
		return errors.New("limits and times must not be negative")
	}
	if c.AckTimeout == 0 {
		c.AckTimeout = defaultAckTimeout
	}
	if c.Dialer == nil {
		c.Dialer = new(net.Dialer)
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	return c.validateMode()
}

// hash is what all members must have alike for their tables to agree.
func (c *Config) hash() uint64 {
	b := binary.BigEndian.AppendUint64(nil, uint64(c.Lifetime))
	b = binary.BigEndian.AppendUint64(b, uint64(maxSkew))
	b = binary.BigEndian.AppendUint64(b, uint64(c.Keep))
	sum := sha256.Sum256(b)
	return binary.BigEndian.Uint64(sum[:])
}

// nodeID is the same for every run of a node with this name.
func nodeID(name string) (id record.NodeID) {
	sum := sha256.Sum256([]byte("sessioncast node " + name))
	copy(id[:], sum[:])
	return id
}

// newOrigin is this run of the node.
func newOrigin(name string, now time.Time) record.Origin {
	o := record.Origin{Node: nodeID(name)}
	binary.BigEndian.PutUint64(o.Incarnation[:8], uint64(now.UnixMilli())<<16)
	_, _ = rand.Read(o.Incarnation[6:]) // crypto/rand.Read never fails
	return o
}
