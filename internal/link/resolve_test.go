package link

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
)

// hostOf is a System out of lines like "eth0 up 10.0.0.2 fd00::2", its default route through the address route.
type hostOf struct {
	list  []Interface
	route netip.Addr
}

func (h hostOf) Interfaces() ([]Interface, error) { return h.list, nil }

func (h hostOf) Interface(name string) (Interface, bool) {
	for _, i := range h.list {
		if i.Name == name {
			return i, true
		}
	}
	return Interface{}, false
}

func (h hostOf) RouteSource(v6 bool) netip.Addr {
	if h.route.Is6() == v6 {
		return h.route
	}
	return netip.Addr{}
}

func fakeHost(route string, lines ...string) hostOf {
	var h hostOf
	if route != "" {
		h.route = netip.MustParseAddr(route)
	}
	for n, line := range lines {
		f := strings.Fields(line)
		i := Interface{Name: f[0], Index: n + 1, MTU: 1500, Up: f[1] == "up", Loopback: f[0] == "lo", Multicast: f[0] != "lo" && f[0] != "tun0"}
		for _, a := range f[2:] {
			i.Addrs = append(i.Addrs, netip.MustParseAddr(a))
		}
		h.list = append(h.list, i)
	}
	return h
}

const lo = "lo up 127.0.0.1 ::1"

func TestChoiceOfInterfaceAndAddress(t *testing.T) {
	addr := netip.MustParseAddr
	for name, c := range map[string]struct {
		config Config
		host   hostOf
		want   string // "address interface"
		why    string // part of the sentence, or of the error when want is ""
	}{
		"eth0 first, as the original":      {Config{}, fakeHost("10.1.0.2", lo, "ens5 up 10.1.0.2", "eth0 up 10.0.0.2"), "10.0.0.2 eth0", "eth0, em0, en0"},
		"em0 where there is no eth0":       {Config{}, fakeHost("", lo, "en0 up 10.2.0.2", "em0 up 10.0.0.2"), "10.0.0.2 em0", "eth0, em0, en0"},
		"eth0 that is down is skipped":     {Config{}, fakeHost("10.1.0.2", lo, "eth0 down 10.0.0.2", "ens5 up 10.1.0.2"), "10.1.0.2 ens5", "default route"},
		"eth0 without address is skipped":  {Config{}, fakeHost("10.1.0.2", lo, "eth0 up fd00::2", "ens5 up 10.1.0.2"), "10.1.0.2 ens5", "default route"},
		"the first of several addresses":   {Config{}, fakeHost("", lo, "eth0 up 10.0.0.2 10.0.0.3"), "10.0.0.2 eth0", "eth0"},
		"default route among several":      {Config{}, fakeHost("10.1.0.2", lo, "docker0 up 172.17.0.1", "ens5 up 10.1.0.2"), "10.1.0.2 ens5", "default route"},
		"no default route, one interface":  {Config{}, fakeHost("", lo, "ens5 up 10.1.0.2"), "10.1.0.2 ens5", "only interface"},
		"no default route, several":        {Config{}, fakeHost("", lo, "a up 10.1.0.2", "b up 10.2.0.2"), "", "(a, b) and there is no default route; name one with --interface"},
		"a tunnel is not chosen":           {Config{}, fakeHost("10.9.0.2", lo, "tun0 up 10.9.0.2", "ens5 up 10.1.0.2"), "10.1.0.2 ens5", "only"},
		"nothing but loopback":             {Config{}, fakeHost("", lo), "127.0.0.1 lo", "only loopback"},
		"loopback when the rest is down":   {Config{}, fakeHost("", lo, "eth0 down 10.0.0.2"), "127.0.0.1 lo", "only loopback"},
		"never loopback by itself":         {Config{}, fakeHost("", lo, "wlan0 up 10.0.0.2"), "10.0.0.2 wlan0", "only"},
		"loopback is down too":             {Config{}, fakeHost("", "lo down 127.0.0.1"), "", "bring one up"},
		"interface configured":             {Config{Interface: "ens5"}, fakeHost("", lo, "eth0 up 10.0.0.2", "ens5 up 10.1.0.2"), "10.1.0.2 ens5", "configured"},
		"interface lo configured":          {Config{Interface: "lo"}, fakeHost("", lo, "eth0 up 10.0.0.2"), "127.0.0.1 lo", "configured"},
		"a tunnel configured":              {Config{Interface: "tun0"}, fakeHost("", lo, "tun0 up 10.9.0.2"), "10.9.0.2 tun0", "configured"},
		"interface that is not there":      {Config{Interface: "eth7"}, fakeHost("", lo, "eth0 up 10.0.0.2"), "", `no interface "eth7"; this host has 127.0.0.1 (lo), 10.0.0.2 (eth0)`},
		"interface that is down":           {Config{Interface: "eth0"}, fakeHost("", lo, "eth0 down 10.0.0.2"), "", "ip link set eth0 up"},
		"interface without address":        {Config{Interface: "eth0"}, fakeHost("", lo, "eth0 up fd00::2"), "", "no IPv4 address"},
		"address configured":               {Config{Address: addr("10.0.0.3")}, fakeHost("", lo, "eth0 up 10.0.0.2 10.0.0.3"), "10.0.0.3 eth0", "configured"},
		"loopback address configured":      {Config{Address: addr("127.0.0.1")}, fakeHost("", lo, "eth0 up 10.0.0.2"), "127.0.0.1 lo", "configured"},
		"address of nobody":                {Config{Address: addr("10.0.0.9")}, fakeHost("", lo, "eth0 up 10.0.0.2"), "", "no interface has the address 10.0.0.9"},
		"address of another interface":     {Config{Address: addr("10.0.0.2"), Interface: "lo"}, fakeHost("", lo, "eth0 up 10.0.0.2"), "", "lo does not have"},
		"v6 prefers an address of a site":  {Config{Use: "v6"}, fakeHost("", lo, "eth0 up 10.0.0.2 fe80::2 fd00::2"), "fd00::2 eth0", "eth0"},
		"v6 takes link-local for want":     {Config{Use: "v6"}, fakeHost("", lo, "eth0 up 10.0.0.2 fe80::2"), "fe80::2 eth0", "eth0"},
		"v6 by the default route":          {Config{Use: "v6"}, fakeHost("fd01::2", lo, "a up fd00::2", "b up fd01::2"), "fd01::2 b", "default route"},
		"a tunnel where multicast is off":  {Config{Multicast: MulticastOff}, fakeHost("10.9.0.2", lo, "tun0 up 10.9.0.2"), "10.9.0.2 tun0", "default route"},
		"a tunnel for want of multicast":   {Config{Multicast: MulticastIfThere}, fakeHost("10.9.0.2", lo, "tun0 up 10.9.0.2"), "10.9.0.2 tun0", "default route"},
		"v6 on loopback without multicast": {Config{Use: "v6", Interface: "lo", Multicast: MulticastIfThere}, fakeHost("", "lo up 127.0.0.1 ::1"), "::1 lo", "configured"},
		"v6 not on loopback":               {Config{Use: "v6"}, fakeHost("", lo, "eth0 up 10.0.0.2"), "", "--use v4"},
		"v6 not on loopback, even if told": {Config{Use: "v6", Interface: "lo"}, fakeHost("", lo), "", "does not work on lo"},
	} {
		t.Run(name, func(t *testing.T) {
			c.config.System = c.host
			r, err := c.config.Resolve()
			if c.want == "" {
				if !errors.Is(err, ErrNoInterface) || !strings.Contains(err.Error(), c.why) {
					t.Fatalf("resolved %v, err = %v; want one that says %q", r.Why, err, c.why)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := r.Address.String() + " " + r.Interface.Name; got != c.want {
				t.Errorf("chose %s, want %s", got, c.want)
			}
			if !strings.Contains(r.Why, c.why) || !strings.Contains(r.Why, r.Interface.Name) {
				t.Errorf("why = %q, want it to say %q", r.Why, c.why)
			}
		})
	}
}

func TestBadConfigsAreExplained(t *testing.T) {
	for want, c := range map[string]Config{
		"v4 or v6":                    {Use: "v5"},
		"not a multicast address":     {Group: netip.MustParseAddr("10.0.0.1")},
		"does not belong to use = v6": {Use: "v6", Group: netip.MustParseAddr("239.1.2.3")},
		"does not belong to use = v4": {Address: netip.MustParseAddr("fd00::1")},
		"port 70000":                  {Port: 70000},
		"hop limit 256":               {HopLimit: 256},
		"hop limit -2":                {HopLimit: -2},
		"receive buffer":              {ReceiveBuffer: -5},
		"cannot be a node's own":      {Address: netip.MustParseAddr("0.0.0.0")},
		"by its own option":           {Use: "v6", Address: netip.MustParseAddr("fe80::1%eth0")},
	} {
		if _, err := c.Resolve(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", c, err, want)
		}
	}
}

func TestDefaultsAreTheOriginals(t *testing.T) {
	h := fakeHost("", lo, "eth0 up 10.0.0.2 fd00::2")
	for use, want := range map[string]string{"": "228.0.0.5:4000", "v4": "228.0.0.5:4000", "v6": "[ffbe::43]:4000"} {
		c := Config{Use: use, System: h}
		r, err := c.Resolve()
		if err != nil || r.Group.String() != want || r.HopLimit != 1 || r.ReceiveBuffer != 8<<20 || !r.IsOriginal() {
			t.Errorf("%q: %+v %v", use, r, err)
		}
	}
	for _, c := range []Config{{Port: 4001, System: h}, {Cluster: "a", System: h}, {Group: netip.MustParseAddr("239.1.2.3"), System: h}} {
		if r, err := c.Resolve(); err != nil || r.IsOriginal() {
			t.Errorf("%v taken for the original's: %v", r.Group, err)
		}
	}
}

func TestGroupsOfClusters(t *testing.T) {
	seen := map[netip.Addr]string{}
	for _, name := range strings.Fields("shop shop2 a b c d e f g h i j k l m n o p q r s t u v w x y z test staging production") {
		v4, v6 := clusterGroup(name, false), clusterGroup(name, true)
		b, s := v4.As4(), v6.As16()
		if b[0] != 239 || b[1] != 255 || b[2]&0x7f == 0 || b[2] == 255 {
			t.Errorf("%s: %s", name, v4)
		}
		if !strings.HasPrefix(v6.String(), "ff15::") || s[12]&0x80 == 0 {
			t.Errorf("%s: %s", name, v6)
		}
		if other := seen[v4]; other != "" {
			t.Errorf("%s and %s share %s", name, other, v4)
		}
		seen[v4] = name
	}
	// Nodes of different versions must meet: these values must never change.
	if g := clusterGroup("shop", false); g.String() != wantShopV4 {
		t.Errorf("shop derives %s", g)
	}
	if g := clusterGroup("shop", true); g.String() != wantShopV6 {
		t.Errorf("shop derives %s", g)
	}
}

const (
	wantShopV4 = "239.255.211.31"
	wantShopV6 = "ff15::d31f:5870"
)

func TestPayloadFollowsTheMTU(t *testing.T) {
	for _, c := range []struct {
		mtu  int
		v6   bool
		want int
	}{{1500, false, 1400}, {1500, true, 1400}, {1420, false, 1392}, {1420, true, 1372}, {1280, true, 1232}, {9000, false, 1400}, {0, false, 1400}} {
		if got := payloadFor(c.mtu, c.v6); got != c.want {
			t.Errorf("MTU %d v6 %v: %d, want %d", c.mtu, c.v6, got, c.want)
		}
	}
}

func TestTheHostsOwnListAndRoute(t *testing.T) {
	list, err := host{}.Interfaces()
	if err != nil || len(list) == 0 {
		t.Fatalf("%v %v", list, err)
	}
	for _, i := range list {
		if got, found := (host{}).Interface(i.Name); !found || got.Index != i.Index {
			t.Errorf("%s: %+v", i.Name, got)
		}
		for _, a := range i.Addrs {
			if a.Zone() != "" || a.Is4In6() {
				t.Errorf("%s: address %s", i.Name, a)
			}
		}
	}
	if _, found := (host{}).Interface("no such thing"); found {
		t.Error("found an interface that is not there")
	}
	if a := (host{}).RouteSource(false); a.IsValid() && !a.Is4() {
		t.Errorf("default route by %s", a)
	}
}

func TestWhetherTheGroupIsUsedIsTold(t *testing.T) {
	eth, tun := fakeHost("", "lo up 127.0.0.1 ::1", "eth0 up 10.0.0.2 fd00::2"), fakeHost("", "lo up 127.0.0.1 ::1", "tun0 up 10.9.0.2")
	for name, c := range map[string]struct {
		config  Config
		unicast bool
	}{
		"needed":                      {Config{System: eth}, false},
		"off":                         {Config{System: eth, Multicast: MulticastOff}, true},
		"if there, and there":         {Config{System: eth, Multicast: MulticastIfThere}, false},
		"if there, on a tunnel":       {Config{System: tun, Multicast: MulticastIfThere, Interface: "tun0"}, true},
		"if there, on v4's loopback":  {Config{System: tun, Multicast: MulticastIfThere, Interface: "lo"}, false},
		"if there, on v6's loopback":  {Config{System: tun, Multicast: MulticastIfThere, Interface: "lo", Use: "v6"}, true},
		"if there, nothing but a tun": {Config{System: tun, Multicast: MulticastIfThere}, true},
		"if there, nothing but lo":    {Config{System: fakeHost("", "lo up 127.0.0.1"), Multicast: MulticastIfThere}, false},
	} {
		if r, err := c.config.Resolve(); err != nil || r.Unicast != c.unicast {
			t.Errorf("%s: unicast %v, %v", name, r.Unicast, err)
		}
	}
}
