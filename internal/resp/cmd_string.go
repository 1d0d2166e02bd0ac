package resp

import (
	"fmt"
	"math"

	"github.com/sessioncast/sessioncast/internal/table"
)

func getCommand(c *client, argv [][]byte) { c.get(argv[1]) }

// get sends a key's value, or null for none.
func (c *client) get(key []byte) (ok bool) {
	if ok = c.look(key, func(v table.View) { c.bulk(v.Value) }); !ok {
		c.null()
	}
	return ok
}

// answer sends a value, or null for none.
func (c *client) answer(v table.View, ok bool) {
	if ok {
		c.bulk(v.Value)
	} else {
		c.null()
	}
}

func mgetCommand(c *client, argv [][]byte) {
	c.array(len(argv) - 1)
	for _, key := range argv[1:] {
		if c.overflowing() {
			return
		}
		c.get(key)
	}
}

func strlenCommand(c *client, argv [][]byte) {
	n := 0
	c.look(argv[1], func(v table.View) { n = len(v.Value) })
	c.int(int64(n))
}

// options are what may follow a value (SET) or a key (GETEX).
type options struct {
	nx, xx, get, keep, persist bool
	when                       []byte // the argument of EX, PX, EXAT or PXAT
	unit                       int64  // milliseconds
	relative                   bool
}

// parse reads the options of SET, or of GETEX. It answers a syntax error itself.
func (o *options) parse(c *client, args [][]byte, isSet bool) bool {
	for i := 0; i < len(args); i++ {
		timed := o.when != nil
		switch arg := args[i]; {
		case isSet && is(arg, "nx") && !o.xx:
			o.nx = true
		case isSet && is(arg, "xx") && !o.nx:
			o.xx = true
		case isSet && is(arg, "get"):
			o.get = true
		case isSet && is(arg, "keepttl") && !timed:
			o.keep = true
		case !isSet && is(arg, "persist") && !timed:
			o.persist = true
		case i+1 < len(args) && !o.keep && !o.persist && o.time(arg, args[i+1]):
			i++
		default:
			c.fail(errSyntax)
			return false
		}
	}
	return true
}

// time takes EX, PX, EXAT or PXAT; one kind only.
func (o *options) time(kind, when []byte) bool {
	unit, relative := int64(0), false
	switch {
	case is(kind, "ex"):
		unit, relative = 1000, true
	case is(kind, "px"):
		unit, relative = 1, true
	case is(kind, "exat"):
		unit = 1000
	case is(kind, "pxat"):
		unit = 1
	}
	if unit == 0 || o.when != nil && (o.unit != unit || o.relative != relative) {
		return false
	}
	o.when, o.unit, o.relative = when, unit, relative
	return true
}

// due is the deadline that the options ask for; false means that an error was answered.
func (o *options) due(c *client, command string) (due int64, ok bool) {
	v, ok := parseInt(o.when)
	if !ok {
		c.fail(errNotInteger)
		return 0, false
	}
	if v <= 0 || v > math.MaxInt64/o.unit {
		c.fail(badExpire(command))
		return 0, false
	}
	v *= o.unit
	if o.relative {
		if v > math.MaxInt64-c.s.nowMS {
			c.fail(badExpire(command))
			return 0, false
		}
		v += c.s.nowMS
	}
	return v, true
}

func (o *options) apply(w *table.Write) {
	switch {
	case o.nx:
		w.If = table.IfAbsent
	case o.xx:
		w.If = table.IfPresent
	}
	if o.keep {
		w.Life = table.LifeKeep
	}
}

func badExpire(command string) string {
	return fmt.Sprintf("ERR invalid expire time in '%s' command", command)
}

func setCommand(c *client, argv [][]byte) {
	var o options
	if len(argv) > 3 && !o.parse(c, argv[3:], true) {
		return
	}
	w := table.Write{Value: argv[2], NeedBefore: o.get, Due: c.s.defaultDue()}
	if o.when != nil {
		var ok bool
		if w.Due, ok = o.due(c, "set"); !ok {
			return
		}
	}
	o.apply(&w)
	if c.fold != 0 {
		w.Due, w.Life = c.fold, table.LifeSet
	}
	res, err := c.put(argv[1], &w)
	if o.keep && res.Done && !res.Existed && w.Due != 0 && c.fold == 0 {
		_, err = c.expire(argv[1], w.Due, table.ExpireAlways) // a new key has none to keep
	}
	switch {
	case err != nil:
		c.failed(err)
	case o.get:
		c.answer(res.Before, res.Existed)
	case !res.Done:
		c.null()
	default:
		c.folded = c.fold != 0
		c.ok()
	}
}

func setexCommand(c *client, argv [][]byte)  { c.setFor(argv, "setex", 1000) }
func psetexCommand(c *client, argv [][]byte) { c.setFor(argv, "psetex", 1) }

func (c *client) setFor(argv [][]byte, command string, unit int64) {
	o := options{when: argv[2], unit: unit, relative: true}
	due, ok := o.due(c, command)
	if !ok {
		return
	}
	if c.fold != 0 {
		due = c.fold
	}
	if _, err := c.put(argv[1], &table.Write{Value: argv[3], Due: due}); err != nil {
		c.failed(err)
		return
	}
	c.folded = c.fold != 0
	c.ok()
}

func setnxCommand(c *client, argv [][]byte) {
	res, err := c.put(argv[1], &table.Write{Value: argv[2], Due: c.s.defaultDue(), If: table.IfAbsent})
	if err != nil {
		c.failed(err)
		return
	}
	c.bool(res.Done)
}

func getsetCommand(c *client, argv [][]byte) {
	res, err := c.put(argv[1], &table.Write{Value: argv[2], Due: c.s.defaultDue(), NeedBefore: true})
	if err != nil {
		c.failed(err)
		return
	}
	c.answer(res.Before, res.Existed)
}

func getexCommand(c *client, argv [][]byte) {
	var o options
	if !o.parse(c, argv[2:], false) {
		return
	}
	if _, ok := c.read(argv[1]); !ok {
		c.null()
		return
	}
	due, ok := int64(0), false
	if o.when != nil {
		if due, ok = o.due(c, "getex"); !ok {
			return
		}
	}
	before := len(c.out)
	if !c.s.cfg.Table.Look(c.s.wallMS, c.key(argv[1]), func(v table.View) { c.bulk(v.Value) }) {
		c.null() // it has gone meanwhile
		return
	}
	if o.when != nil || o.persist {
		if _, err := c.expire(argv[1], due, table.ExpireAlways); err != nil {
			c.out = c.out[:before]
			c.failed(err)
		}
	}
}

func getdelCommand(c *client, argv [][]byte) {
	res, err := c.destroy(argv[1])
	if err != nil {
		c.failed(err)
		return
	}
	c.answer(res.Before, res.Existed)
}

// msetCommand writes all keys or, where one is refused or there is no room for all, none.
func msetCommand(c *client, argv [][]byte) {
	if len(argv)%2 == 0 {
		c.fail(commands["mset"].arityError())
		return
	}
	if err := c.weighAll(argv[1:]); err != nil {
		c.failed(err)
		return
	}
	for i := 1; i < len(argv); i += 2 {
		if _, err := c.put(argv[i], &table.Write{Value: argv[i+1], Due: c.s.defaultDue(), Weighed: true}); err != nil {
			c.failed(err)
			return
		}
	}
	c.ok()
}

// weighAll says why keys and values in pairs cannot all be written. Only what another node does between this and the writes can
// refuse one of them still.
func (c *client) weighAll(pairs [][]byte) error {
	var room table.Room
	for i := 0; i+1 < len(pairs); i += 2 {
		k := c.key(pairs[i])
		w := table.Write{Value: pairs[i+1], Explicit: c.knowsMissing(k)}
		if err := c.s.cfg.Table.Weigh(c.s.wallMS, k, &w, &room); err != nil {
			return err
		}
	}
	return c.s.cfg.Table.Fits(&room)
}
