package resp

import (
	"math"

	"github.com/sessioncast/sessioncast/internal/fields"
	"github.com/sessioncast/sessioncast/internal/hlc"
	"github.com/sessioncast/sessioncast/internal/record"
	"github.com/sessioncast/sessioncast/internal/table"
)

// The SESSION commands are for stores that know what they mean: whether they create a session or change it, and which of its
// fields. Redis has none of them; what they write is read by GET as the JSON text that it is.

const (
	errGone      = "DESTROYED there is no such session: it was logged out, or has ended"
	errNoObject  = "ERR the session is not a JSON object"
	errLife      = "ERR a session's life is milliseconds to live, or 0 for no end"
	errSince     = "ERR a version is what SESSION GET, SET or PATCH answered, or empty"
	errFields    = "ERR SESSION PATCH key milliseconds since n field json … m field … [OWNER label]: the counts do not fit the arguments"
	errManyField = "ERR too many fields in one command"
)

func sessionCommands() []*command {
	const g = "session"
	key := func(name string, arity int, f flags, run func(*client, [][]byte), summary string) *command {
		return &command{name: "session|" + name, arity: arity, flags: f, first: 2, last: 2, step: 1, group: g, since: "7.2.0", run: run, summary: summary}
	}
	return []*command{
		key("get", 3, reading|witness, sessionGetCommand, "Get a session: its JSON text, milliseconds to live (-1: no end), owner, version, and milliseconds that it is shown for in any case"),
		key("set", -5, writing|blind, sessionSetCommand, "Create a session, or write all of it: key milliseconds json [OWNER label]; answers its version"),
		key("patch", -7, writing, sessionPatchCommand, "Write fields of a session that lives: key milliseconds since n field json … m field … [OWNER label]; answers its version, and the fields that others had changed since"),
		key("touch", 4, shortening, sessionTouchCommand, "Set a session's milliseconds to live (0: no end); 0 if there is none"),
		key("destroy", 3, shortening|ends, sessionDestroyCommand, "Log a session out, on all nodes"),
		noKey(g, "7.2.0", "session|watch", -2, connecting|keyed, sessionWatchCommand, "Be told what happens to the sessions of this database, or those whose keys begin so: [prefix]; RESP3 only"),
		noKey(g, "7.2.0", "session|unwatch", 2, connecting, sessionUnwatchCommand, "Be told no more"),
	}
}

func sessionGetCommand(c *client, argv [][]byte) {
	if !c.look(argv[2], func(v table.View) {
		ttl, promise := int64(-1), int64(-1)
		if v.Due != 0 {
			ttl, promise = max(v.Due-c.s.nowMS, 0), max(v.Promise-c.s.nowMS, 0)
		}
		c.array(5)
		c.bulk(v.Value)
		c.int(ttl)
		c.bulkString(v.Owner)
		c.bulkString(token(v.Version))
		c.int(promise)
	}) {
		c.null()
	}
}

// token is a version as clients keep it.
func token(v record.Version) string {
	var b [16]byte
	for i, at := len(b)-1, v.At; i >= 0; i, at = i-1, at>>4 {
		b[i] = "0123456789abcdef"[at&15]
	}
	return string(b[:])
}

func parseToken(arg []byte) (at hlc.Stamp, ok bool) {
	if len(arg) == 0 {
		return 0, true
	}
	if len(arg) != 16 {
		return 0, false
	}
	for _, ch := range arg {
		switch {
		case '0' <= ch && ch <= '9':
			at = at<<4 | hlc.Stamp(ch-'0')
		case 'a' <= ch && ch <= 'f':
			at = at<<4 | hlc.Stamp(ch-'a'+10)
		default:
			return 0, false
		}
	}
	return at, true
}

// life is the deadline that a number of milliseconds makes; 0 for none.
func (c *client) life(arg []byte) (due int64, ok bool) {
	ms, ok := parseInt(arg)
	if !ok || ms < 0 || ms > math.MaxInt64-c.s.nowMS {
		c.fail(errLife)
		return 0, false
	}
	if ms == 0 {
		return 0, true
	}
	return c.s.nowMS + ms, true
}

// owner reads [OWNER label], which comes last.
func (c *client) owner(args [][]byte) (label string, set, ok bool) {
	switch {
	case len(args) == 0:
		return "", false, true
	case len(args) == 2 && is(args[0], "owner"):
		return string(args[1]), true, true
	}
	c.fail(errSyntax)
	return "", false, false
}

// sessionSetCommand creates: so what it makes does not yield to a logout that is on its way, as an upsert's would.
func sessionSetCommand(c *client, argv [][]byte) {
	due, ok := c.life(argv[3])
	if !ok {
		return
	}
	owner, owned, ok := c.owner(argv[5:])
	if !ok {
		return
	}
	if _, err := fields.Split(argv[4]); err != nil {
		c.fail(errNoObject)
		return
	}
	w := table.Write{Value: argv[4], Due: due, Owner: owner, OwnerSet: owned, Explicit: true}
	for _, w.If = range []table.Condition{table.IfAbsent, table.IfPresent, table.Always} { // it may come or go in between
		res, err := c.put(argv[2], &w)
		if err != nil {
			c.failed(err)
			return
		}
		if res.Done {
			break
		}
	}
	at := ""
	c.s.cfg.Table.Look(c.s.wallMS, c.key(argv[2]), func(v table.View) { at = token(v.Version) })
	c.bulkString(at)
}

func sessionPatchCommand(c *client, argv [][]byte) {
	due, ok := c.life(argv[3])
	if !ok {
		return
	}
	w := table.Patch{Due: due}
	if w.Since, ok = parseToken(argv[4]); !ok {
		c.fail(errSince)
		return
	}
	if !c.patchFields(&w, argv[5:]) {
		return
	}
	res, err := c.s.cfg.Table.Patch(c.s.wallMS, c.key(argv[2]), &w)
	c.wrote(res.Seq)
	switch {
	case err != nil:
		c.failed(err)
	case !res.Done:
		c.s.count.destroyed.Add(1)
		c.fail(errGone)
	default:
		c.array(2)
		c.bulkString(token(res.Version))
		c.array(len(res.Conflicts))
		for _, name := range res.Conflicts {
			c.bulkString(name)
		}
	}
}

// patchFields reads n field json … m field … [OWNER label].
func (c *client) patchFields(w *table.Patch, args [][]byte) bool {
	n, rest, ok := counted(args, 2)
	if !ok {
		c.fail(errFields)
		return false
	}
	set := args[1 : 1+2*n]
	m, tail, ok := counted(rest, 1)
	if !ok {
		c.fail(errFields)
		return false
	}
	if n+m > record.MaxFields {
		c.fail(errManyField)
		return false
	}
	for i := 0; i < len(set); i += 2 {
		member := fields.Member{Name: string(set[i]), Value: set[i+1]}
		if err := member.Check(); err != nil {
			c.fail("ERR " + err.Error())
			return false
		}
		w.Set = append(w.Set, member)
	}
	for _, name := range rest[1 : 1+m] {
		if len(name) > record.MaxFieldName {
			c.fail("ERR " + (&fields.Member{Name: string(name)}).Check().Error())
			return false
		}
		w.Remove = append(w.Remove, string(name))
	}
	w.Owner, w.OwnerSet, ok = c.owner(tail)
	return ok
}

// counted reads a number and so many groups of arguments.
func counted(args [][]byte, group int) (n int, rest [][]byte, ok bool) {
	if len(args) == 0 {
		return 0, nil, false
	}
	v, ok := parseInt(args[0])
	if !ok || v < 0 || v > int64(len(args)) || 1+int(v)*group > len(args) {
		return 0, nil, false
	}
	return int(v), args[1+int(v)*group:], true
}

func sessionTouchCommand(c *client, argv [][]byte) {
	due, ok := c.life(argv[3])
	if !ok {
		return
	}
	res, err := c.expire(argv[2], due, table.ExpireAlways)
	if err != nil {
		c.failed(err)
		return
	}
	c.bool(res.Existed)
}

func sessionDestroyCommand(c *client, argv [][]byte) {
	res, err := c.destroy(argv[2])
	switch {
	case err != nil:
		c.failed(err)
	case !res.Done && c.s.cfg.Cluster.Holding() != HoldsAll: // as with DEL
		c.fail(c.notHere())
	default:
		c.bool(res.Existed)
	}
}
