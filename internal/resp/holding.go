package resp

// Holding is how much of the cluster's sessions a node holds.
type Holding uint8

// A node that joins answers nothing that it may not know yet. One without room for all, whose state may last, does what it can
// without the rest: it never calls a session missing that it may lack.
const (
	HoldsAll Holding = iota
	HoldsPart
	HoldsNotYet
)

// withholds reports whether the command is not carried out because of what this node lacks, and why.
func (c *client) withholds(cmd *command, argv [][]byte, why *string) bool {
	if cmd.flags&keyed == 0 || cmd.flags&ends != 0 {
		return false
	}
	switch h := c.s.cfg.Cluster.Holding(); {
	case h == HoldsAll, h == HoldsPart && (isBlind(cmd, argv) || c.knows(cmd, argv)):
		return false
	}
	*why = c.notHere()
	return true
}

// notHere is what is answered in place of what this node does not know.
func (c *client) notHere() string {
	if c.s.cfg.Cluster.Holding() == HoldsPart {
		return c.s.cfg.Cluster.Shortage()
	}
	return errLoading
}

// isBlind reports whether the answer does not depend on what is there.
func isBlind(cmd *command, argv [][]byte) bool {
	if cmd.name != "set" {
		return cmd.flags&blind != 0
	}
	for _, arg := range argv[min(3, len(argv)):] {
		if is(arg, "nx") || is(arg, "xx") || is(arg, "get") {
			return false
		}
	}
	return true
}

// knows reports whether this node knows of every key what became of it.
func (c *client) knows(cmd *command, argv [][]byte) bool {
	keys := cmd.keysOf(argv)
	for _, key := range keys {
		if !c.s.cfg.Table.Knows(c.s.wallMS, c.key(key)) {
			return false
		}
	}
	return len(keys) > 0
}
