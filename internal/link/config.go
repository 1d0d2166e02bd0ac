package link

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"time"
)

// What the original documents as its defaults, and what a node adds to them.
const (
	DefaultPort          = 4000
	DefaultHopLimit      = 1
	DefaultReceiveBuffer = 8 << 20
	// PortRange is how many port numbers a host's nodes share, counted from the group's port.
	PortRange = 32
	// MaxPayload is the largest datagram sent: it fits Ethernet with v4, v6 and the usual tunnels.
	MaxPayload = 1400
)

var (
	defaultGroupV4 = netip.MustParseAddr("228.0.0.5")
	defaultGroupV6 = netip.MustParseAddr("ffbe::43")
)

// Multicast says whether a Link needs the group.
type Multicast uint8

// The zero value needs it.
const (
	MulticastNeeded  Multicast = iota
	MulticastIfThere           // does without where the interface cannot
	MulticastOff               // opens no socket for it
)

// Config says which sockets to open. The zero value is the original's default: 228.0.0.5:4000 on the first usable
// interface.
type Config struct {
	Use           string     // "v4" (default) or "v6"
	Group         netip.Addr // multicast group; zero: the original's, or derived from Cluster
	Port          int        // port of the group and first port tried for unicast; 0: 4000
	Address       netip.Addr // own address; zero: chosen
	Interface     string     // interface name; "": chosen
	HopLimit      int        // of multicast datagrams; 0: 1; negative: 0, they stay on this host
	Cluster       string     // a name from which a group is derived where Group is zero
	ReceiveBuffer int        // bytes asked of the kernel; 0: 8 MiB
	Multicast     Multicast  // whether the group is needed
	Avoid         int        // a port at which others would die of a datagram: none is ever sent there; 0: there is none

	// OnChange is told, in a sentence, when the interface goes, comes back or is joined again; from a goroutine of
	// Receive, which waits for it. May be nil.
	OnChange func(string)
	System   System // what to ask for interfaces; nil: this host

	watchInterval time.Duration // shorter in tests
}

func (c *Config) validate() error {
	v6 := c.Use == "v6"
	switch {
	case c.Use != "" && c.Use != "v4" && c.Use != "v6":
		return fmt.Errorf("use %q: must be v4 or v6", c.Use)
	case c.Group.IsValid() && !c.Group.IsMulticast():
		return fmt.Errorf("group %s is not a multicast address (224.0.0.0/4 or ff00::/8)", c.Group)
	case c.Group.IsValid() && c.Group.Unmap().Is4() == v6:
		return fmt.Errorf("group %s does not belong to use = %s", c.Group, c.family())
	case c.Group.Zone() != "" || c.Address.Zone() != "":
		return errors.New("an address with a %zone: name the interface by its own option")
	case c.Address.IsValid() && c.Address.Unmap().Is4() == v6:
		return fmt.Errorf("address %s does not belong to use = %s", c.Address, c.family())
	case c.Address.IsValid() && (c.Address.IsMulticast() || c.Address.IsUnspecified()):
		return fmt.Errorf("address %s cannot be a node's own: give one of this host's interface addresses", c.Address)
	}
	return c.validateNumbers()
}

func (c *Config) validateNumbers() error {
	switch {
	case c.Port < 0 || c.Port > 65535:
		return fmt.Errorf("port %d: must be 1 to 65535", c.Port)
	case c.HopLimit < -1 || c.HopLimit > 255:
		return fmt.Errorf("hop limit %d: must be 1 to 255, or -1 for none", c.HopLimit)
	case c.ReceiveBuffer < 0 || c.ReceiveBuffer > 1<<30:
		return fmt.Errorf("receive buffer of %d bytes: must be at most 1 GiB", c.ReceiveBuffer)
	}
	return nil
}

func (c *Config) family() string {
	if c.Use == "" {
		return "v4"
	}
	return c.Use
}

func (c *Config) system() System {
	if c.System == nil {
		return host{}
	}
	return c.System
}

func (c *Config) group() netip.Addr {
	v6 := c.Use == "v6"
	switch {
	case c.Group.IsValid():
		return c.Group.Unmap()
	case c.Cluster != "":
		return clusterGroup(c.Cluster, v6)
	case v6:
		return defaultGroupV6
	}
	return defaultGroupV4
}

// clusterGroup derives a group from a cluster's name: administratively scoped 239.255.x.y for v4; transient, site-local,
// with an id from the dynamic range (RFC 3307), for v6.
func clusterGroup(name string, v6 bool) netip.Addr {
	sum := sha256.Sum256([]byte("sessioncast group\x00" + name))
	if v6 {
		a := [16]byte{0xff, 0x15}
		binary.BigEndian.PutUint32(a[12:], 1<<31|binary.BigEndian.Uint32(sum[:]))
		return netip.AddrFrom16(a)
	}
	i := 0
	for i < len(sum)-2 && !goodOctet(sum[i]) {
		i++
	}
	return netip.AddrFrom4([4]byte{239, 255, sum[i], sum[i+1]})
}

// goodOctet keeps away from the ends of 239.255/16: 239.255.255.x is where SSDP and its like live, and groups that end
// like 224.0.0.x share MAC filters with the network's own.
func goodOctet(x byte) bool { return x&0x7f != 0 && x&0x7f != 0x7f }

func orDefault(v, d int) int {
	if v == 0 {
		return d
	}
	return v
}
