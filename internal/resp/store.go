package resp

import (
	"errors"
	"unsafe"

	"github.com/sessioncast/sessioncast/internal/record"
	"github.com/sessioncast/sessioncast/internal/table"
)

const (
	errDestroyed = "DESTROYED session was destroyed a moment ago; a connection that has read it as missing may create it anew (see --logout-hold)"
	errFull      = "OOM command not allowed when used memory > 'maxmemory'."
	errKeyTooBig = "ERR a key is longer than 512 bytes"
	errLeaving   = "READONLY this node is leaving its cluster and takes no writes"
)

// key is the table's name for an argument. It lies over the read buffer, and the table copies what it keeps.
func (c *client) key(arg []byte) record.Key {
	return record.Key{DB: uint8(c.db), Name: unsafe.String(unsafe.SliceData(arg), len(arg))}
}

// look shows what is under a key to see, as Table.Look does.
func (c *client) look(arg []byte, see func(table.View)) (ok bool) {
	k := c.key(arg)
	if c.track.on && c.current.flags&reads != 0 {
		c.follow(k)
	}
	if ok = c.s.cfg.Table.Look(c.s.wallMS, k, see); ok {
		c.s.count.hits.Add(1)
	} else {
		c.s.count.misses.Add(1)
		if c.current.flags&witness != 0 {
			c.sawMissing(k)
		}
	}
	return ok
}

// read looks a key up for who does not need its value.
func (c *client) read(arg []byte) (v table.View, ok bool) {
	ok = c.look(arg, func(x table.View) { v = x })
	v.Value, v.Owner = nil, ""
	return v, ok
}

// put writes a key. Refused by the logout hold, it is tried again as a creation where this connection has seen that the key
// is gone: who has seen it gone means to create it.
func (c *client) put(arg []byte, w *table.Write) (table.Result, error) {
	k := c.key(arg)
	res, err := c.s.cfg.Table.Put(c.s.wallMS, k, w)
	if err == table.ErrDestroyed && c.knowsMissing(k) {
		w.Explicit = true
		res, err = c.s.cfg.Table.Put(c.s.wallMS, k, w)
	}
	c.wrote(res.Seq)
	return res, err
}

// destroy ends a session as a logout does.
func (c *client) destroy(arg []byte) (table.Result, error) {
	res, err := c.s.cfg.Table.Destroy(c.s.wallMS, c.key(arg), true)
	c.wrote(res.Seq)
	return res, err
}

func (c *client) expire(arg []byte, due int64, cond table.ExpireCond) (table.Result, error) {
	res, err := c.s.cfg.Table.Expire(c.s.wallMS, c.key(arg), due, cond)
	c.wrote(res.Seq)
	return res, err
}

// wrote notes a command's last dot; 0: it made none.
func (c *client) wrote(seq uint64) {
	if seq > c.seq {
		c.seq = seq
		c.writes++
	}
}

// counted returns how many writes nobody waited for yet, which somebody does now.
func (c *client) counted() int {
	n := c.writes
	c.writes = 0
	return n
}

// failed answers a refusal of the table.
func (c *client) failed(err error) {
	switch {
	case errors.Is(err, table.ErrDestroyed):
		c.s.count.destroyed.Add(1)
		c.fail(errDestroyed)
	case errors.Is(err, table.ErrFull):
		c.s.count.full.Add(1)
		c.fail(errFull)
	case errors.Is(err, table.ErrTooLarge):
		c.fail(c.s.tooBigError(c.s.cfg.MaxValue + 1))
	case errors.Is(err, table.ErrKeyTooLong):
		c.fail(errKeyTooBig)
	case errors.Is(err, table.ErrClock):
		c.fail("CLOCK " + err.Error())
	case errors.Is(err, table.ErrClosed):
		c.fail(errLeaving)
	default:
		c.fail("ERR " + err.Error())
	}
}

// defaultDue is the deadline of what is written without one.
func (s *Server) defaultDue() int64 {
	if s.cfg.SessionTTL == 0 {
		return 0
	}
	return s.nowMS + s.cfg.SessionTTL.Milliseconds()
}
