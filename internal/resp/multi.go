package resp

const (
	errExecAbort  = "EXECABORT Transaction discarded because of previous errors."
	errQueueLimit = "ERR too much is queued in this transaction"
)

// transaction is what a client queued since MULTI.
type transaction struct {
	open    bool
	spoiled bool // an error while queueing: EXEC will refuse
	running bool // EXEC is carrying it out
	queue   []queued
	args    []span // of data
	data    []byte
}

type queued struct {
	cmd      *command
	from, to int // of args
}

func (c *client) enqueue(cmd *command, argv [][]byte) {
	t := &c.multi
	size := 0
	for _, a := range argv {
		size += len(a)
	}
	if cmd.flags&noMulti != 0 {
		c.reject("ERR Command not allowed inside a transaction")
		return
	}
	if len(t.queue) >= maxQueued || len(t.args)+len(argv) > 2*maxQueued || len(t.data)+size > max(maxQueuedBytes, c.s.cfg.MaxValue+maxCommandOverhead) {
		c.reject(errQueueLimit)
		return
	}
	if !t.spoiled {
		t.add(cmd, argv)
	}
	c.raw("+QUEUED\r\n")
}

func (t *transaction) add(cmd *command, argv [][]byte) {
	q := queued{cmd: cmd, from: len(t.args)}
	for _, a := range argv {
		start := len(t.data)
		t.data = append(t.data, a...)
		t.args = append(t.args, span{start, len(t.data)})
	}
	q.to = len(t.args)
	t.queue = append(t.queue, q)
}

// argv appends the i-th command's arguments.
func (t *transaction) argv(dst [][]byte, i int) [][]byte {
	for _, s := range t.args[t.queue[i].from:t.queue[i].to] {
		dst = append(dst, t.data[s.from:s.to:s.to])
	}
	return dst
}

func multiCommand(c *client, _ [][]byte) {
	if c.multi.open {
		c.fail("ERR MULTI calls can not be nested")
		return
	}
	c.multi.open = true
	c.ok()
}

func discardCommand(c *client, _ [][]byte) {
	if !c.multi.open {
		c.fail("ERR DISCARD without MULTI")
		return
	}
	c.endMulti()
	c.ok()
}

func (c *client) endMulti() {
	c.multi = transaction{}
	c.unwatch()
}

func execCommand(c *client, _ [][]byte) {
	if !c.multi.open {
		c.fail("ERR EXEC without MULTI")
		return
	}
	t := c.multi
	changed := c.watchedChanged()
	c.endMulti()
	switch {
	case t.spoiled:
		c.fail(errExecAbort)
	case changed:
		c.nullArray()
	default:
		c.carryOut(&t)
	}
}

// carryOut runs a transaction. Nothing of other connections comes between, because commands run one after another.
func (c *client) carryOut(t *transaction) {
	c.multi.running = true
	defer func() { c.multi.running = false }()
	c.array(len(t.queue))
	var argv, next [][]byte
	for i := 0; i < len(t.queue) && !c.overflowing(); i++ {
		argv = t.argv(argv[:0], i)
		if i+1 < len(t.queue) {
			next = t.argv(next[:0], i+1)
			if c.setAndExpire(t.queue[i].cmd, argv, t.queue[i+1].cmd, next) {
				i++
				continue
			}
		}
		c.current = t.queue[i].cmd
		c.current.run(c, argv)
		c.s.count.commands.Add(1)
	}
}
