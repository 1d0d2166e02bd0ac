package link

import (
	"fmt"
	"runtime"
)

// Advice names what an administrator could improve, one sentence each.
func (l *Link) Advice() []string {
	var out []string
	if asked, got := l.ReceiveBuffer(); got < asked {
		out = append(out, bufferAdvice(asked, got))
	}
	if isSSMRange(l.resolved.Group.Addr().As16()) && l.resolved.V6 {
		out = append(out, fmt.Sprintf("group %s lies in ffbx::/32, which RFC 7371 counts as source-specific: routers and some"+
			" switches do not forward it; --cluster NAME derives a group that they do", l.resolved.Group.Addr()))
	}
	return out
}

func bufferAdvice(asked, got int) string {
	s := fmt.Sprintf("the kernel gave a receive buffer of %d bytes instead of %d: bursts will be lost and repaired", got, asked)
	if runtime.GOOS == "linux" {
		s += fmt.Sprintf("; sysctl -w net.core.rmem_max=%d", asked)
	}
	return s
}

// isSSMRange tells ffbx::/32: X, P and T set, prefix length and prefix zero.
func isSSMRange(a [16]byte) bool {
	return a[0] == 0xff && a[1]>>4 == 0xb && a[2] == 0 && a[3] == 0
}

// FirewallLines are what lets the group, this node's unicast and its stream in: for nft, then the same for iptables.
func (l *Link) FirewallLines() []string {
	family, tables, membership := "ip", "iptables", "ip protocol igmp"
	if l.resolved.V6 {
		family, tables, membership = "ip6", "ip6tables", "icmpv6 type { mld-listener-query, mld-listener-report, mld2-listener-report }"
	}
	group, own, name := l.resolved.Group, l.Addr(), l.resolved.Interface.Name
	nft := func(rule string) string {
		return fmt.Sprintf("nft add rule inet filter input iifname %q %s accept", name, rule)
	}
	ipt := func(proto string, to string, port uint16) string {
		return fmt.Sprintf("%s -A INPUT -i %s -d %s -p %s --dport %d -j ACCEPT", tables, name, to, proto, port)
	}
	return []string{
		nft(membership),
		nft(fmt.Sprintf("%s daddr %s udp dport %d", family, group.Addr(), group.Port())),
		nft(fmt.Sprintf("%s daddr %s udp dport %d", family, own.Addr(), own.Port())),
		nft(fmt.Sprintf("%s daddr %s tcp dport %d", family, own.Addr(), own.Port())),
		ipt("udp", group.Addr().String(), group.Port()),
		ipt("udp", own.Addr().String(), own.Port()),
		ipt("tcp", own.Addr().String(), own.Port()),
	}
}
