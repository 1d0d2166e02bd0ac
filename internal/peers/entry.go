// Package peers finds where other nodes may be, for networks without multicast: addresses and names from a list and from a
// file, looked up for ever, since names of services change their answers as nodes come and go.
//
// A Finder is used by one goroutine, but for Problems, which is safe to call from anywhere.
package peers

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// Entry is one configured peer: an address or a name, and the port where one was given.
type Entry struct {
	name string     // where it is no address
	addr netip.Addr // where it is one
	port uint16     // 0: the cluster's
}

const maxName = 253 // of a DNS name

// ParseEntry reads host, host:port, or [host]:port, whose host is an address or a DNS name. The zone of a link-local address is
// dropped: all traffic between nodes is on one interface.
func ParseEntry(text string) (Entry, error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return Entry{}, errors.New("an empty peer: write an address or a DNS name, as 10.0.1.4, 10.0.1.4:4000 or nodes.example.org")
	}
	if addr, ok := bareAddr(text); ok {
		return entryOf(text, addr, 0)
	}
	host, digits, err := net.SplitHostPort(text)
	if err != nil {
		host, digits = text, ""
	}
	var port uint64
	if digits != "" || err == nil {
		if port, err = strconv.ParseUint(digits, 10, 16); err != nil || port == 0 {
			return Entry{}, fmt.Errorf("%q has no usable port: use a number from 1 to 65535, or leave it out for the cluster's", text)
		}
	}
	if addr, err := netip.ParseAddr(host); err == nil {
		return entryOf(text, addr, uint16(port))
	}
	if !isName(host) {
		return Entry{}, fmt.Errorf("%q is no peer: write an address or a DNS name, with a port if it is not the cluster's, as 10.0.1.4, [fd00::4]:4000 or nodes.example.org:4000", text)
	}
	return Entry{name: host, port: uint16(port)}, nil
}

// bareAddr reads an address, in brackets or not. A zone may hold anything, brackets and a port too.
func bareAddr(text string) (netip.Addr, bool) {
	if inner, found := strings.CutPrefix(text, "["); found {
		text, found = strings.CutSuffix(inner, "]")
		if !found {
			return netip.Addr{}, false
		}
	}
	addr, err := netip.ParseAddr(text)
	return addr, err == nil && !strings.ContainsAny(addr.Zone(), "[]")
}

func entryOf(text string, addr netip.Addr, port uint16) (Entry, error) {
	addr = addr.Unmap().WithZone("")
	if addr.IsMulticast() || addr.IsUnspecified() {
		return Entry{}, fmt.Errorf("%q is not the address of one host: give each node's own, as 10.0.1.4, or a DNS name that stands for all", text)
	}
	return Entry{addr: addr, port: port}, nil
}

// isName takes what resolvers do: letters, digits, hyphens (none in front) and underscores between dots. One that looks like an address is
// none, since it is one written wrongly.
func isName(s string) bool {
	if s == "" || len(s) > maxName {
		return false
	}
	labels := strings.Split(strings.TrimSuffix(s, "."), ".")
	for _, label := range labels {
		if label == "" || label[0] == '-' || len(label) > 63 || strings.ContainsFunc(label, notInName) {
			return false
		}
	}
	_, err := strconv.ParseUint(labels[len(labels)-1], 10, 64)
	return err != nil
}

func notInName(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_'
}

// String writes the entry so that it reads back as itself.
func (e Entry) String() string {
	host := e.name
	if e.addr.IsValid() {
		host = e.addr.String()
	}
	if e.port == 0 {
		return host
	}
	return net.JoinHostPort(host, strconv.Itoa(int(e.port)))
}

// parseFile reads one entry a line; # starts a comment. A line that is no entry is a problem, not the end of the others.
func parseFile(text string) (list []Entry, bad error) {
	for i, line := range strings.Split(text, "\n") {
		line, _, _ = strings.Cut(line, "#")
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		e, err := ParseEntry(line)
		if err != nil {
			if bad == nil {
				bad = fmt.Errorf("line %d: %w", i+1, err)
			}
			continue
		}
		list = append(list, e)
	}
	return list, bad
}
