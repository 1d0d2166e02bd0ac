package resp

// visible are the commands that COMMAND tells of.
func visible() (all []*command) {
	for _, cmd := range commandOrder {
		if cmd.group != "" {
			all = append(all, cmd)
		}
	}
	return all
}

func commandCommand(c *client, _ [][]byte) {
	all := visible()
	c.array(len(all))
	for _, cmd := range all {
		c.commandInfo(cmd)
	}
}

func commandCountCommand(c *client, _ [][]byte) { c.int(int64(len(visible()))) }

func commandListCommand(c *client, argv [][]byte) {
	all := visible()
	switch {
	case len(argv) == 2:
	case len(argv) == 5 && is(argv[2], "filterby") && is(argv[3], "pattern"):
		kept := all[:0]
		for _, cmd := range all {
			if match(argv[4], []byte(cmd.name)) {
				kept = append(kept, cmd)
			}
		}
		all = kept
	default:
		c.fail(errSyntax)
		return
	}
	c.array(len(all))
	for _, cmd := range all {
		c.bulkString(cmd.name)
	}
}

func commandInfoCommand(c *client, argv [][]byte) {
	if len(argv) == 2 {
		commandCommand(c, argv)
		return
	}
	c.array(len(argv) - 2)
	for _, arg := range argv[2:] {
		if cmd := named(arg); cmd != nil {
			c.commandInfo(cmd)
		} else {
			c.null()
		}
	}
}

// named finds "get" as well as "client|id".
func named(name []byte) *command {
	for i, ch := range name {
		if ch == '|' {
			parent := lookup(commands, name[:i])
			if parent == nil || parent.sub == nil {
				return nil
			}
			return lookup(parent.sub, name[i+1:])
		}
	}
	if cmd := lookup(commands, name); cmd != nil && cmd.group != "" {
		return cmd
	}
	return nil
}

func (c *client) commandInfo(cmd *command) {
	c.array(10)
	c.bulkString(cmd.name)
	c.int(int64(cmd.arity))
	c.words(cmd.flagNames())
	c.int(int64(cmd.first))
	c.int(int64(cmd.last))
	c.int(int64(cmd.step))
	c.words(cmd.categories())
	c.setOf(0) // tips
	c.setOf(0) // key specifications
	c.array(len(cmd.order))
	for _, sub := range cmd.order {
		c.commandInfo(sub)
	}
}

func (c *client) words(words []string) {
	c.setOf(len(words))
	for _, w := range words {
		c.simple(w)
	}
}

func commandDocsCommand(c *client, argv [][]byte) {
	found := visible()
	if len(argv) > 2 {
		found = nil
		for _, arg := range argv[2:] {
			if cmd := named(arg); cmd != nil {
				found = append(found, cmd)
			}
		}
	}
	c.commandDocs(found)
}

func (c *client) commandDocs(list []*command) {
	c.mapOf(len(list))
	for _, cmd := range list {
		c.bulkString(cmd.name)
		fields := 3
		if len(cmd.order) > 0 {
			fields++
		}
		c.mapOf(fields)
		c.bulkString("summary")
		c.bulkString(cmd.summary)
		c.bulkString("since")
		c.bulkString(cmd.since)
		c.bulkString("group")
		c.bulkString(cmd.group)
		if len(cmd.order) > 0 {
			c.bulkString("subcommands")
			c.commandDocs(cmd.order)
		}
	}
}

func commandGetkeysCommand(c *client, argv [][]byte) {
	cmd := lookup(commands, argv[2])
	switch {
	case cmd == nil:
		c.fail("ERR Invalid command specified")
		return
	case cmd.first == 0:
		c.fail("ERR The command has no key arguments")
		return
	case !cmd.takes(len(argv) - 2):
		c.fail("ERR Invalid number of arguments specified for command")
		return
	}
	keys := cmd.keysOf(argv[2:])
	c.array(len(keys))
	for _, key := range keys {
		c.bulk(key)
	}
}
