package bridge

import (
	"errors"
	"net/netip"
	"time"
)

// receiveAnswer takes the sessions that an original holds and that are unknown here. What is known here may be later than its copy.
func (c *Core) receiveAnswer(now time.Time, from netip.AddrPort, m *Message) {
	h := c.hosts[from.Addr()]
	if h == nil || !h.asked {
		c.counters.DropHosts++ // nobody asked it
		return
	}
	for i := range m.Sessions {
		d := &m.Sessions[i]
		list, ok := c.admit(now, d)
		if !ok {
			continue
		}
		_, there, ends := c.store.Get(now, d.SID)
		if !there && ends {
			c.destroyAgain(d.SID)
			continue
		}
		c.learn(h, d.SID, list)
		if there {
			c.counters.Unchanged++
			continue
		}
		c.create(now, d, list)
	}
}

// receiveSession takes a session that an original wrote: as it creates it, and again each time that it saves it.
func (c *Core) receiveSession(now time.Time, from netip.AddrPort, m *Message) {
	d := m.Dataset
	list, ok := c.admit(now, d)
	if !ok {
		return
	}
	h := c.host(now, from.Addr())
	have, there, ends := c.store.Get(now, d.SID)
	switch {
	case !there && ends:
		c.bases.saved(d.SID)
		c.destroyAgain(d.SID)
		return
	case there:
		c.update(now, h, d, list, have)
	default:
		c.create(now, d, list)
	}
	c.learn(h, d.SID, list)
	c.bases.saved(d.SID)
}

// learn notes that h holds a session so, and that all have heard of it.
func (c *Core) learn(h *host, sid string, list []Field) {
	p := printOf(list)
	if h != nil {
		c.bases.put(sid, h.number, base{fields: p})
	}
	c.bases.tell(sid, p)
}

// destroyAgain: an original holds a session in several copies once it has saved it several times, and a logout ends one of them.
func (c *Core) destroyAgain(sid string) {
	c.counters.DropDestroyed++
	if c.tellEnd(sid) {
		c.counters.ToldBack++
	}
}

// admit checks a session of an original and takes apart what it holds, without what the original put there.
func (c *Core) admit(now time.Time, d *Dataset) (list []Field, ok bool) {
	switch {
	case !c.sessions.take(now, 1):
		c.counters.DropRate++
		return nil, false
	case len(d.SID) > c.cfg.MaxSID:
		c.counters.DropSID++
		return nil, false
	case d.SID == "":
		c.counters.DropSession++
		return nil, false
	case depth(d.Session) > MaxDepth:
		c.counters.DropDepth++
		return nil, false
	}
	list, err := fieldsOf(d.Session)
	if err != nil || checkCookie(find(list, "cookie")) != nil || find(list, "__proto__") != nil {
		c.counters.DropSession++
		return nil, false
	}
	return without(list, "save"), true
}

func (c *Core) create(now time.Time, d *Dataset, list []Field) {
	end := due(now, d.TTL, find(list, "cookie"))
	if !end.After(now) {
		c.counters.DropExpired++
		return
	}
	if c.put(now, d.SID, &Write{Value: objectOf(list), Due: end.UnixMilli()}) {
		c.counters.Taken++
	}
}

func (c *Core) put(now time.Time, sid string, w *Write) bool {
	if len(c.cfg.UserPath) > 0 {
		w.Owner, w.OwnerSet = ownerOf(w.Value, c.cfg.UserPath), true
	}
	err := c.store.Put(now, sid, w)
	switch {
	case errors.Is(err, ErrDestroyed):
		c.destroyAgain(sid)
	case err != nil:
		c.counters.DropRefused++
	}
	return err == nil
}

// update gives a session what an original changed since it was last seen to hold it; all of it where that is not known.
func (c *Core) update(now time.Time, h *host, d *Dataset, list []Field, have Stored) {
	cookie := Field{"cookie", find(list, "cookie")}
	end := due(now, d.TTL, cookie.Raw)
	if !end.After(now) {
		c.counters.DropExpired++
		return
	}
	u := update{sid: d.SID, list: list, end: end.UnixMilli(), due: have.Due}
	u.later = have.Due != 0 && u.end > have.Due
	mine, err := fieldsOf(have.Value)
	base, p := c.baseOf(d.SID, h), printOf(list)
	if err != nil || base == nil || p == nil {
		c.overwrite(now, &u, mine)
		return
	}
	diff := since(base, p, list)
	none := diff.none()
	switch {
	case none && !u.later:
		c.counters.Unchanged++
		return
	case u.later || find(diff.set, "cookie") != nil:
		diff.set = setField(diff.set, cookie)
	default: // the app did not change how long it lives
		u.end = u.due
	}
	w := &Write{Value: objectOf(diff.apply(mine)), Due: u.end, Patch: true, Set: diff.set, Remove: diff.gone(mine)}
	switch {
	case !c.put(now, u.sid, w):
	case none:
		c.counters.Extended++
	default:
		c.counters.Updated++
	}
}

// update is a session that is here and that an original wrote.
type update struct {
	sid      string
	list     []Field
	end, due int64 // by what it says, and by what is here; 0: none
	later    bool  // it moves the end
}

func (c *Core) overwrite(now time.Time, u *update, mine []Field) {
	if !u.later && sameFields(u.list, mine) {
		c.counters.Unchanged++
		return
	}
	if c.put(now, u.sid, &Write{Value: objectOf(u.list), Due: u.end}) {
		c.counters.Updated++
	}
}

// baseOf is what a node is known to hold of a session.
func (c *Core) baseOf(sid string, h *host) print {
	if h == nil {
		return c.bases.of(sid, everybody)
	}
	return c.bases.of(sid, h.number)
}

// sameFields compares all but the end of a cookie.
func sameFields(a, b []Field) bool {
	p, q := printOf(a), printOf(b)
	if p == nil || len(p) != len(q) {
		return false
	}
	for _, h := range p {
		if other, there := q.of(h.name); !there || other != h.value {
			return false
		}
	}
	return true
}

// receiveEnded ends a session that an original destroyed.
func (c *Core) receiveEnded(now time.Time, m *Message) {
	switch {
	case !c.sessions.take(now, 1):
		c.counters.DropRate++
	case m.SID == "":
		c.counters.DropSession++
	case len(m.SID) > c.cfg.MaxSID:
		c.counters.DropSID++
	default:
		if err := c.store.Destroy(now, m.SID); err != nil {
			c.counters.DropRefused++
			return
		}
		c.counters.Ended++
		c.bases.forget(m.SID)
		if c.bases.copies(m.SID) > 2 { // what they have ended once is there still, where it was saved more than once
			c.tellEnd(m.SID)
			c.counters.ToldBack++
		}
	}
}
