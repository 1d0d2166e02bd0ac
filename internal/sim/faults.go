package sim

import "strings"

// Faults is a set of kinds of fault.
type Faults uint32

// The kinds of fault. A run draws some of them, and from those it draws what happens when.
const (
	Loss         Faults = 1 << iota // every link loses datagrams, each by itself
	Burst                           // links lose runs of datagrams
	LinkLoss                        // a few links are far worse than the rest
	OneWay                          // some links are dead in one direction for a while
	Duplicate                       // datagrams arrive more than once
	Reorder                         // some datagrams are delayed behind later ones
	Partition                       // the nodes fall into two groups for a while
	Isolate                         // one node is alone for a while
	Crash                           // a node loses its memory and, perhaps, starts again
	Pause                           // a node stops for a while; what arrives waits in its socket
	Skew                            // clocks are off, within the limit
	Jump                            // clocks jump, within the limit
	SlowLink                        // links of little bandwidth and large delay
	SlowNode                        // a node takes long over every datagram
	SmallBuffer                     // sockets hold little
	Replay                          // datagrams of the past come again, to anyone
	Corrupt                         // bits flip
	Forge                           // datagrams of strangers: noise, truncations, headers without a valid tag
	StreamBreak                     // transfers break midway
	OtherCluster                    // a second cluster with another key on the same group
	SmallPayload                    // the path takes less than a full datagram
	LargeValues                     // values up to 1 MiB, in fragments
	Leaves                          // nodes leave in good order, and start again
	FarClock                        // one clock at a time jumps by an hour or a day, forward or back
	NoMulticast                     // multicast reaches some nodes only, or none, while unicast does; or no node uses it
	NoUnicast                       // unicast, datagrams and streams, fails on some paths while multicast passes, as behind firewalls
	faultsEnd
)

// AllFaults is every kind.
const AllFaults = faultsEnd - 1

var faultNames = [...]string{
	"loss", "burst", "link-loss", "one-way", "duplicate", "reorder", "partition", "isolate", "crash", "pause", "skew",
	"jump", "slow-link", "slow-node", "small-buffer", "replay", "corrupt", "forge", "stream-break", "other-cluster",
	"small-payload", "large-values", "leaves", "far-clock", "no-multicast", "no-unicast",
}

// Has reports whether every fault of g is in f.
func (f Faults) Has(g Faults) bool { return f&g == g }

// Each are the kinds in f, one by one.
func (f Faults) Each() (kinds []Faults) {
	for k := Faults(1); k < faultsEnd; k <<= 1 {
		if f.Has(k) {
			kinds = append(kinds, k)
		}
	}
	return kinds
}

// String names the kinds, with commas between them.
func (f Faults) String() string {
	var names []string
	for i, name := range faultNames {
		if f.Has(1 << i) {
			names = append(names, name)
		}
	}
	if names == nil {
		return "none"
	}
	return strings.Join(names, ",")
}

// ParseFaults reads what String writes; ok is false when a name is none.
func ParseFaults(s string) (f Faults, ok bool) {
	if s == "none" || s == "" {
		return 0, true
	}
	for name := range strings.SplitSeq(s, ",") {
		kind := Faults(0)
		for i, n := range faultNames {
			if n == name {
				kind = 1 << i
			}
		}
		if kind == 0 {
			return 0, false
		}
		f |= kind
	}
	return f, true
}
