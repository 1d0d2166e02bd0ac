package daemon

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/sessioncast/sessioncast/internal/admin"
	"github.com/sessioncast/sessioncast/internal/link"
	"github.com/sessioncast/sessioncast/internal/node"
)

// announcement is all that an operator wants to know at the start.
type announcement struct {
	version, node, id            string
	why, group, address, cluster string
	peers                        string
	asked, got                   int // receive buffer
	clients                      []string
	originals                    string
	api, socket                  string
	key                          string
	memory, session              Size
	acks                         string
	secondHost, secondNode       string // one of them
	firewall, advice             []string
}

// announce says where everything is and how to go on: as a page for people, or as one record for machines.
func (d *daemon) announce(n *node.Node) {
	a := d.announcement(n)
	if d.options.LogFormat == "json" {
		d.log.Info("listening", "version", a.version, "node", a.node, "id", a.id, "interface", a.why, "group", a.group, "peers", a.peers,
			"address", a.address, "cluster", a.cluster, "receive_buffer", a.got, "receive_buffer_asked", a.asked, "resp", a.clients, "originals", a.originals,
			"admin", a.api, "socket", a.socket, "key", a.key, "max_memory", int64(a.memory), "max_session", int64(a.session),
			"acks", a.acks, "second_host", a.secondHost, "second_node", a.secondNode, "firewall", a.firewall, "advice", a.advice)
	} else {
		_, _ = io.WriteString(d.host.Stderr, a.page())
	}
	if d.options.Insecure {
		d.log.Warn("INSECURE: nothing is protected: whoever reaches the group reads, changes and adds sessions; leave --insecure out to use a cluster key")
	}
}

func (d *daemon) announcement(n *node.Node) *announcement {
	o, l := d.options, n.Link()
	a := &announcement{
		version: release(), node: string(o.Name), id: admin.ShortID(n.Self().Node),
		why: d.resolved.Why, group: groupText(l), peers: peerText(o), address: l.Addr().String(), cluster: string(o.Cluster),
		api: d.admin.Addr(), socket: d.host.AdminSockets(o.Name)[0], key: d.keyText(), memory: o.MaxMemory, session: o.MaxSession,
		acks: ackText(o), firewall: l.FirewallLines(), advice: l.Advice(),
	}
	if d.resolved.Address.IsLoopback() {
		a.secondNode = d.key.SecondNode(o, d.origins, d.host)
	} else {
		a.secondHost = d.key.SecondHost(o, d.origins, d.host)
	}
	if d.bridge != nil {
		a.originals = d.bridge.sockets.Group().String()
		nft, tables := d.bridge.sockets.FirewallLines()
		a.firewall = append([]string{nft}, append(a.firewall, tables)...) // nft's come first
	}
	a.asked, a.got = l.ReceiveBuffer()
	if a.clients = []string{}; d.clients != nil {
		a.clients = d.clients.Addrs()
	}
	return a
}

func groupText(l *link.Link) string {
	if l.Resolved().Unicast {
		return "none: everything goes to each peer by unicast"
	}
	return l.Group().String() + ", UDP"
}

func peerText(o *Options) string {
	var list []string
	for _, p := range o.Peers {
		list = append(list, string(p))
	}
	if o.PeersFile != "" {
		list = append(list, "those in "+o.PeersFile)
	}
	return strings.Join(list, ", ")
}

func (d *daemon) keyText() string {
	switch {
	case d.options.Insecure:
		return "none: INSECURE"
	case d.key.Made:
		return d.key.From + " (made just now)"
	}
	return d.key.From
}

func ackText(o *Options) string {
	switch o.Ack {
	case 0:
		return "return at once, confirmed by no peer"
	case 1:
		return fmt.Sprintf("return when 1 peer has them, after %s at most", o.AckTimeout)
	case AckAll:
		return fmt.Sprintf("return when all peers have them, after %s at most", o.AckTimeout)
	}
	return fmt.Sprintf("return when %s peers have them, after %s at most", o.Ack, o.AckTimeout)
}

// page is the announcement for people.
func (a *announcement) page() string {
	var b strings.Builder
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "%-10s %s\n", name, fmt.Sprintf(format, args...))
	}
	line("sessioncast", "%s", a.version)
	line("Node", "%s (%s)", a.node, a.id)
	if a.cluster != "" {
		line("Cluster", "%s", a.cluster)
	}
	line("Network", "%s", a.why)
	line("Group", "%s", a.group)
	if a.peers != "" {
		line("Peers", "%s", a.peers)
	}
	line("Address", "%s, UDP and TCP", a.address)
	if a.originals != "" {
		line("Originals", "%s, UDP: express-session-multicast nodes", a.originals)
	}
	line("Buffer", "%s", a.buffer())
	line("Key", "%s", a.key)
	line("Redis", "%s", orOff(strings.Join(a.clients, ", ")))
	line("Admin", "%s", orOff(a.api))
	line("", "%s", a.socket)
	line("Memory", "%s for sessions, %s for one", admin.Bytes(int64(a.memory)), admin.Bytes(int64(a.session)))
	line("Writes", "%s", a.acks)
	for _, advice := range a.advice {
		b.WriteString("\nAdvice: " + advice + "\n")
	}
	if a.secondNode != "" {
		b.WriteString("\nNo other host can join over loopback. Start a second node on this one:\n  " + a.secondNode + "\n")
	} else {
		b.WriteString("\nStart a second host:\n  " + a.secondHost + "\n")
	}
	nft, tables := a.firewallByTool()
	b.WriteString("\nLet it through a firewall on this host (nft):\n  " + strings.Join(nft, "\n  ") + "\n")
	b.WriteString("or (iptables):\n  " + strings.Join(tables, "\n  ") + "\n\n")
	return b.String()
}

func orOff(s string) string {
	if s == "" {
		return "off"
	}
	return s
}

func (a *announcement) buffer() string {
	if a.got >= a.asked {
		return admin.Bytes(a.got) + " to receive"
	}
	return fmt.Sprintf("%s to receive, of %s asked", admin.Bytes(a.got), admin.Bytes(a.asked))
}

func (a *announcement) firewallByTool() (nft, tables []string) {
	i := slices.IndexFunc(a.firewall, func(line string) bool { return !strings.HasPrefix(line, "nft ") })
	if i < 0 {
		return a.firewall, nil
	}
	return a.firewall[:i], a.firewall[i:]
}
