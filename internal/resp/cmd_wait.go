package resp

import "time"

// waitCommand answers how many peers hold every write of this connection. It waits no longer than maxWait, even where it was asked to
// wait for ever, and not at all in a transaction.
func waitCommand(c *client, argv [][]byte) {
	want, ok := parseInt(argv[1])
	if !ok || int64(int(want)) != want {
		c.fail(errNotInteger)
		return
	}
	ms, ok := parseInt(argv[2])
	switch {
	case !ok:
		c.fail("ERR timeout is not an integer or out of range")
		return
	case ms < 0:
		c.fail("ERR timeout is negative")
		return
	}
	timeout := maxWait
	if ms > 0 && ms < maxWait.Milliseconds() {
		timeout = time.Duration(ms) * time.Millisecond
	}
	if want < 0 || c.multi.running {
		want = 0
	}
	pending, acked := c.s.cfg.Cluster.Await(c.seq, c.counted(), int(want), timeout, c.acked)
	if !pending {
		c.int(int64(acked))
		return
	}
	c.waiting = true
	c.hold()
}
