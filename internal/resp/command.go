package resp

import (
	"fmt"
	"slices"
)

// command is one entry of the command table, which is made at start and never changes.
type command struct {
	name  string // lower case; "client|id" for a subcommand
	arity int    // arguments with the name; negative: at least so many
	flags flags
	// Where the keys are, as COMMAND INFO tells: first, last (negative: counted from the end) and step.
	first, last, step int
	group, since      string
	summary           string
	run               func(c *client, argv [][]byte)
	sub               map[string]*command
	order             []*command // sub, as listed
}

type flags uint32

const (
	writes   flags = 1 << iota
	reads          // reads keys
	denyOOM        // may need memory
	fast           // constant time
	noAuth         // allowed before AUTH
	loading        // allowed while joining, as Redis while loading
	noMulti        // not allowed in a transaction
	unqueued       // carried out at once even in a transaction
	noScript
	stale
	blocking
	dangerous
	keyed   // needs the sessions: refused while joining
	ends    // destroys, whatever this node holds
	blind   // tells nothing of what is there, or of this node only: carried out where a part of the sessions is
	witness // shows the client that a key is gone, which lifts the logout hold for it
)

var flagNames = []struct {
	flag flags
	name string
}{
	{writes, "write"}, {reads, "readonly"}, {denyOOM, "denyoom"}, {noScript, "noscript"}, {loading, "loading"},
	{stale, "stale"}, {fast, "fast"}, {noAuth, "no_auth"}, {noMulti, "no_multi"}, {blocking, "blocking"},
}

const longestName = 32

// commands is the command table. It refers to functions that refer to it, hence the init.
var (
	commands     map[string]*command
	commandOrder []*command
)

func init() { commands, commandOrder = makeTable(commandList()) }

func makeTable(list []*command) (map[string]*command, []*command) {
	m := make(map[string]*command, len(list))
	for _, cmd := range list {
		if len(cmd.order) > 0 {
			cmd.sub, cmd.order = makeTable(append(cmd.order, helpFor(cmd)))
		}
		m[baseName(cmd.name)] = cmd
	}
	return m, list
}

// baseName is a subcommand's own name.
func baseName(name string) string {
	for i := range name {
		if name[i] == '|' {
			return name[i+1:]
		}
	}
	return name
}

// lookup finds a command by its name in any case, without allocating.
func lookup(m map[string]*command, name []byte) *command {
	if len(name) > longestName {
		return nil
	}
	var lower [longestName]byte
	for i, ch := range name {
		if 'A' <= ch && ch <= 'Z' {
			ch |= 0x20
		}
		lower[i] = ch
	}
	return m[string(lower[:len(name)])]
}

func (cmd *command) takes(args int) bool {
	return args == cmd.arity || cmd.arity < 0 && args >= -cmd.arity
}

func (cmd *command) arityError() string {
	return fmt.Sprintf("ERR wrong number of arguments for '%s' command", cmd.name)
}

// keysOf are the keys among argv.
func (cmd *command) keysOf(argv [][]byte) (keys [][]byte) {
	if cmd.first == 0 || !cmd.takes(len(argv)) {
		return nil
	}
	last := cmd.last
	if last < 0 {
		last += len(argv)
	}
	for i := cmd.first; i <= last && i < len(argv); i += cmd.step {
		keys = append(keys, argv[i])
	}
	return keys
}

func (cmd *command) flagNames() (names []string) {
	for _, f := range flagNames {
		if cmd.flags&f.flag != 0 {
			names = append(names, f.name)
		}
	}
	return names
}

// categories are the command's ACL categories, which Redis derives from its flags.
func (cmd *command) categories() (names []string) {
	if cmd.first > 0 || cmd.group == "generic" {
		names = append(names, "@keyspace")
	}
	for _, f := range []struct {
		is   bool
		name string
	}{
		{cmd.flags&reads != 0, "@read"},
		{cmd.flags&writes != 0, "@write"},
		{cmd.group == "string", "@string"},
		{cmd.group == "connection", "@connection"},
		{cmd.group == "transactions", "@transaction"},
		{cmd.flags&blocking != 0, "@blocking"},
		{cmd.flags&dangerous != 0, "@dangerous"},
		{cmd.flags&fast != 0, "@fast"},
		{cmd.flags&fast == 0, "@slow"},
	} {
		if f.is {
			names = append(names, f.name)
		}
	}
	return slices.Compact(names)
}

func helpFor(parent *command) *command {
	name := parent.name
	return &command{
		name: name + "|help", arity: 2, flags: loading | stale, group: parent.group, since: "5.0.0",
		summary: "Show helpful text about the different subcommands",
		run:     func(c *client, _ [][]byte) { c.help(commands[name]) },
	}
}
