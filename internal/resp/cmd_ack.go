package resp

import "math"

// What the replies of a client wait for, where it is no number of peers.
const (
	byPolicy = -1 // as the configuration says
	byAll    = -2 // for all peers, unless the configuration says for none
)

// clientAckCommand is ours: how many peers confirm this connection's writes before they are answered: a number, ALL, or DEFAULT,
// which is --ack. It holds from the writes of the same pipeline on. For single writes there is WAIT.
func clientAckCommand(c *client, argv [][]byte) {
	switch n, ok := parseInt(argv[2]); {
	case is(argv[2], "default"):
		c.ack = byPolicy
	case is(argv[2], "all"):
		c.ack = math.MaxInt32
	case ok && 0 <= n && n <= maxAck:
		c.ack = int(n)
	default:
		c.fail("ERR CLIENT ACK takes a number of peers from 0 to 31, ALL or DEFAULT")
		return
	}
	c.ok()
}
