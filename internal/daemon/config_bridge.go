package daemon

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/sessioncast/sessioncast/internal/link"
)

// maxPrefix leaves room for an id in a key.
const maxPrefix = 128

// KeyPrefix stands before a session's id in its key.
type KeyPrefix string

// UnmarshalText reads a prefix; an empty one is one, too.
func (p *KeyPrefix) UnmarshalText(text []byte) error {
	*p = KeyPrefix(text)
	switch {
	case len(text) > maxPrefix:
		return fmt.Errorf("a prefix of %d bytes: use %d at most, as the five of \"sess:\"", len(text), maxPrefix)
	case !utf8.Valid(text) || strings.ContainsFunc(string(text), func(r rune) bool { return r < ' ' }):
		return fmt.Errorf("%q holds what cannot be printed: use one like \"sess:\"", text)
	}
	return nil
}

// UserPath is the names that lead to a session's user, with dots between; empty: users are not looked for.
type UserPath string

// UnmarshalText reads a path.
func (p *UserPath) UnmarshalText(text []byte) error {
	*p = UserPath(text)
	names := strings.Split(string(text), ".")
	if len(text) > maxPrefix || !utf8.Valid(text) || slices.Contains(names, "") {
		return fmt.Errorf("%q is not a path into a session: use names with dots between, as passport.user", text)
	}
	return nil
}

func (p UserPath) names() []string {
	if p == "" {
		return nil
	}
	return strings.Split(string(p), ".")
}

// Help is printed below the first line of bridge's help.
func (BridgeCmd) Help() string {
	return fmt.Sprintf("Runs a node that is in two groups: that of the originals, at --originals-port, and that of this cluster, at --port (%d unless "+
		"given). It serves no Redis clients. Run one, on a host without an original, as long as servers move: docs/migration.md has the steps.\n\n"+
		"%s\n\nWhile it runs, whoever reaches the originals' group reads, changes, adds and ends sessions, as it is with them: they have no key.",
		freePort, cannotDo)
}

// cannotDo is said in the help and, once, in the log.
const cannotDo = "What originals cannot do, it cannot do for them: a change here of a session that they know stays unknown to them; a session of more " +
	"than 64 KiB does not reach them, nor leave them; they forget nothing when its time is over; and what they answer by IPv6 names their IPv4 address."

// inTheClear is said at each start, with the address of their group: the cluster's key does not protect what a bridge carries over.
const inTheClear = "originals have no key and no encryption: whoever is on their network can read, change and end every session under the prefix, also those that were made " +
	"here, for as long as this bridge runs"

// bridgeName is the default name, beside that of a serve on the same host.
func bridgeName(host NodeName) NodeName {
	const tail = "-bridge"
	return host[:min(len(host), MaxNameLen-len(tail))] + tail
}

// completeBridge sets what a bridge has by default where serve has something else.
func (l *loader) completeBridge(o *Options) {
	if l.cli.Origins["port"] == "" {
		o.Port = freePort
	}
	if !strings.HasPrefix(string(l.cli.Origins["resp"]), "--") {
		o.RESP = []RESPAddr{{Endpoint{Network: "off"}}}
	}
}

// bridgeChecks look at what only a bridge has.
var bridgeChecks = []func(*Options, *loader) (string, error){
	forBridge(checkOriginalsGroup), forBridge(checkPorts), forBridge(checkPeerPorts), forBridge(checkNoClients),
}

func forBridge(check func(*BridgeCmd) (string, error)) func(*Options, *loader) (string, error) {
	return func(_ *Options, l *loader) (string, error) {
		if l.cli.Command != "bridge" {
			return "", nil
		}
		return check(&l.cli.Bridge)
	}
}

func checkOriginalsGroup(b *BridgeCmd) (string, error) {
	return "originals-group", checkFamily(b.Use, b.OriginalsGroup.Addr, "228.0.0.5", "ffbe::43")
}

// checkPorts keeps the cluster's datagrams away from originals: a host's nodes use the ports from --port on.
func checkPorts(b *BridgeCmd) (string, error) {
	if mine, theirs := int(b.Port), int(b.OriginalsPort); theirs >= mine && theirs < mine+link.PortRange {
		return "port", fmt.Errorf("%d to %d are this cluster's, and %d the originals', which die of its datagrams: give all nodes of the cluster another port, as --port %d",
			mine, mine+link.PortRange-1, theirs, portBeside(theirs))
	}
	return "port", nil
}

func portBeside(theirs int) int {
	if theirs+100+link.PortRange <= 65535 {
		return theirs + 100
	}
	return theirs - 100
}

func checkPeerPorts(b *BridgeCmd) (string, error) {
	for _, p := range b.Peers {
		if _, port, err := net.SplitHostPort(string(p)); err == nil && port == strconv.Itoa(int(b.OriginalsPort)) {
			return "peers", fmt.Errorf("%s is at the originals' port, and what is called there would die: give the port of a node of this cluster, as %d", p, b.Port)
		}
	}
	return "peers", nil
}

func checkNoClients(b *BridgeCmd) (string, error) {
	for _, r := range b.RESP {
		if r.Network != "off" {
			return "resp", errors.New("a bridge serves no Redis clients: leave it out, and run sessioncast serve beside it")
		}
	}
	return "resp", nil
}
