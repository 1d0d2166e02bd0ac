// Package daemon is everything the sessioncast binary does besides replication: its configuration, its tasks and its
// lifecycle.
//
// Configuration is read once, by [Load], into values that nobody changes afterwards; they may be read from anywhere.
// Nothing in the configuration files of this package touches the process: arguments, environment and files come in
// through [Host].
package daemon

import (
	"log/slog"

	"github.com/alecthomas/kong"
)

// Options is the one truth about what can be configured: every field is a flag (its name tag), a variable
// (SESSIONCAST_ and the name in capitals) and a key of the TOML file (the name), and [Load] derives all three from the
// tags. What is not set has its default after Load; Group and Address alone stay zero where they are chosen at the
// start, when the interfaces and the cluster's name are known.
type Options struct {
	Target `embed:""`

	Use          Family        `name:"use" default:"v4" placeholder:"v4|v6" group:"network" help:"Address family."`
	Group        MulticastAddr `name:"group" placeholder:"ADDR" group:"network" shown:"228.0.0.5 (v4), ffbe::43 (v6), or by --cluster" help:"Multicast group."`
	Port         Port          `name:"port" default:"4000" placeholder:"PORT" group:"network" help:"Port of the group, UDP. This node's own UDP and TCP port is the same or the next free one to 31 above."`
	Address      UnicastAddr   `name:"address" placeholder:"ADDR" group:"network" shown:"the interface's" help:"This node's own address."`
	Interface    string        `name:"interface" placeholder:"NAME" group:"network" shown:"eth0, em0, en0, else the default route's" help:"Interface for all traffic between nodes."`
	MulticastTTL HopLimit      `name:"multicast-ttl" default:"1" placeholder:"0-255" group:"network" help:"Routers a multicast datagram may pass, plus one."`
	Cluster      ClusterName   `name:"cluster" placeholder:"NAME" group:"network" shown:"none" help:"Cluster's name; clusters with other names on the same network are not heard."`
	Mode         Mode          `name:"mode" default:"auto" placeholder:"MODE" group:"network" help:"How nodes reach each other: auto (multicast, and unicast to whom that does not reach), unicast or multicast."`
	Peers        []Peer        `name:"peers" placeholder:"HOST[:PORT]" group:"network" empty:"ok" shown:"none" help:"Where other nodes may be, without multicast: addresses and DNS names, which are looked up for ever."`
	PeersFile    string        `name:"peers-file" placeholder:"FILE" group:"network" shown:"none" help:"File with more of them, one a line, read again when it changes."`

	KeyFile  string `name:"key-file" placeholder:"FILE" group:"secrecy" shown:"sessioncast/key in your config folder, made if missing" help:"File with the cluster key."`
	Insecure bool   `name:"insecure" group:"secrecy" help:"Protect nothing: anyone may read, change and add sessions. Only for tests."`

	RESP       []RESPAddr `name:"resp" default:"127.0.0.1:6379" placeholder:"ADDR" group:"clients" help:"Where Redis clients connect: host:port or unix:///path, repeatable, or off."`
	LogoutHold Duration   `name:"logout-hold" default:"60s" placeholder:"TIME" group:"clients" help:"How long a SET of a session just deleted is refused; 0 turns it off."`
	Linger     Duration   `name:"linger" default:"0" placeholder:"TIME" group:"clients" help:"End when no client has been connected for so long; 0: never."`
	SessionTTL Duration   `name:"session-ttl" default:"0" placeholder:"TIME" group:"clients" help:"Lifetime given to a SET without one; 0 leaves it without one (TTL -1)."`

	Ack        Ack      `name:"ack" default:"1" placeholder:"N|all" group:"writes" help:"Peers that confirm a write before it returns: 0 to 31, or all."`
	AckTimeout Duration `name:"ack-timeout" default:"50ms" placeholder:"TIME" group:"writes" help:"Longest wait for those peers."`

	MaxMemory  Size `name:"max-memory" placeholder:"SIZE" group:"limits" shown:"a quarter of the memory" help:"Memory for sessions; when it is full, new ones are refused."`
	MaxSession Size `name:"max-session" default:"1MiB" placeholder:"SIZE" group:"limits" help:"Largest session, 1MiB at most."`

	LogLevel  LogLevel  `name:"log-level" default:"info" placeholder:"LEVEL" group:"logs" help:"debug, info, warn or error."`
	LogFormat LogFormat `name:"log-format" default:"text" placeholder:"text|json" group:"logs" help:"text or json."`
}

// Target says which daemon on this host is meant: the options that serve shares with the commands that ask it.
type Target struct {
	Name   NodeName  `name:"name" placeholder:"NAME" group:"node" shown:"the host's name" help:"This node's name; several on one host need one each."`
	Admin  AdminAddr `name:"admin" default:"auto" placeholder:"ADDR" group:"node" shown:"127.0.0.1:4080 or the next free to 4099" help:"Where status, health and metrics are served: host:port, unix:///path, or off. A socket in the runtime folder is always there."`
	Config string    `name:"config" placeholder:"FILE" group:"node" shown:"none" help:"TOML file with these options as keys; sessioncast config prints one."`
}

// Originals says where the nodes of express-session-multicast are that a bridge joins.
type Originals struct {
	OriginalsGroup MulticastAddr `name:"originals-group" placeholder:"ADDR" group:"originals" shown:"228.0.0.5 (v4), ffbe::43 (v6)" help:"Their multicast group: the option multicast of theirs."`
	OriginalsPort  Port          `name:"originals-port" default:"4000" placeholder:"PORT" group:"originals" help:"Their port, multicastPort: never one of the cluster's, since they die of its datagrams."`
	OriginalsTTL   HopLimit      `name:"originals-ttl" default:"2" placeholder:"0-255" group:"originals" help:"Routers a datagram to their group may pass, plus one: multicastTTL."`
	Prefix         KeyPrefix     `name:"prefix" default:"sess:" placeholder:"TEXT" group:"originals" help:"What stands before a session's id in its key here; only such keys are shared with them."`
	UserPath       UserPath      `name:"user-path" placeholder:"PATH" group:"originals" shown:"none" help:"Where in a session its user's id stands, as passport.user, so that sessions of originals are found by it."`
}

// CLI is the grammar of the command line and, after [Load], what was said on it.
type CLI struct {
	Serve    ServeCmd    `cmd:"" help:"Run a node: hold every session here and answer Redis clients."`
	Bridge   BridgeCmd   `cmd:"" help:"Share sessions with original express-session-multicast nodes while servers move from them."`
	Status   StatusCmd   `cmd:"" help:"Show the node on this host and the members it sees."`
	Wait     WaitCmd     `cmd:"" help:"Wait until the node on this host sees enough members."`
	Sessions SessionsCmd `cmd:"" help:"List or destroy the sessions of a user."`
	Key      KeyCmd      `cmd:"" help:"Make cluster keys."`
	Config   ConfigCmd   `cmd:"" help:"Print a file with every option, or the options in force."`
	Version  VersionCmd  `cmd:"" help:"Print the version."`

	PrintVersion kong.VersionFlag `name:"version" hidden:"" help:"Print the version."`

	// Command is the selected command, as "key new".
	Command string `kong:"-"`
	// Origins says where each option of the selected command was set, by the option's name; absent means by default.
	Origins map[string]Origin `kong:"-"`
}

// ServeCmd runs a node.
type ServeCmd struct {
	Options `embed:""`
}

// BridgeCmd runs a node that is one of the originals' group, too.
type BridgeCmd struct {
	Originals `embed:""`
	Options   `embed:""`
}

// StatusCmd asks the daemon on this host how it is.
type StatusCmd struct {
	JSON   bool `name:"json" help:"Print JSON."`
	Target `embed:""`
}

// WaitCmd blocks until the daemon on this host sees enough members.
type WaitCmd struct {
	Members int      `name:"members" default:"1" placeholder:"N" help:"Members to wait for, this node counted. Default 1."`
	Synced  bool     `name:"synced" help:"Count only members that hold every session."`
	Timeout Duration `name:"timeout" default:"30s" placeholder:"TIME" help:"Longest wait; afterwards the exit code is 1. Default 30s."`
	Target  `embed:""`
}

// SessionsCmd finds the sessions of an owner, or destroys them.
type SessionsCmd struct {
	Owner   string   `name:"owner" required:"" placeholder:"LABEL" help:"Whose sessions: the owner label that the app gave them, as the user's id."`
	DB      int      `name:"db" default:"0" placeholder:"N" help:"Database, 0 to 15. Default 0."`
	Destroy bool     `name:"destroy" help:"Log this user out everywhere."`
	Except  []string `name:"except" placeholder:"TAG" sep:"none" help:"Session that stays, by its tag or id; repeatable."`
	ShowIDs bool     `name:"show-ids" help:"Show ids, which let their bearer in, beside the tags."`
	JSON    bool     `name:"json" help:"Print JSON."`
	Target  `embed:""`
}

// KeyCmd groups what is done with keys.
type KeyCmd struct {
	New KeyNewCmd `cmd:"" help:"Make a cluster key and write it to a file."`
}

// KeyNewCmd makes a key file.
type KeyNewCmd struct {
	Out string `name:"out" required:"" placeholder:"FILE" help:"File to make. It must not exist yet."`
}

// ConfigCmd prints configuration.
type ConfigCmd struct {
	Reference struct{} `cmd:"" default:"1" help:"Print a file with every option and its default."`
	Show      ShowCmd  `cmd:"" help:"Print the options in force and where each was set."`
}

// ShowCmd prints what serve would use, given the same flags.
type ShowCmd struct {
	Options `embed:""`
}

// VersionCmd prints the version.
type VersionCmd struct{}

// options are the Options of the selected command, nil where it takes none.
func (c *CLI) options() *Options {
	switch c.Command {
	case "serve":
		return &c.Serve.Options
	case "bridge":
		return &c.Bridge.Options
	case "config show":
		return &c.Config.Show.Options
	}
	return nil
}

// target is the Target of the selected command, nil where it takes none.
func (c *CLI) target() *Target {
	switch c.Command {
	case "status":
		return &c.Status.Target
	case "wait":
		return &c.Wait.Target
	case "sessions":
		return &c.Sessions.Target
	}
	if o := c.options(); o != nil {
		return &o.Target
	}
	return nil
}

// Level is the log level for slog.
func (l LogLevel) Level() slog.Level {
	switch l {
	case "debug":
		return slog.LevelDebug
	case "warn":
		return slog.LevelWarn
	case "error":
		return slog.LevelError
	}
	return slog.LevelInfo
}
