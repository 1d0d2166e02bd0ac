package sessioncast

import (
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"time"

	"github.com/sessioncast/sessioncast/internal/engine"
	"github.com/sessioncast/sessioncast/internal/hostmem"
	"github.com/sessioncast/sessioncast/internal/keyfile"
	"github.com/sessioncast/sessioncast/internal/link"
	"github.com/sessioncast/sessioncast/internal/node"
	"github.com/sessioncast/sessioncast/internal/peers"
	"github.com/sessioncast/sessioncast/internal/seal"
)

// Ack says how many peers must hold a write before it returns.
type Ack int

// Values of Ack other than a number of peers.
const (
	AckDefault Ack = 0  // one peer, where there are any
	AckNone    Ack = -1 // return at once
	AckAll     Ack = -2 // every live synced peer
)

// Config configures a node. The zero value works on every host that reaches the others by multicast (else see Peers): it takes the first
// usable interface, the group 228.0.0.5:4000, and the cluster key of the user's configuration folder, which it makes
// if there is none. The one thing to do then is to copy that file to the other hosts.
type Config struct {
	// Name names this node in lists and logs. It must be unique in the cluster. "" is the host's name.
	Name string
	// Cluster is mixed into every key and, where Group is not set, chooses the group: clusters with different names on
	// one network do not hear each other. "" is a name too.
	Cluster string

	// Key is the cluster's 32-byte key. Where it is nil the key comes from KeyFile.
	Key []byte
	// KeyFile is a file of one to four keys, 64 hex digits each, one a line, the primary first, readable by its owner
	// only; "sessioncast key new" makes one. "" means $SESSIONCAST_KEY, then sessioncast/key in the user's
	// configuration folder, which is made if missing.
	KeyFile string
	// Insecure uses a key that everybody knows: anyone on the network can read, change and add sessions. For tests.
	Insecure bool

	// Use is "v4" (the default) or "v6".
	Use string
	// Group is the multicast group. The zero Addr is 228.0.0.5 or ffbe::43, or one derived from Cluster.
	Group netip.Addr
	// Port is the group's UDP port; 0 is 4000. This node's own port, UDP and TCP, is the same or one of the 31 above.
	Port int
	// Address is this node's own address; the zero Addr is the interface's.
	Address netip.Addr
	// Interface is the interface for all traffic between nodes. "" is the first of eth0, em0, en0 that has an address,
	// else that of the default route.
	Interface string
	// Mode is how nodes reach each other: "auto", which is the default, by multicast, and by unicast those that it does not
	// reach; "unicast", which needs Peers; or "multicast" alone.
	Mode string
	// Peers are where other nodes may be, for networks without multicast: addresses and DNS names, each with a port if it is
	// not Port, at most 256. Names are looked up for ever. Some are enough, since members introduce each other; this node's own may
	// be among them.
	Peers []string
	// PeersFile is a file of more of them, one a line, # before comments; it is read again when it changes.
	PeersFile string
	// MulticastTTL is how far multicast goes: 1, which is the default, stays on the network segment; -1 on this host.
	MulticastTTL int

	// Ack is how many peers must hold a write before it returns.
	Ack Ack
	// AckTimeout is how long a write waits for them at most; 0 is 50 ms. A write that waited in vain took place: its
	// Receipt tells how many peers hold it.
	AckTimeout time.Duration

	// MaxMemory is how many bytes the sessions may take; 0 is a quarter of the machine's memory. Above it new sessions
	// are refused with ErrFull; none is ever dropped.
	MaxMemory int64
	// MaxSession is how many bytes one session may have, at most and by default 1 MiB.
	MaxSession int
	// SessionTTL is the lifetime of a session written with a ttl of 0; 0 is 24 h.
	SessionTTL time.Duration
	// MaxLifetime ends every session so long after it was made, however active it is; 0: no such end. It must be the
	// same on all nodes.
	MaxLifetime time.Duration
	// LogoutHold is how long Set refuses to bring back a destroyed session; 0 is 60 s, negative is off.
	LogoutHold time.Duration

	// Logger gets what an operator may want to know, never a session's id or content. Nil is slog.Default.
	Logger *slog.Logger
}

const (
	defaultTTL        = 24 * time.Hour
	defaultLogoutHold = 60 * time.Second
)

// resolve makes every choice that does not need the network.
func (c Config) resolve() (node.Config, error) {
	if c.Port < 0 || c.Port > 65535 {
		return node.Config{}, fmt.Errorf("sessioncast: Config.Port %d: must be 1 to 65535", c.Port)
	}
	keys, err := c.keys()
	if err != nil {
		return node.Config{}, err
	}
	name := c.Name
	if name == "" {
		if name, err = os.Hostname(); err != nil {
			return node.Config{}, fmt.Errorf("sessioncast: this host has no name: %w; set Config.Name", err)
		}
	}
	if c.SessionTTL < 0 || c.MaxLifetime < 0 || c.MaxMemory < 0 || c.AckTimeout < 0 || c.Ack < AckAll {
		return node.Config{}, errors.New("sessioncast: negative limit or time in Config")
	}
	mode, err := c.mode()
	if err != nil {
		return node.Config{}, err
	}
	return node.Config{
		Name: name, Cluster: c.Cluster, Keys: keys,
		Mode: mode, Peers: peers.Config{List: c.Peers, File: c.PeersFile},
		Network: link.Config{
			Use: c.Use, Group: c.Group, Port: c.Port, Address: c.Address,
			Interface: c.Interface, HopLimit: c.MulticastTTL, Cluster: c.Cluster,
		},
		Ack: c.Ack.peers(), AckTimeout: c.AckTimeout,
		MaxMemory: c.memory(), MaxSession: c.MaxSession,
		Lifetime: c.MaxLifetime, Hold: max(0, orDefault(c.LogoutHold, defaultLogoutHold)),
		Log: c.logger(),
	}, nil
}

func (c Config) mode() (engine.Mode, error) {
	switch c.Mode {
	case "", "auto":
		return engine.ModeAuto, nil
	case "unicast":
		return engine.ModeUnicast, nil
	case "multicast":
		return engine.ModeMulticast, nil
	}
	return 0, fmt.Errorf("sessioncast: Config.Mode %q: must be auto, unicast or multicast", c.Mode)
}

func orDefault[T comparable](v, d T) T {
	var zero T
	if v == zero {
		return d
	}
	return v
}

func (c Config) logger() *slog.Logger {
	if c.Logger != nil {
		return c.Logger
	}
	return slog.Default()
}

func (c Config) memory() int64 {
	return orDefault(c.MaxMemory, hostmem.Of(os.ReadFile)/4)
}

func (a Ack) peers() int {
	switch a {
	case AckDefault:
		return 1
	case AckNone:
		return 0
	case AckAll:
		return node.AckAll
	}
	return int(a)
}

func (c Config) keys() ([]seal.Key, error) {
	if c.Key == nil {
		found, err := keyfile.FindOrCreate(keyfile.Query{
			Insecure: c.Insecure, Path: c.KeyFile, Value: os.Getenv(keyfile.Variable),
			SystemPath: keyfile.SystemPath, UID: os.Getuid(), UserConfigDir: os.UserConfigDir,
		})
		if err != nil {
			return nil, fmt.Errorf("sessioncast: %w", err)
		}
		if found.Made {
			c.logger().Warn("made a cluster key: copy this file to the other hosts", "file", found.Path)
		}
		return found.Keys, nil
	}
	if c.Insecure || c.KeyFile != "" {
		return nil, errors.New("sessioncast: Config.Key excludes KeyFile and Insecure")
	}
	keys, err := seal.ParseKeyFile([]byte(hex.EncodeToString(c.Key)))
	if err != nil {
		return nil, fmt.Errorf("sessioncast: Config.Key must be 32 random bytes: %w", err)
	}
	return keys, nil
}
