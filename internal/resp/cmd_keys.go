package resp

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"unsafe"

	"github.com/sessioncast/sessioncast/internal/table"
)

func delCommand(c *client, argv [][]byte) {
	n := int64(0)
	for _, key := range argv[1:] {
		res, err := c.destroy(key)
		switch {
		case err != nil:
			c.failed(err)
			return
		case !res.Done && c.s.cfg.Cluster.Holding() != HoldsAll: // too many unknown keys at a time: this one may live on
			c.fail(c.notHere())
			return
		}
		if res.Existed {
			n++
		}
	}
	c.int(n)
}

func existsCommand(c *client, argv [][]byte) {
	n := int64(0)
	for _, key := range argv[1:] {
		if _, ok := c.read(key); ok {
			n++
		}
	}
	c.int(n)
}

func typeCommand(c *client, argv [][]byte) {
	if _, ok := c.read(argv[1]); ok {
		c.simple("string")
	} else {
		c.simple("none")
	}
}

func flushdbCommand(c *client, argv [][]byte) { c.flush(argv, c.db, c.db) }

func flushallCommand(c *client, argv [][]byte) { c.flush(argv, 0, databases-1) }

// flush empties the databases from first to last. It waits for all peers, where writes wait for any: a flush kills what is created by who has not
// heard of it, so that after its answer a login on any node is safe.
func (c *client) flush(argv [][]byte, first, last int) {
	if len(argv) > 2 || len(argv) == 2 && !is(argv[1], "async") && !is(argv[1], "sync") {
		c.fail(errSyntax)
		return
	}
	for db := first; db <= last; db++ {
		seq, err := c.s.cfg.Table.Flush(c.s.wallMS, db)
		if err != nil {
			c.failed(err)
			return
		}
		c.wrote(seq)
		c.flushed = seq
	}
	c.ok()
}

// scan is what SCAN asks for.
type scan struct {
	pattern []byte
	count   int
	none    bool // of a type that nothing here is
}

func (o *scan) parse(args [][]byte) (err string) {
	o.count = 10
	for i := 0; i < len(args); i += 2 {
		if i+1 >= len(args) {
			return errSyntax
		}
		switch value := args[i+1]; {
		case is(args[i], "match"):
			o.pattern = value
		case is(args[i], "type"):
			o.none = !is(value, "string")
		case is(args[i], "count"):
			n, ok := parseInt(value)
			if !ok {
				return errNotInteger
			}
			if n < 1 {
				return errSyntax
			}
			o.count = int(min(n, maxScanCount))
		default:
			return errSyntax
		}
	}
	return ""
}

func parseCursor(b []byte) (uint64, bool) {
	v, err := strconv.ParseUint(string(b), 10, 64)
	return v, err == nil
}

func scanCommand(c *client, argv [][]byte) {
	cursor, ok := parseCursor(argv[1])
	if !ok {
		c.fail("ERR invalid cursor")
		return
	}
	var o scan
	if err := o.parse(argv[2:]); err != "" {
		c.fail(err)
		return
	}
	var names []string
	next := c.s.cfg.Table.Scan(c.s.wallMS, c.db, cursor, o.count, func(name string, _ table.View) {
		if !o.none && (o.pattern == nil || matchString(o.pattern, name)) {
			names = append(names, name)
		}
	})
	c.array(2)
	c.bulkString(strconv.FormatUint(next, 10))
	c.answerNames(names)
}

func (c *client) answerNames(names []string) {
	c.array(len(names))
	for _, name := range names {
		c.bulkString(name)
	}
}

func matchString(pattern []byte, s string) bool {
	return match(pattern, unsafe.Slice(unsafe.StringData(s), len(s)))
}

// keysCommand lists all at once; no other client is served meanwhile.
func keysCommand(c *client, argv [][]byte) {
	var names []string
	size := 0
	for cursor, first := uint64(0), true; first || cursor != 0 && size <= c.s.cfg.MaxOutput; first = false {
		cursor = c.s.cfg.Table.Scan(c.s.wallMS, c.db, cursor, maxScanCount, func(name string, _ table.View) {
			if matchString(argv[1], name) {
				names = append(names, name)
				size += len(name) + len("$512\r\n\r\n")
			}
		})
	}
	slices.Sort(names)
	c.answerNames(slices.Compact(names))
}

func randomkeyCommand(c *client, _ [][]byte) {
	name, ok := c.s.cfg.Table.Random(c.s.wallMS, c.db, rand.Uint64())
	if !ok {
		c.null()
		return
	}
	c.bulkString(name)
}

func dbsizeCommand(c *client, _ [][]byte) { c.int(int64(c.s.cfg.Table.Len(c.db))) }
