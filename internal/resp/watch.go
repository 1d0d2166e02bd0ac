package resp

import (
	"bytes"

	"github.com/sessioncast/sessioncast/internal/table"
)

// watched is a key that a transaction depends on, and what it was when WATCH saw it.
type watched struct {
	db   int
	key  []byte
	ok   bool
	view table.View
}

func watchCommand(c *client, argv [][]byte) {
	if c.multi.open {
		c.fail("ERR WATCH inside MULTI is not allowed")
		return
	}
	if len(c.watched)+len(argv)-1 > maxWatched {
		c.fail("ERR too many keys are watched")
		return
	}
	for _, key := range argv[1:] {
		if !c.watches(key) {
			v, ok := c.read(key)
			c.watched = append(c.watched, watched{db: c.db, key: bytes.Clone(key), ok: ok, view: v})
			c.watchedNames += len(key)
		}
	}
	c.ok()
}

func (c *client) watches(key []byte) bool {
	for i := range c.watched {
		if c.watched[i].db == c.db && bytes.Equal(c.watched[i].key, key) {
			return true
		}
	}
	return false
}

func unwatchCommand(c *client, _ [][]byte) {
	c.unwatch()
	c.ok()
}

func (c *client) unwatch() { c.watched, c.watchedNames = nil, 0 }

// watchedChanged reports whether any watched key is not what it was: its value, its birth or its deadline. Changes of other
// nodes count from when they are merged here.
func (c *client) watchedChanged() bool {
	db := c.db
	defer func() { c.db = db }()
	for i := range c.watched {
		w := &c.watched[i]
		c.db = w.db
		var v table.View
		ok := c.s.cfg.Table.Look(c.s.wallMS, c.key(w.key), func(x table.View) { v = x })
		if ok != w.ok || v.Version != w.view.Version || v.Birth != w.view.Birth || v.Due != w.view.Due {
			return true
		}
	}
	return false
}
