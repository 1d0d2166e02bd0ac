package resp

import (
	"bytes"
	"fmt"
	"math"

	"github.com/sessioncast/sessioncast/internal/table"
)

func expireCommand(c *client, argv [][]byte)    { c.expireBy(argv, expiry{"expire", 1000, true}) }
func pexpireCommand(c *client, argv [][]byte)   { c.expireBy(argv, expiry{"pexpire", 1, true}) }
func expireatCommand(c *client, argv [][]byte)  { c.expireBy(argv, expiry{"expireat", 1000, false}) }
func pexpireatCommand(c *client, argv [][]byte) { c.expireBy(argv, expiry{"pexpireat", 1, false}) }

// expiry is one of the four commands that set a deadline.
type expiry struct {
	name     string
	unit     int64 // milliseconds
	relative bool
}

var expiries = map[string]expiry{
	"expire": {"expire", 1000, true}, "pexpire": {"pexpire", 1, true},
	"expireat": {"expireat", 1000, false}, "pexpireat": {"pexpireat", 1, false},
}

// due is the deadline that arg names, or an error text. Negative numbers are allowed: they mean the past.
func (x expiry) due(arg []byte, now int64) (due int64, err string) {
	v, ok := parseInt(arg)
	if !ok {
		return 0, errNotInteger
	}
	if v > math.MaxInt64/x.unit || v < math.MinInt64/x.unit {
		return 0, badExpire(x.name)
	}
	v *= x.unit
	if x.relative {
		if v > math.MaxInt64-now {
			return 0, badExpire(x.name)
		}
		v += now
	}
	return max(v, 1), "" // 0 would mean no deadline
}

// conditions are the words after EXPIRE key time.
type conditions struct{ nx, xx, gt, lt bool }

func (o *conditions) parse(args [][]byte) (err string) {
	for _, arg := range args {
		switch {
		case is(arg, "nx"):
			o.nx = true
		case is(arg, "xx"):
			o.xx = true
		case is(arg, "gt"):
			o.gt = true
		case is(arg, "lt"):
			o.lt = true
		default:
			return fmt.Sprintf("ERR Unsupported option %s", shown(arg, shownBytes))
		}
	}
	switch {
	case o.nx && (o.xx || o.gt || o.lt):
		return "ERR NX and XX, GT or LT options at the same time are not compatible"
	case o.gt && o.lt:
		return "ERR GT and LT options at the same time are not compatible"
	}
	return ""
}

func (o *conditions) cond() table.ExpireCond {
	switch {
	case o.nx:
		return table.ExpireNX
	case o.gt: // what has no deadline is never exceeded, so XX adds nothing
		return table.ExpireGT
	case o.lt:
		return table.ExpireLT
	case o.xx:
		return table.ExpireXX
	}
	return table.ExpireAlways
}

func (c *client) expireBy(argv [][]byte, x expiry) {
	var o conditions
	err := o.parse(argv[3:])
	due := int64(0)
	if err == "" {
		due, err = x.due(argv[2], c.s.nowMS)
	}
	if err != "" {
		c.fail(err)
		return
	}
	if o.xx && o.lt {
		endless := false
		c.s.cfg.Table.Look(c.s.wallMS, c.key(argv[1]), func(v table.View) { endless = v.Due == 0 })
		if endless {
			c.bool(false)
			return
		}
	}
	res, refused := c.expire(argv[1], due, o.cond())
	if refused != nil {
		c.failed(refused)
		return
	}
	if res.Done && due <= c.s.nowMS {
		c.s.count.expired.Add(1)
	}
	c.bool(res.Done)
}

func persistCommand(c *client, argv [][]byte) {
	res, err := c.expire(argv[1], 0, table.ExpireAlways)
	if err != nil {
		c.failed(err)
		return
	}
	c.bool(res.Done)
}

func ttlCommand(c *client, argv [][]byte) {
	c.answerDue(argv[1], func(left int64) int64 { return (left + 500) / 1000 }, true)
}
func pttlCommand(c *client, argv [][]byte) {
	c.answerDue(argv[1], func(left int64) int64 { return left }, true)
}

func expiretimeCommand(c *client, argv [][]byte) {
	c.answerDue(argv[1], func(due int64) int64 { return (due + 500) / 1000 }, false)
}

func pexpiretimeCommand(c *client, argv [][]byte) {
	c.answerDue(argv[1], func(due int64) int64 { return due }, false)
}

// answerDue answers when a key ends, or after how long: -1 for never, -2 for no such key.
func (c *client) answerDue(key []byte, show func(ms int64) int64, left bool) {
	v, ok := c.read(key)
	switch {
	case !ok:
		c.int(-2)
	case v.Due == 0:
		c.int(-1)
	case left:
		c.int(show(max(0, v.Due-c.s.nowMS)))
	default:
		c.int(show(v.Due))
	}
}

// setAndExpire carries out SET and a deadline for the same key as one write, where they follow each other in a transaction: so no peer
// ever holds a session that has yet to be given its end. It reports false, having done nothing, where they do not.
func (c *client) setAndExpire(first *command, a [][]byte, second *command, b [][]byte) bool {
	x, ok := expiries[second.name]
	if !ok || len(b) != 3 || !bytes.Equal(a[1], b[1]) || !plainSet(first, a) {
		return false
	}
	due, err := x.due(b[2], c.s.nowMS)
	if err != "" || due <= c.s.nowMS {
		return false
	}
	c.fold, c.folded = due, false
	c.current = first
	first.run(c, a)
	done := c.folded
	c.fold, c.folded = 0, false
	c.s.count.commands.Add(2)
	if done {
		c.int(1)
	} else {
		c.current = second
		second.run(c, b)
	}
	return true
}

// plainSet reports whether the command writes its key unless it fails.
func plainSet(cmd *command, argv [][]byte) bool {
	switch cmd.name {
	case "setex", "psetex":
		return true
	case "set":
		for _, arg := range argv[3:] {
			if is(arg, "nx") || is(arg, "xx") || is(arg, "get") {
				return false
			}
		}
		return true
	}
	return false
}
