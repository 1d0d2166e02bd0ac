package bridge

import (
	"net/netip"
	"slices"
	"time"
)

// EventKind is what happened to a session of the cluster, on another node than the bridge.
type EventKind uint8

// The kinds of event. Of one that was lost the bridge is told by Lost.
const (
	Created EventKind = iota + 1
	Changed
	Destroyed
	Expired
)

// Happened tells of a session of the cluster. What the bridge does itself must not come back by this.
func (c *Core) Happened(kind EventKind, sid string) {
	if !validSID(sid) || len(sid) > c.cfg.MaxSID {
		return
	}
	switch kind {
	case Created:
		c.tell(tale{sid: sid})
	case Changed:
		if c.bases.told(sid) {
			c.counters.NotUpdated++
			return
		}
		c.tell(tale{sid: sid}) // it may have been too large, or none for originals
	case Destroyed:
		c.bases.forget(sid)
		c.tellEnd(sid)
	case Expired:
		c.counters.NotExpired++
	}
}

// Lost says that events were lost: what originals may not know is looked for.
func (c *Core) Lost(now time.Time) {
	if c.backfill == nil {
		c.backfill = &backfill{next: now}
		return
	}
	c.backfill.again = true
}

// tellEnd tells that a session is destroyed, once for each copy that an original may hold of it: a destroy ends one.
func (c *Core) tellEnd(sid string) bool { return c.tell(tale{sid, c.bases.copies(sid)}) }

func (c *Core) tell(t tale) bool {
	if len(c.queue) >= MaxQueue {
		c.counters.QueueFull++
		return false
	}
	c.queue = append(c.queue, t)
	return true
}

// giving is a node that is given all sessions, in answers.
type giving struct {
	to      netip.AddrPort
	host    uint32
	next    time.Time
	cursor  uint64
	waiting []Stored // scanned and not sent yet
	scanned bool     // to the end
	given   int
}

// give answers a question.
func (c *Core) give(now time.Time, to netip.AddrPort) {
	if g := c.givingTo(to.Addr()); g != nil { // it was to be given them unasked
		if g.cursor == 0 && !g.scanned && g.next.After(now) {
			g.to, g.next = to, now
		}
		return
	}
	c.addGiving(now, to, now)
}

// giveLater gives the sessions to a newcomer that does not ask here. What an earlier run of it was being given is over.
func (c *Core) giveLater(now time.Time, to netip.AddrPort, h *host) {
	c.givings = slices.DeleteFunc(c.givings, func(g *giving) bool { return g.to.Addr() == to.Addr() })
	h.given = time.Time{}
	c.addGiving(now, to, now.Add(unaskedAfter))
}

func (c *Core) givingTo(a netip.Addr) *giving {
	for _, g := range c.givings {
		if g.to.Addr() == a {
			return g
		}
	}
	return nil
}

func (c *Core) addGiving(now time.Time, to netip.AddrPort, start time.Time) {
	h := c.host(now, to.Addr())
	if h == nil || len(c.givings) >= MaxGivings || !h.given.IsZero() && now.Sub(h.given) < giveAgain {
		c.counters.DropHosts++
		return
	}
	h.given = now
	c.givings = append(c.givings, &giving{to: to, host: h.number, next: start})
}

// step makes the next answer, and says when the one after it may follow; nil where there is nothing more to give.
func (c *Core) step(now time.Time, g *giving) []byte {
	a := c.nextAnswer(now, g)
	if a.count == 0 {
		return nil
	}
	g.given += a.count
	g.next = now.Add(time.Duration(a.count) * (givingStep + time.Duration(g.given)*searchTime))
	return a.bytes()
}

func (c *Core) nextAnswer(now time.Time, g *giving) (a answer) {
	for {
		for len(g.waiting) > 0 {
			s := g.waiting[0]
			if c.givable(s.SID, s.Value, len(answerHead)+len(answerTail)) {
				if !a.add(s.SID, s.Value) {
					return a
				}
				c.note(g.host, s)
			}
			g.waiting = g.waiting[1:]
		}
		if g.scanned {
			return a
		}
		g.waiting = g.waiting[:0]
		g.cursor = c.store.Scan(now, g.cursor, func(s Stored) { g.waiting = append(g.waiting, s) })
		g.scanned = g.cursor == 0
	}
}

// note remembers that a node was given a session, or that everybody was told of it. What one was given the others may not have heard of.
func (c *Core) note(host uint32, s Stored) {
	list, err := fieldsOf(s.Value)
	switch p := printOf(list); {
	case err != nil:
	case host == everybody:
		c.bases.tell(s.SID, p)
	default:
		c.bases.put(s.SID, host, base{fields: p})
	}
}

// datasetAround is the most that stands around a session's value besides its id.
const datasetAround = 128

// givable tells whether originals can be told of a session, and counts why not.
func (c *Core) givable(sid string, value []byte, around int) bool {
	switch {
	case !validSID(sid) || len(sid) > c.cfg.MaxSID || Fits(value) != nil:
		c.counters.Unfit++
		return false
	case len(value)+len(appendString(nil, sid))+around+datasetAround > MaxDatagram:
		c.counters.TooLarge++
		return false
	}
	return true
}

// backfill looks for sessions that originals may not have heard of.
type backfill struct {
	next    time.Time
	cursor  uint64
	waiting []Stored
	scanned bool
	again   bool // something was lost meanwhile
	told    int
}

// backfillEffort is how many sessions are looked at in one step.
const backfillEffort = 4096

// stepBackfill tells all of one session that they may lack, and reports whether there may be more.
func (c *Core) stepBackfill(now time.Time) (d []byte, more bool) {
	b := c.backfill
	for looked := 0; ; {
		for len(b.waiting) > 0 {
			if looked++; looked > backfillEffort {
				return nil, true
			}
			s := b.waiting[0]
			b.waiting = b.waiting[1:]
			if c.bases.told(s.SID) {
				continue
			}
			if d := c.createdNow(s); d != nil {
				b.told++
				return d, true
			}
		}
		if b.scanned {
			return nil, false
		}
		b.waiting = b.waiting[:0]
		b.cursor = c.store.Scan(now, b.cursor, func(s Stored) { b.waiting = append(b.waiting, s) })
		b.scanned = b.cursor == 0
	}
}

func (c *Core) createdNow(s Stored) []byte {
	if !c.givable(s.SID, s.Value, 0) {
		return nil
	}
	c.note(everybody, s)
	c.counters.Told++
	return created(s.SID, s.Value)
}
