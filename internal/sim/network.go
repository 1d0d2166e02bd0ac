package sim

import (
	"math/rand/v2"
	"time"
)

// network decides what becomes of a datagram: when it arrives, how often, or that it does not.
type network struct {
	dice  *rand.Rand
	nodes int
	links []link // from × nodes + to
	rules linkRules
	lost  uint64 // datagrams that did not arrive at one of their receivers
	dup   uint64
	late  uint64
}

// linkRules hold for all links alike.
type linkRules struct {
	delay, jitter  time.Duration
	loss           float64
	duplicate      float64
	reorder        float64
	reorderBy      time.Duration
	burst          float64 // that a burst begins, per datagram
	burstPersist   float64 // that it goes on, per datagram
	bandwidthBytes float64 // per second; 0: no limit
	backlogBytes   float64 // of a limited link, before it drops
}

// link is one direction between two nodes.
type link struct {
	cut       int // by how many faults at present
	deaf      int // to multicast, likewise
	shut      int // to unicast, likewise
	loss      float64
	bursting  bool
	extra     time.Duration
	bandwidth float64 // bytes per second; 0: that of the rules
	busyUntil time.Duration
	group     time.Duration // when the last that was sent to the group arrives
}

func newNetwork(dice *rand.Rand, nodes int, rules linkRules) *network {
	return &network{dice: dice, nodes: nodes, links: make([]link, nodes*nodes), rules: rules}
}

func (n *network) link(from, to int) *link { return &n.links[from*n.nodes+to] }

// open reports whether unicast gets through from one node to the other.
func (n *network) open(from, to int) bool {
	return n.link(from, to).cut == 0 && n.link(from, to).shut == 0
}

// apart reports whether two nodes cannot speak to each other by unicast, or one to the other.
func (n *network) apart(a, b int) bool { return n.link(a, b).shut > 0 || n.link(b, a).shut > 0 }

// arrivals appends the delays after which a datagram of size bytes, sent at now, arrives.
func (n *network) arrivals(delays []time.Duration, now time.Duration, from, to, size int) []time.Duration {
	l := n.link(from, to)
	if l.cut > 0 || n.loses(l) {
		n.lost++
		return delays
	}
	wait, ok := n.transmit(l, now, size)
	if !ok {
		n.lost++
		return delays
	}
	delays = append(delays, wait+n.delay(l))
	if n.chance(n.rules.duplicate) {
		n.dup++
		delays = append(delays, wait+n.delay(l)+time.Duration(n.dice.Int64N(int64(50*time.Millisecond))))
	}
	return delays
}

func (n *network) loses(l *link) bool {
	if n.rules.burst > 0 {
		if l.bursting {
			l.bursting = n.chance(n.rules.burstPersist)
		} else {
			l.bursting = n.chance(n.rules.burst)
		}
		if l.bursting {
			return true
		}
	}
	return n.chance(n.rules.loss + l.loss)
}

// transmit is how long the datagram waits for the link; false when too much waits already.
func (n *network) transmit(l *link, now time.Duration, size int) (time.Duration, bool) {
	rate := l.bandwidth
	if rate == 0 {
		rate = n.rules.bandwidthBytes
	}
	if rate == 0 {
		return 0, true
	}
	start := max(now, l.busyUntil)
	if (start-now).Seconds()*rate > n.rules.backlogBytes {
		return 0, false
	}
	l.busyUntil = start + time.Duration(float64(size)/rate*float64(time.Second))
	return l.busyUntil - now, true
}

func (n *network) delay(l *link) time.Duration {
	d := n.rules.delay + l.extra
	if n.rules.jitter > 0 {
		d += time.Duration(n.dice.Int64N(int64(n.rules.jitter)))
	}
	if n.chance(n.rules.reorder) {
		n.late++
		d += time.Duration(n.dice.Int64N(int64(n.rules.reorderBy)))
	}
	return d
}

// chance is true with probability p; it draws nothing when p is 0.
func (n *network) chance(p float64) bool { return p > 0 && n.dice.Float64() < p }

// cut closes, or opens again, every link for which crosses is true. Cuts add up.
func (n *network) cut(by int, crosses func(from, to int) bool) {
	for from := range n.nodes {
		for to := range n.nodes {
			if from != to && crosses(from, to) {
				n.link(from, to).cut += by
			}
		}
	}
}

// deafen closes, or opens again, every link for which crosses is true to multicast, while unicast passes.
func (n *network) deafen(by int, crosses func(from, to int) bool) {
	for from := range n.nodes {
		for to := range n.nodes {
			if from != to && crosses(from, to) {
				n.link(from, to).deaf += by
			}
		}
	}
}

// shut closes, or opens again, every link for which crosses is true to unicast, while multicast passes.
func (n *network) shut(by int, crosses func(from, to int) bool) {
	for from := range n.nodes {
		for to := range n.nodes {
			if from != to && crosses(from, to) {
				n.link(from, to).shut += by
			}
		}
	}
}

// heal makes every link a good one.
func (n *network) heal() {
	for i := range n.links {
		n.links[i] = link{group: n.links[i].group} // what is under way comes
	}
	n.rules = linkRules{delay: n.rules.delay, jitter: n.rules.jitter}
}
