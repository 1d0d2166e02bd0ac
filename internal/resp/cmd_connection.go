package resp

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"strings"
)

const (
	databases   = 16
	defaultUser = "default"
	// redisVersion is the Redis whose behaviour is followed; clients choose by it what they ask.
	redisVersion = "7.0.15"

	errWrongPass = "WRONGPASS invalid username-password pair or user is disabled."
	errNoPass    = "ERR AUTH <password> called without any password configured for the default user. " +
		"Are you sure your configuration is correct?"
	errHelloAuth = "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO AUTH <user> <pass> " +
		"option can be used to authenticate the client and select the RESP protocol version at the same time"
	errName = "ERR Client names cannot contain spaces, newlines or special characters."
)

func is(arg []byte, word string) bool {
	return len(arg) == len(word) && strings.EqualFold(string(arg), word)
}

func pingCommand(c *client, argv [][]byte) {
	switch len(argv) {
	case 1:
		c.raw("+PONG\r\n")
	case 2:
		c.bulk(argv[1])
	default:
		c.fail(commands["ping"].arityError())
	}
}

func echoCommand(c *client, argv [][]byte) { c.bulk(argv[1]) }

func selectCommand(c *client, argv [][]byte) {
	db, ok := parseInt(argv[1])
	switch {
	case !ok:
		c.fail("ERR value is not an integer or out of range")
	case db < 0 || db >= databases:
		c.fail("ERR DB index is out of range")
	default:
		c.db = int(db)
		c.ok()
	}
}

func quitCommand(c *client, _ [][]byte) {
	c.ok()
	c.closing = true
}

func resetCommand(c *client, _ [][]byte) {
	c.endMulti()
	c.untrack()
	c.unwatchSessions()
	c.db, c.name, c.resp3, c.ack = 0, "", false, byPolicy
	c.authed = c.s.cfg.Password == ""
	c.parser.noAuth = !c.authed
	c.simple("RESET")
}

// httpCommand ends what a web page made a browser send.
func httpCommand(c *client, _ [][]byte) {
	c.s.count.closedHTTP.Add(1)
	c.out, c.sent = c.out[:0], 0
	c.closing = true
}

func authCommand(c *client, argv [][]byte) {
	switch {
	case len(argv) > 3:
		c.fail(errSyntax)
	case len(argv) == 2 && c.s.cfg.Password == "":
		c.fail(errNoPass)
	case len(argv) == 2:
		c.answerAuth([]byte(defaultUser), argv[1])
	default:
		c.answerAuth(argv[1], argv[2])
	}
}

func (c *client) answerAuth(user, password []byte) {
	if !c.authenticate(user, password) {
		c.fail(errWrongPass)
		return
	}
	c.ok()
}

// authenticate takes as long for a wrong name or password as for the right ones. A server without a password takes any, as Redis's
// default user does.
func (c *client) authenticate(user, password []byte) bool {
	cfg := &c.s.cfg
	right := same(user, cfg.Username)
	if cfg.Username != defaultUser {
		right |= same(user, defaultUser) // AUTH with a password alone
	}
	if cfg.Password != "" {
		right &= same(password, cfg.Password)
	}
	if right != 1 {
		c.s.count.authFailures.Add(1)
		return false
	}
	c.authed = true
	c.parser.noAuth = false
	return true
}

func same(given []byte, want string) int {
	a, b := sha256.Sum256(given), sha256.Sum256([]byte(want))
	return subtle.ConstantTimeCompare(a[:], b[:])
}

// hello is what HELLO asks for.
type hello struct {
	resp3      bool
	auth       bool
	user, pass []byte
	name       []byte
	named      bool
}

func helloCommand(c *client, argv [][]byte) {
	h := hello{resp3: c.resp3}
	if err := h.parse(argv); err != "" {
		c.fail(err)
		return
	}
	if h.auth && !c.authenticate(h.user, h.pass) {
		c.fail(errWrongPass)
		return
	}
	if !c.authed {
		c.fail(errHelloAuth)
		return
	}
	if h.named && !validName(h.name) {
		c.fail(errName)
		return
	}
	if h.named {
		c.name = string(h.name)
	}
	if c.resp3 && !h.resp3 {
		c.untrack() // RESP2 has no messages to tell by
		c.unwatchSessions()
	}
	c.resp3 = h.resp3
	c.greet()
}

func (h *hello) parse(argv [][]byte) (err string) {
	if len(argv) == 1 {
		return ""
	}
	v, ok := parseInt(argv[1])
	switch {
	case !ok:
		return "ERR Protocol version is not an integer or out of range"
	case v < 2 || v > 3:
		return "NOPROTO unsupported protocol version"
	}
	h.resp3 = v == 3
	for i := 2; i < len(argv); i++ {
		more := len(argv) - 1 - i
		switch {
		case is(argv[i], "auth") && more >= 2:
			h.auth, h.user, h.pass = true, argv[i+1], argv[i+2]
			i += 2
		case is(argv[i], "setname") && more >= 1:
			h.named, h.name = true, argv[i+1]
			i++
		default:
			return fmt.Sprintf("ERR Syntax error in HELLO option '%s'", shown(argv[i], shownBytes))
		}
	}
	return ""
}

func (c *client) greet() {
	c.mapOf(7)
	c.bulkString("server")
	c.bulkString("redis")
	c.bulkString("version")
	c.bulkString(redisVersion)
	c.bulkString("proto")
	c.int(c.proto())
	c.bulkString("id")
	c.int(int64(c.id))
	c.bulkString("mode")
	c.bulkString("standalone")
	c.bulkString("role")
	c.bulkString("master")
	c.bulkString("modules")
	c.array(0)
}

func (r *replies) proto() int64 {
	if r.resp3 {
		return 3
	}
	return 2
}

// validName is Redis's rule: printable, no spaces.
func validName(b []byte) bool {
	return len(b) <= maxName && bytes.IndexFunc(b, func(r rune) bool { return r < '!' || r > '~' }) < 0
}

// containerCommand answers a command that is nothing without a subcommand; its arity lets nothing reach it.
func containerCommand(c *client, argv [][]byte) { c.fail(errSyntax) }

func (c *client) help(cmd *command) {
	c.array(1 + 2*len(cmd.order))
	c.simple(strings.ToUpper(cmd.name) + " <subcommand> [<arg> [value] [opt] ...]. Subcommands are:")
	for _, sub := range cmd.order {
		c.simple(strings.ToUpper(baseName(sub.name)))
		c.simple("    " + sub.summary)
	}
}
