package daemon

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/sessioncast/sessioncast/internal/peers"
	"github.com/sessioncast/sessioncast/internal/record"
)

const (
	// MaxSessionSize is the largest session the protocol carries.
	MaxSessionSize Size = 1 << 20
	// MinMemory is the least memory a node can be given.
	MinMemory Size = 1 << 20
	// MaxMembers is the most members that wait can be asked for.
	MaxMembers = 1000

	maxAckTimeout       = Duration(time.Minute)
	maxLogoutHold       = Duration(day)
	maxInterfaceNameLen = 64
)

// optionChecks look at options that are well written each by itself: at their limits and at each other. A check names
// the option that its message is about.
var optionChecks = []func(*Options, *loader) (string, error){
	checkGroup, checkAddress, checkInterface, checkMode, checkPeers, checkRESP, checkSecrecy,
	checkMaxMemory, checkMaxSession, checkAckTimeout, checkLogoutHold, checkLinger,
}

func checkGroup(o *Options, _ *loader) (string, error) {
	return "group", checkFamily(o.Use, o.Group.Addr, "228.0.0.5", "ffbe::43")
}

func checkAddress(o *Options, _ *loader) (string, error) {
	return "address", checkFamily(o.Use, o.Address.Addr, "10.0.1.4", "fd00::4")
}

func checkFamily(use Family, addr netip.Addr, v4, v6 string) error {
	example, other := v4, "v6"
	if use == "v6" {
		example, other = v6, "v4"
	}
	if !addr.IsValid() || addr.Is4() == (use == "v4") {
		return nil
	}
	return fmt.Errorf("%s is of another family than use = %s: give one like %s, or set use to %s", addr, use, example, other)
}

func checkInterface(o *Options, _ *loader) (string, error) {
	if len(o.Interface) > maxInterfaceNameLen || strings.ContainsAny(o.Interface, " \t\r\n/\x00") {
		return "interface", fmt.Errorf("%q is not the name of an interface: give one like eth0", o.Interface)
	}
	return "interface", nil
}

func checkMode(o *Options, _ *loader) (string, error) {
	havePeers := len(o.Peers) > 0 || o.PeersFile != ""
	switch {
	case o.Mode == "unicast" && !havePeers:
		return "mode", errors.New("unicast needs to know where other nodes are: give --peers, as --peers 10.0.1.4,10.0.1.5 or a DNS name that stands for all, or --peers-file")
	case o.Mode == "multicast" && havePeers:
		return "mode", errors.New("multicast and peers exclude each other: leave the mode out to use both, or leave the peers out")
	}
	return "mode", nil
}

func checkPeers(o *Options, _ *loader) (string, error) {
	_, err := peers.New(peerConfig(o))
	return "peers", err
}

func checkRESP(o *Options, _ *loader) (string, error) {
	seen := map[Endpoint]bool{}
	for _, r := range o.RESP {
		if r.Network == "off" && len(o.RESP) > 1 {
			return "resp", errors.New("off stands beside an address: give off alone, or addresses only")
		}
		if seen[r.Endpoint] {
			return "resp", fmt.Errorf("%s stands there twice", r)
		}
		seen[r.Endpoint] = true
	}
	return "resp", nil
}

// checkSecrecy refuses a key and insecure together: whichever won, half of the readers would expect the other.
func checkSecrecy(o *Options, l *loader) (string, error) {
	switch {
	case !o.Insecure:
		return "insecure", nil
	case o.KeyFile != "":
		return "insecure", fmt.Errorf("a key file is given too (%s): leave one of the two out", l.cli.Origins["key-file"])
	case l.host.getenv(keyVariable) != "":
		return "insecure", fmt.Errorf("%s is set too: leave one of the two out", keyVariable)
	}
	return "insecure", nil
}

func checkMaxMemory(o *Options, _ *loader) (string, error) {
	if o.MaxMemory < MinMemory {
		return "max-memory", fmt.Errorf("%s is too little: give at least %s, as 512MiB", o.MaxMemory, MinMemory)
	}
	return "max-memory", nil
}

func checkMaxSession(o *Options, _ *loader) (string, error) {
	switch {
	case o.MaxSession <= 0:
		return "max-session", fmt.Errorf("%s would refuse every session: give 1 to %s, as 256KiB", o.MaxSession, MaxSessionSize)
	case o.MaxSession > MaxSessionSize:
		return "max-session", fmt.Errorf("%s is more than nodes can carry: give 1 to %s, as 256KiB", o.MaxSession, MaxSessionSize)
	}
	return "max-session", nil
}

func checkAckTimeout(o *Options, _ *loader) (string, error) {
	if o.AckTimeout <= 0 || o.AckTimeout > maxAckTimeout {
		return "ack-timeout", fmt.Errorf("%s is out of range: give more than 0 and %s at most, as 50ms; --ack 0 waits for nobody", o.AckTimeout, maxAckTimeout)
	}
	return "ack-timeout", nil
}

func checkLogoutHold(o *Options, _ *loader) (string, error) {
	if o.LogoutHold > maxLogoutHold {
		return "logout-hold", fmt.Errorf("%s is too long: give 0 to %s, as 60s", o.LogoutHold, maxLogoutHold)
	}
	return "logout-hold", nil
}

func checkLinger(o *Options, _ *loader) (string, error) {
	if o.Linger > 0 && len(o.RESP) == 1 && o.RESP[0].Network == "off" {
		return "linger", errors.New("no client can connect, as resp is off: leave one of the two out")
	}
	return "linger", nil
}

// checkCommand checks the flags of the commands that take no Options.
func (c *CLI) checkCommand() error {
	switch {
	case c.Command == "wait" && (c.Wait.Members < 1 || c.Wait.Members > MaxMembers):
		return fmt.Errorf("--members: %d is out of range: give 1 to %d, this node counted", c.Wait.Members, MaxMembers)
	case c.Command == "sessions":
		return c.Sessions.check()
	case c.Command == "key new" && c.Key.New.Out == "-":
		return errors.New("--out: a key is not printed, since what is printed ends up in terminals, logs and histories: give a file, as --out sessioncast.key")
	case c.Command == "key new" && c.Key.New.Out == "":
		return errors.New("--out: an empty name: give a file, as --out sessioncast.key")
	}
	return nil
}

func (s *SessionsCmd) check() error {
	switch {
	case s.Owner == "":
		return errors.New("--owner: an empty label is nobody's: give one, as --owner 4711")
	case len(s.Owner) > record.MaxOwner:
		return fmt.Errorf("--owner: %d bytes are too long: labels have %d at most, as --owner 4711", len(s.Owner), record.MaxOwner)
	case s.DB < 0 || s.DB >= record.Databases:
		return fmt.Errorf("--db: %d is out of range: give 0 to %d, as --db 0", s.DB, record.Databases-1)
	case len(s.Except) > 0 && !s.Destroy:
		return errors.New("--except: it says what --destroy leaves: give both, or neither")
	case s.ShowIDs && s.Destroy:
		return errors.New("--show-ids: nothing is listed with --destroy: leave out one of the two")
	}
	return nil
}
