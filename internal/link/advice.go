package link

import (
	"fmt"
	"net/netip"
	"runtime"
)

// Advice names what an administrator could improve, one sentence each.
func (l *Link) Advice() []string {
	var out []string
	if asked, got := l.ReceiveBuffer(); got < asked {
		out = append(out, bufferAdvice(asked, got))
	}
	if !l.resolved.Unicast && isSSMRange(l.resolved.Group.Addr().As16()) && l.resolved.V6 {
		out = append(out, fmt.Sprintf("group %s lies in ffbx::/32, which RFC 7371 counts as source-specific: routers and some"+
			" switches do not forward it; --cluster NAME derives a group that they do", l.resolved.Group.Addr()))
	}
	return out
}

func bufferAdvice(asked, got int) string {
	s := fmt.Sprintf("the kernel gave a receive buffer of %d bytes instead of %d: larger bursts are lost and repaired", got, asked)
	if runtime.GOOS == "linux" {
		s += fmt.Sprintf("; sysctl -w net.core.rmem_max=%d", asked)
	}
	return s
}

// isSSMRange tells ffbx::/32: X, P and T set, prefix length and prefix zero.
func isSSMRange(a [16]byte) bool {
	return a[0] == 0xff && a[1]>>4 == 0xb && a[2] == 0 && a[3] == 0
}

// FirewallLines are what lets the group, this node's unicast, its stream and the answers to its own connections in: for
// nft, then the same for iptables.
func (l *Link) FirewallLines() []string {
	family, tables, membership := "ip", "iptables", "igmp"
	control := "ip protocol igmp"
	if l.resolved.V6 {
		family, tables, membership = "ip6", "ip6tables", "ipv6-icmp"
		control = "icmpv6 type { mld-listener-query, mld-listener-report, mld2-listener-report," +
			" nd-neighbor-solicit, nd-neighbor-advert, packet-too-big }"
	}
	if l.resolved.V6 && l.resolved.Unicast {
		control = "icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, packet-too-big }"
	}
	group, own, name := l.resolved.Group, l.Addr(), l.resolved.Interface.Name
	nft := func(rule string) string {
		return fmt.Sprintf("nft add rule inet filter input iifname %q %s accept", name, rule)
	}
	ipt := func(rule string) string {
		return fmt.Sprintf("%s -A INPUT -i %s %s -j ACCEPT", tables, name, rule)
	}
	to := func(proto string, a netip.AddrPort) string {
		return fmt.Sprintf("-d %s -p %s --dport %d", a.Addr(), proto, a.Port())
	}
	mine := func(proto string) string {
		return nft(fmt.Sprintf("%s daddr %s %s dport %d", family, own.Addr(), proto, own.Port()))
	}
	lines := []string{nft("ct state established,related")}
	if !l.resolved.Unicast || l.resolved.V6 {
		lines = append(lines, nft(control))
	}
	if !l.resolved.Unicast {
		lines = append(lines, nft(fmt.Sprintf("%s daddr %s udp dport %d", family, group.Addr(), group.Port())))
	}
	lines = append(lines, mine("udp"), mine("tcp"), ipt("-m conntrack --ctstate ESTABLISHED,RELATED"))
	if !l.resolved.Unicast || l.resolved.V6 {
		lines = append(lines, ipt("-p "+membership))
	}
	if !l.resolved.Unicast {
		lines = append(lines, ipt(to("udp", group)))
	}
	return append(lines, ipt(to("udp", own)), ipt(to("tcp", own)))
}
