package daemon

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"path"
	"strconv"
	"strings"

	"github.com/sessioncast/sessioncast/internal/peers"
)

// Every option's type reads itself with UnmarshalText, whatever place it stood in, and writes itself with String so that
// it reads back as itself. Messages say what is wrong and what to write; who calls adds where it stood.

// AckAll is the [Ack] of every live, synced peer.
const AckAll Ack = -1

const (
	// MaxAck is the largest number of peers a write can ask for.
	MaxAck = 31
	// MaxNameLen bounds the names of nodes and clusters.
	MaxNameLen = 64
	// maxPathLen bounds a Unix socket's path: what the smallest system takes, less its final zero.
	maxPathLen = 103
)

type (
	// Family is the address family of all traffic between nodes: v4 or v6.
	Family string
	// Mode is how nodes reach each other.
	Mode string
	// LogLevel is the least important level that is logged.
	LogLevel string
	// LogFormat is how log lines are written.
	LogFormat string
	// NodeName names a node among its peers and on its host.
	NodeName string
	// ClusterName names a cluster; empty is the unnamed one.
	ClusterName string
	// Port is a UDP or TCP port.
	Port uint16
	// HopLimit is the IPv4 TTL or IPv6 hop limit of multicast.
	HopLimit uint8
	// Ack is the number of peers that confirm a write, or [AckAll].
	Ack int
	// Peer is a peer named in the configuration.
	Peer string
	// MulticastAddr is a multicast group.
	MulticastAddr struct{ netip.Addr }
	// UnicastAddr is an address of this host.
	UnicastAddr struct{ netip.Addr }
	// RESPAddr is where Redis clients connect.
	RESPAddr struct{ Endpoint }
	// AdminAddr is where the daemon is asked about itself.
	AdminAddr struct{ Endpoint }
)

// choose reads an enumeration: one of the allowed words, in any case.
func choose[T ~string](what, text string, allowed ...T) (T, error) {
	words := make([]string, len(allowed))
	for i, a := range allowed {
		if words[i] = string(a); strings.EqualFold(words[i], text) {
			return a, nil
		}
	}
	return "", fmt.Errorf("%q is not %s: use %s", text, what, orList(words))
}

func orList(words []string) string {
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

// UnmarshalText reads an address family.
func (f *Family) UnmarshalText(text []byte) (err error) {
	*f, err = choose[Family]("an address family", string(text), "v4", "v6")
	return err
}

// UnmarshalText reads a log level.
func (l *LogLevel) UnmarshalText(text []byte) (err error) {
	*l, err = choose[LogLevel]("a log level", string(text), "debug", "info", "warn", "error")
	return err
}

// UnmarshalText reads a log format.
func (f *LogFormat) UnmarshalText(text []byte) (err error) {
	*f, err = choose[LogFormat]("a log format", string(text), "text", "json")
	return err
}

// UnmarshalText reads a mode.
func (m *Mode) UnmarshalText(text []byte) (err error) {
	*m, err = choose[Mode]("a mode", string(text), "auto", "unicast", "multicast")
	return err
}

// UnmarshalText reads an address or a name of a peer.
func (p *Peer) UnmarshalText(text []byte) error {
	e, err := peers.ParseEntry(string(text))
	*p = Peer(e.String())
	return err
}

// UnmarshalText reads a node's name.
func (n *NodeName) UnmarshalText(text []byte) error {
	*n = NodeName(text)
	return checkName(string(text))
}

// UnmarshalText reads a cluster's name.
func (n *ClusterName) UnmarshalText(text []byte) error {
	*n = ClusterName(text)
	return checkName(string(text))
}

func checkName(s string) error {
	switch {
	case s == "":
		return errors.New("an empty name: use 1 to 64 letters, digits, dots, dashes and underscores, as web1")
	case len(s) > MaxNameLen:
		return fmt.Errorf("%q… has %d characters: use 64 at most, as web1", s[:16], len(s))
	case s == "." || s == "..":
		return fmt.Errorf("%q cannot be a name, since it names a folder: use one like web1", s)
	}
	for _, r := range s {
		if !nameRune(r) {
			return fmt.Errorf("%q holds %q: use letters, digits, dots, dashes and underscores only, as web1", s, r)
		}
	}
	return nil
}

func nameRune(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._-", r)
}

// UnmarshalText reads a port.
func (p *Port) UnmarshalText(text []byte) error {
	n, err := strconv.ParseUint(string(text), 10, 16)
	if err != nil || n == 0 {
		return fmt.Errorf("%q is not a port: use a number from 1 to 65535, as 4000", text)
	}
	*p = Port(n)
	return nil
}

// UnmarshalText reads a hop limit.
func (h *HopLimit) UnmarshalText(text []byte) error {
	n, err := strconv.ParseUint(string(text), 10, 8)
	if err != nil {
		return fmt.Errorf("%q is not a hop limit: use a number from 0 to 255, as 1", text)
	}
	*h = HopLimit(n)
	return nil
}

// UnmarshalText reads a number of confirming peers.
func (a *Ack) UnmarshalText(text []byte) error {
	if strings.EqualFold(string(text), "all") {
		*a = AckAll
		return nil
	}
	n, err := strconv.Atoi(string(text))
	if err != nil || n < 0 || n > MaxAck {
		return fmt.Errorf("%q is not a number of peers: use 0 to %d, as 1, or all", text, MaxAck)
	}
	*a = Ack(n)
	return nil
}

// String writes the number, or all.
func (a Ack) String() string {
	if a == AckAll {
		return "all"
	}
	return strconv.Itoa(int(a))
}

// UnmarshalText reads a multicast group of either family; whether it fits the family in use is seen when all is read.
func (m *MulticastAddr) UnmarshalText(text []byte) error {
	addr, err := netip.ParseAddr(string(text))
	switch {
	case err != nil:
		return fmt.Errorf("%q is not an address: write a group as 228.0.0.5 or ffbe::43", text)
	case addr.Zone() != "":
		return fmt.Errorf("%q names an interface: write the group without %%%s, and give the interface by its own option", text, addr.Zone())
	case !addr.Unmap().IsMulticast():
		return fmt.Errorf("%s is not a multicast group: use one of 224.0.0.0/4 or ff00::/8, as 228.0.0.5 or ffbe::43", addr)
	}
	m.Addr = addr.Unmap()
	return nil
}

// String writes the group, or nothing where it is chosen at the start.
func (m MulticastAddr) String() string { return addrString(m.Addr) }

// UnmarshalText reads an address of this host.
func (u *UnicastAddr) UnmarshalText(text []byte) error {
	addr, err := netip.ParseAddr(string(text))
	switch {
	case err != nil:
		return fmt.Errorf("%q is not an address: write it as 10.0.1.4 or fd00::4", text)
	case addr.IsMulticast() || addr.IsUnspecified() || addr.Unmap() == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return fmt.Errorf("%s is not the address of one host: give one that an interface of this host has", addr)
	}
	u.Addr = addr.Unmap()
	return nil
}

// String writes the address, or nothing where it is chosen at the start.
func (u UnicastAddr) String() string { return addrString(u.Addr) }

func addrString(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

// Endpoint is where a listener stands: Network is "tcp", "unix" or "off"; of an admin address also "auto".
type Endpoint struct {
	Network string
	Address string
}

// String writes the endpoint as it is configured.
func (e Endpoint) String() string {
	switch e.Network {
	case "unix":
		return "unix://" + e.Address
	case "tcp":
		return e.Address
	}
	return e.Network
}

// UnmarshalText reads the address Redis clients connect to.
func (r *RESPAddr) UnmarshalText(text []byte) (err error) {
	r.Endpoint, err = parseEndpoint(string(text), "127.0.0.1:6379", "off")
	return err
}

// UnmarshalText reads the admin address.
func (a *AdminAddr) UnmarshalText(text []byte) (err error) {
	a.Endpoint, err = parseEndpoint(string(text), "127.0.0.1:4080", "off", "auto")
	return err
}

func parseEndpoint(s, example string, words ...string) (Endpoint, error) {
	for _, word := range words {
		if strings.EqualFold(s, word) {
			return Endpoint{Network: word}, nil
		}
	}
	if p, found := strings.CutPrefix(s, "unix:"); found {
		return parseSocketPath(s, p)
	}
	if strings.HasPrefix(s, "/") {
		return Endpoint{}, fmt.Errorf("%q is a path: write a Unix socket as unix://%s", s, s)
	}
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		return Endpoint{}, fmt.Errorf("%q is not an address to listen on: write it as %s", s, orList(append([]string{example, "unix:///path"}, words...)))
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return Endpoint{}, fmt.Errorf("%q has no usable port: use a number from 1 to 65535, or 0 for any free one", s)
	}
	return Endpoint{Network: "tcp", Address: s}, checkLoopback(s, host, port)
}

func parseSocketPath(s, p string) (Endpoint, error) {
	p, found := strings.CutPrefix(p, "//")
	switch {
	case !found || !path.IsAbs(p):
		return Endpoint{}, fmt.Errorf("%q has no absolute path: write it as unix:///run/sessioncast.sock", s)
	case len(p) > maxPathLen:
		return Endpoint{}, fmt.Errorf("the path of %q has %d bytes: a Unix socket's has %d at most", s, len(p), maxPathLen)
	}
	return Endpoint{Network: "unix", Address: path.Clean(p)}, nil
}

// checkLoopback refuses addresses that other hosts reach: whoever connects reads every session, and there is no
// password to ask for yet.
func checkLoopback(s, host, port string) error {
	if strings.EqualFold(host, "localhost") {
		return nil
	}
	addr, err := netip.ParseAddr(host)
	if err == nil && addr.Unmap().IsLoopback() {
		return nil
	}
	if err != nil && host != "" {
		return fmt.Errorf("%q names a host: give an address, as 127.0.0.1:%s", s, port)
	}
	return fmt.Errorf("%q can be reached from other hosts, where whoever connects would read every session, and this version has no password for it: use 127.0.0.1:%s or unix:///path", s, port)
}
