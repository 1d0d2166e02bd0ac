package resp

import (
	"github.com/cespare/xxhash/v2"

	"github.com/sessioncast/sessioncast/internal/hlc"
	"github.com/sessioncast/sessioncast/internal/record"
)

// missing remembers which destroyed keys a connection has read as missing, and which destruction it saw: that a key was missing
// once says nothing about one created and destroyed since. It keeps the last maxMissing. The zero value is ready to use.
type missing struct {
	ring []sighting
	next int
}

// sighting is a key, by its hash, and the tombstone that made it missing.
type sighting struct {
	key  uint64
	tomb hlc.Stamp
}

func (m *missing) note(x sighting) {
	if len(m.ring) < maxMissing {
		m.ring = append(m.ring, x)
		return
	}
	m.ring[m.next] = x
	m.next = (m.next + 1) % maxMissing
}

func (m *missing) has(x sighting) bool {
	for _, y := range m.ring {
		if x == y {
			return true
		}
	}
	return false
}

// sawMissing notes that the client read k as missing.
func (c *client) sawMissing(k record.Key) {
	if x := c.sighting(k); x.tomb != 0 && !c.missing.has(x) {
		c.missing.note(x)
	}
}

// knowsMissing reports whether the client has read k as missing since it was destroyed last.
func (c *client) knowsMissing(k record.Key) bool {
	x := c.sighting(k)
	return x.tomb != 0 && c.missing.has(x)
}

func (c *client) sighting(k record.Key) sighting {
	tomb := c.s.cfg.Table.Destroyed(k)
	if tomb == 0 {
		return sighting{}
	}
	return sighting{key: xxhash.Sum64String(k.Name) + uint64(k.DB), tomb: tomb}
}
