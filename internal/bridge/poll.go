package bridge

import (
	"time"
	"unicode/utf8"
)

// validSID tells whether an original can be given the id as it stands.
func validSID(sid string) bool { return sid != "" && utf8.ValidString(sid) }

// Poll gives what is to be sent now, and says when to ask again though nothing happens; the zero time: never.
func (c *Core) Poll(now time.Time) (out []Datagram, next time.Time) {
	c.helloAgain(now)
	out, c.soon = append(out, c.soon...), nil
	out = c.tellSessions(now, out)
	out = c.giveAll(now, out)
	out = c.fillBack(now, out)
	c.counters.DatagramsOut += uint64(len(out))
	return out, c.deadline(now)
}

func (c *Core) helloAgain(now time.Time) {
	if c.hellosLeft == 0 || now.Before(c.nextHello) {
		return
	}
	if c.hellosLeft--; c.greeted {
		c.hellosLeft = 0
		return
	}
	c.soon = append(c.soon, Datagram{Data: hello(c.cfg.Self)})
	c.nextHello = now.Add(helloAgain)
}

// tellSessions tells all what waits, as fast as originals take it.
func (c *Core) tellSessions(now time.Time, out []Datagram) []Datagram {
	for len(c.queue) > 0 && c.tells.take(now, 1) {
		t := &c.queue[0]
		if t.ends > 1 {
			t.ends--
			out = append(out, Datagram{Data: ended(t.sid)})
			continue
		}
		c.queue = c.queue[1:]
		if t.ends > 0 {
			c.counters.ToldEnds++
			out = append(out, Datagram{Data: ended(t.sid)})
			continue
		}
		s, there, _ := c.store.Get(now, t.sid)
		if !there || c.bases.told(t.sid) {
			continue
		}
		if d := c.createdNow(s); d != nil {
			out = append(out, Datagram{Data: d})
		}
	}
	if len(c.queue) == 0 {
		c.queue = nil // lets go of what the burst took
	}
	return out
}

func (c *Core) giveAll(now time.Time, out []Datagram) []Datagram {
	left := c.givings[:0]
	for _, g := range c.givings {
		if now.Before(g.next) {
			left = append(left, g)
			continue
		}
		d := c.step(now, g)
		if d == nil {
			continue
		}
		c.counters.Answered++
		out = append(out, Datagram{To: g.to, Data: d})
		left = append(left, g)
	}
	clear(c.givings[len(left):])
	c.givings = left
	return out
}

func (c *Core) fillBack(now time.Time, out []Datagram) []Datagram {
	if c.backfill == nil || now.Before(c.backfill.next) {
		return out
	}
	d, more := c.stepBackfill(now)
	switch {
	case more:
		if d != nil {
			out = append(out, Datagram{Data: d})
		}
		c.backfill.next = now.Add(backfillStep + time.Duration(c.backfill.told)*searchTime)
	case c.backfill.again:
		c.backfill = &backfill{next: now.Add(backfillStep)}
	default:
		c.backfill = nil
	}
	return out
}

func (c *Core) deadline(now time.Time) (next time.Time) {
	earlier := func(t time.Time) {
		if next.IsZero() || t.Before(next) {
			next = t
		}
	}
	if c.hellosLeft > 0 {
		earlier(c.nextHello)
	}
	if len(c.soon) > 0 {
		earlier(now)
	}
	if len(c.queue) > 0 {
		earlier(now.Add(c.tells.wait()))
	}
	for _, g := range c.givings {
		earlier(g.next)
	}
	if c.backfill != nil {
		earlier(c.backfill.next)
	}
	return next
}
