package bridge

import (
	"encoding/json"

	"github.com/cespare/xxhash/v2"
)

// An original that answers a request writes the whole session, as it knows it, which is as it first heard of it: with express-session's
// defaults every page view does so. Were that taken as it stands, each view would undo what was changed here meanwhile. So the bridge
// remembers, by hashes, what each original was last seen to hold, and takes what differs from that.

// print is a session's fields by the hashes of their names and values. A cookie's end does not count.
type print []hashed

type hashed struct{ name, value uint64 }

func (p print) of(name uint64) (value uint64, there bool) {
	for _, h := range p {
		if h.name == name {
			return h.value, true
		}
	}
	return 0, false
}

// printOf is nil where there are too many fields to be remembered.
func printOf(list []Field) print {
	if len(list) > MaxBaseFields {
		return nil
	}
	p := make(print, 0, len(list))
	for _, f := range list {
		raw := f.Raw
		if f.Name == "cookie" {
			if inner, err := fieldsOf(raw); err == nil {
				raw = objectOf(without(inner, "expires"))
			}
		}
		p = append(p, hashed{xxhash.Sum64String(f.Name), xxhash.Sum64(canonical(raw))})
	}
	return p
}

// canonical writes a value so that equal ones are equal, however they were written.
func canonical(raw json.RawMessage) []byte {
	var v any
	if json.Unmarshal(raw, &v) == nil {
		if text, err := json.Marshal(v); err == nil {
			return text
		}
	}
	return raw
}

// changes is what became of a session: the fields that were set, and the names of those that are gone.
type changes struct {
	set     []Field
	removed map[uint64]bool
}

func (c *changes) none() bool { return len(c.set) == 0 && len(c.removed) == 0 }

// since tells what differs between base and now.
func since(base, now print, list []Field) (c changes) {
	for _, f := range list {
		name := xxhash.Sum64String(f.Name)
		is, _ := now.of(name)
		if was, known := base.of(name); !known || was != is {
			c.set = append(c.set, f)
		}
	}
	for _, h := range base {
		if _, there := now.of(h.name); !there {
			if c.removed == nil {
				c.removed = map[uint64]bool{}
			}
			c.removed[h.name] = true
		}
	}
	return c
}

// apply gives list the changes.
func (c *changes) apply(list []Field) []Field {
	var out []Field
	for _, f := range list {
		if !c.removed[xxhash.Sum64String(f.Name)] {
			out = append(out, f)
		}
	}
	for _, f := range c.set {
		out = setField(out, f)
	}
	return out
}

// gone are the names of those of list that were removed.
func (c *changes) gone(list []Field) (names []string) {
	for _, f := range list {
		if c.removed[xxhash.Sum64String(f.Name)] {
			names = append(names, f.Name)
		}
	}
	return names
}

func setField(list []Field, f Field) []Field {
	for i := range list {
		if list[i].Name == f.Name {
			list[i].Raw = f.Raw
			return list
		}
	}
	return append(list, f)
}

// everybody stands for the originals that never spoke of a session: what they were told first is what they hold.
const everybody = 0

// baseKey is a session's copy at one original, by the number that its host was given.
type baseKey struct {
	sid  uint64
	host uint32
}

// base is a copy as it was last seen, or told.
type base struct {
	fields print // nil: too many to be remembered
	saves  uint8 // of everybody: how often originals have written the session, each time leaving a copy
	gone   bool  // of everybody: it was destroyed
}

// bases are the copies that are remembered; the oldest goes where there are too many. The zero value is ready to use.
type bases struct {
	known map[baseKey]base
	ring  []baseKey
	next  int
}

// put remembers what host holds of a session.
func (b *bases) put(sid string, host uint32, copied base) {
	if b.known == nil {
		b.known = map[baseKey]base{}
	}
	k := baseKey{xxhash.Sum64String(sid), host}
	_, again := b.known[k]
	b.known[k] = copied
	switch {
	case again: // its place in the ring stays
	case len(b.ring) < MaxBases:
		b.ring = append(b.ring, k)
	default:
		delete(b.known, b.ring[b.next])
		b.ring[b.next] = k
		b.next = (b.next + 1) % MaxBases
	}
}

// of is what host is known to hold: what it said or was given last, or what all were told first. nil: that is not known.
func (b *bases) of(sid string, host uint32) print {
	hash := xxhash.Sum64String(sid)
	if own, known := b.known[baseKey{hash, host}]; known {
		return own.fields
	}
	return b.known[baseKey{hash, everybody}].fields
}

func (b *bases) all(sid string) base { return b.known[baseKey{xxhash.Sum64String(sid), everybody}] }

// told says whether the originals have heard of a session.
func (b *bases) told(sid string) bool {
	all, known := b.known[baseKey{xxhash.Sum64String(sid), everybody}]
	return known && !all.gone
}

// tell notes what the originals were told, unless they knew the session: of what they hear later they take nothing.
func (b *bases) tell(sid string, p print) {
	if !b.told(sid) {
		all := b.all(sid)
		all.fields, all.gone = p, false
		b.put(sid, everybody, all)
	}
}

// saved counts a copy that an original made by saving the session.
func (b *bases) saved(sid string) {
	all, known := b.known[baseKey{xxhash.Sum64String(sid), everybody}]
	all.gone = all.gone || !known
	all.saves = min(all.saves, maxCopies-1) + 1
	b.put(sid, everybody, all)
}

// forget is for sessions that are destroyed: should one of that name ever be made again, the originals are told.
func (b *bases) forget(sid string) {
	if all := b.all(sid); b.told(sid) {
		all.gone, all.fields = true, nil
		b.put(sid, everybody, all)
	}
}

// maxCopies bounds how often a destroy is told, so that no copy stays.
const maxCopies = 16

// copies is how many of a session an original may hold, at most.
func (b *bases) copies(sid string) int { return min(int(b.all(sid).saves)+1, maxCopies) }
