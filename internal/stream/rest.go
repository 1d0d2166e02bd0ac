package stream

import (
	"net"
	"time"
)

// How long the other side of a resting connection may be gone without the kernel noticing: restIdle + restProbes ×
// restInterval.
const (
	restIdle     = 30 * time.Second
	restInterval = 10 * time.Second
	restProbes   = 3
)

// Rest makes ready for a connection on which nothing is to come until the peer ends: Receive waits for ever, and the
// kernel asks now and then whether the peer's host is still there, so that connections over a cut network do not pile up.
func (c *Conn) Rest() {
	c.SetPatience(0)
	if tcp, ok := c.raw.(*net.TCPConn); ok {
		_ = tcp.SetKeepAliveConfig(net.KeepAliveConfig{ // without, the system's two hours hold
			Enable: true, Idle: restIdle, Interval: restInterval, Count: restProbes,
		})
	}
}
