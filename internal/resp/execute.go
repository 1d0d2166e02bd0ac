package resp

import (
	"bytes"
	"fmt"
	"strings"
)

const (
	errNoAuth     = "NOAUTH Authentication required."
	errLoading    = "LOADING sessioncast is joining its cluster and does not hold every session yet"
	errSyntax     = "ERR syntax error"
	errNotInteger = "ERR value is not an integer or out of range"
	shownBytes    = 128 // of what the client sent, in errors that quote it
)

// execute carries out one command.
func (c *client) execute(argv [][]byte) {
	c.s.count.commands.Add(1)
	cmd, err := c.find(argv)
	if err != "" {
		c.reject(err)
		return
	}
	why := ""
	switch {
	case !cmd.takes(len(argv)) && cmd.name == "exec":
		c.endMulti()
		c.fail("EXECABORT Transaction discarded because of: " + strings.TrimPrefix(cmd.arityError(), "ERR "))
	case !cmd.takes(len(argv)):
		c.reject(cmd.arityError())
	case !c.authed && cmd.flags&noAuth == 0:
		c.reject(errNoAuth)
	case c.withholds(cmd, argv, &why):
		c.reject(why)
	case c.multi.open && cmd.flags&unqueued == 0:
		c.enqueue(cmd, argv)
	default:
		c.current = cmd
		cmd.run(c, argv)
	}
	c.track.ended(cmd, c.multi.open)
	c.s.relieve()
}

// find looks the command up.
func (c *client) find(argv [][]byte) (cmd *command, err string) {
	if c.spells != nil && string(argv[0]) == string(c.spelled) { // the same as before, nearly always
		return c.spells, ""
	}
	cmd = lookup(commands, argv[0])
	if cmd == nil {
		return nil, unknownCommand(argv)
	}
	if cmd.sub == nil {
		c.spelled, c.spells = append(c.spelled[:0], argv[0]...), cmd
		return cmd, ""
	}
	if len(argv) == 1 {
		return cmd, ""
	}
	sub := lookup(cmd.sub, argv[1])
	if sub == nil {
		return nil, fmt.Sprintf("ERR unknown subcommand '%s'. Try %s HELP.", shown(argv[1], shownBytes), strings.ToUpper(cmd.name))
	}
	return sub, ""
}

func unknownCommand(argv [][]byte) string {
	var args strings.Builder
	for _, a := range argv[1:] {
		if args.Len() >= shownBytes {
			break
		}
		fmt.Fprintf(&args, "'%s' ", shown(a, shownBytes-args.Len()))
	}
	return fmt.Sprintf("ERR unknown command '%s', with args beginning with: %s", shown(argv[0], shownBytes), args.String())
}

// shown is what C's %.*s would print: up to n bytes, and none from a zero byte on.
func shown(b []byte, n int) []byte {
	b = b[:min(n, len(b))]
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	return b
}

// fail answers an error.
func (c *client) fail(s string) {
	c.s.count.failed.Add(1)
	c.replies.fail(s)
}

// reject answers a command that is not carried out at all, which also spoils the transaction it stands in.
func (c *client) reject(s string) {
	if c.multi.open {
		c.multi.spoiled = true
	}
	c.fail(s)
}

func (s *Server) tooBigError(n int) string {
	if n > s.cfg.MaxValue {
		return fmt.Sprintf("ERR a value of %d bytes is longer than the %d allowed (see --max-session)", n, s.cfg.MaxValue)
	}
	return fmt.Sprintf("ERR a command of %d bytes is longer than what --max-session (%d) allows", n, s.cfg.MaxValue)
}

// commandLimit is how long a command of this name may be in all.
func (s *Server) commandLimit(name []byte) int {
	one := s.cfg.MaxValue + maxCommandOverhead
	if cmd := lookup(commands, name); cmd != nil && cmd.last < 0 {
		return max(one, maxManyKeys)
	}
	return one
}

// overflowing reports whether a reply of many parts has outgrown what may wait for a client. Then the rest of it is not made, and
// since half a reply would mislead, the connection is closed.
func (c *client) overflowing() bool {
	if !c.overflow && c.pending() > c.s.cfg.MaxOutput {
		c.s.count.closedOutput.Add(1)
		c.overflow = true
	}
	return c.overflow
}
