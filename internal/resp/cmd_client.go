package resp

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

func clientIDCommand(c *client, _ [][]byte) { c.int(int64(c.id)) }

func clientGetnameCommand(c *client, _ [][]byte) {
	if c.name == "" {
		c.null()
		return
	}
	c.bulkString(c.name)
}

func clientSetnameCommand(c *client, argv [][]byte) {
	if !validName(argv[2]) {
		c.fail(errName)
		return
	}
	c.name = string(argv[2])
	c.ok()
}

// clientSetinfoCommand is Redis 7.2's; libraries send it on connecting.
func clientSetinfoCommand(c *client, argv [][]byte) {
	var field *string
	switch {
	case is(argv[2], "lib-name"):
		field = &c.libName
	case is(argv[2], "lib-ver"):
		field = &c.libVer
	default:
		c.fail(fmt.Sprintf("ERR Unrecognized option '%s'", shown(argv[2], shownBytes)))
		return
	}
	if !validName(argv[3]) {
		c.fail(fmt.Sprintf("ERR %s cannot contain spaces, newlines or special characters.", strings.ToLower(string(argv[2]))))
		return
	}
	*field = string(argv[3])
	c.ok()
}

// clientNoEvictCommand accepts what has no meaning here: clients are never evicted, and nothing counts how often a key is used.
func clientNoEvictCommand(c *client, argv [][]byte) {
	if !is(argv[2], "on") && !is(argv[2], "off") {
		c.fail(errSyntax)
		return
	}
	c.ok()
}

func clientInfoCommand(c *client, _ [][]byte) { c.verbatim(c.describe() + "\n") }

// clientListCommand lists every connection. Filters are those of Redis: TYPE and ID.
func clientListCommand(c *client, argv [][]byte) {
	ids := slices.Sorted(maps.Keys(c.s.clients))
	switch {
	case len(argv) == 4 && is(argv[2], "type"):
		if !slices.ContainsFunc([]string{"normal", "master", "replica", "slave", "pubsub"}, func(s string) bool { return is(argv[3], s) }) {
			c.fail(fmt.Sprintf("ERR Unknown client type '%s'", shown(argv[3], shownBytes)))
			return
		}
		if !is(argv[3], "normal") {
			ids = nil
		}
	case len(argv) > 3 && is(argv[2], "id"):
		ids = ids[:0]
		for _, arg := range argv[3:] {
			id, ok := parseInt(arg)
			if !ok {
				c.fail("ERR Invalid client ID")
				return
			}
			ids = append(ids, uint64(id))
		}
	case len(argv) != 2:
		c.fail(errSyntax)
		return
	}
	var b strings.Builder
	for _, id := range ids {
		if other := c.s.clients[id]; other != nil {
			b.WriteString(other.describe())
			b.WriteByte('\n')
		}
	}
	c.verbatim(b.String())
}

// describe is the client's line in CLIENT LIST.
func (c *client) describe() string {
	now := c.s.cfg.now()
	queued := -1
	if c.multi.open {
		queued = len(c.multi.queue)
	}
	last := "NULL"
	if c.current != nil {
		last = c.current.name
	}
	return fmt.Sprintf("id=%d addr=%s laddr=%s fd=-1 name=%s age=%d idle=%d flags=%s db=%d sub=0 psub=0 ssub=0 multi=%d "+
		"qbuf=%d qbuf-free=%d argv-mem=0 multi-mem=%d rbs=0 rbp=0 obl=%d oll=0 omem=0 tot-mem=%d events=r cmd=%s user=%s redir=%d resp=%d "+
		"lib-name=%s lib-ver=%s",
		c.id, c.addr, c.laddr, c.name, int64(now.Sub(c.since).Seconds()), int64(now.Sub(c.active).Seconds()), c.flagLetters(), c.db, queued,
		len(c.in), cap(c.in)-len(c.in), len(c.multi.data), c.pending(), cap(c.in)+cap(c.out), last, c.s.cfg.Username, c.track.redirection(),
		c.proto(), c.libName, c.libVer)
}

func (c *client) flagLetters() string {
	var b []byte
	for _, f := range []struct {
		on     bool
		letter byte
	}{
		{c.multi.open, 'x'}, {c.held, 'b'}, {c.track.on, 't'}, {c.closing, 'c'}, {strings.HasSuffix(c.addr, ":0"), 'U'},
	} {
		if f.on {
			b = append(b, f.letter)
		}
	}
	if len(b) == 0 {
		return "N"
	}
	return string(b)
}
