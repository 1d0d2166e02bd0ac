package transfer

import (
	"slices"

	"github.com/sessioncast/sessioncast/internal/record"
	"github.com/sessioncast/sessioncast/internal/table"
)

// Absence judges, in a transfer after a long separation, what is at one end and not at the other.
type Absence = table.Past

// judge remembers what the donor sent since the cursor moved last, at most what it reads from its table at a time. It is
// seldom asked, so it notes in plain rows, and looks things up only when it is.
type judge struct {
	absence Absence // nil: absence says nothing
	merged  int     // births that went as records were merged, since the cursor moved
	names   []byte  // of what was sent, one behind the other
	births  []sentBirth
	sent    map[record.Key][]record.Version // the same; nil until something is looked up
}

// sentBirth is a birth that the donor sent, of the key whose name lies in names.
type sentBirth struct {
	from, to int
	db       uint8
	id       record.Version
}

// Judge makes absence count from here on: after the offer, before the first chunk, of a transfer that leaves no bucket out.
func (k *Taker) Judge(a Absence) { k.judge = judge{absence: a} }

// past is what a record of the donor is judged by.
func (j *judge) past() table.Past {
	if j.absence == nil {
		return nil
	}
	return j
}

// Over is as the Absence says.
func (j *judge) Over(b *record.Birth) bool { return j.absence.Over(b) }

// Late is as the Absence says.
func (j *judge) Late() bool { return j.absence.Late() }

// Gone counts what goes as the donor's record of its key is merged.
func (j *judge) Gone(b *record.Birth) bool {
	gone := j.absence.Gone(b)
	if gone {
		j.merged++
	}
	return gone
}

// note remembers what came.
func (j *judge) note(key record.Key, s *record.State) {
	if j.absence == nil || len(s.Births) == 0 {
		return
	}
	from := len(j.names)
	j.names = append(j.names, key.Name...)
	for i := range s.Births {
		j.births = append(j.births, sentBirth{from: from, to: len(j.names), db: key.DB, id: s.Births[i].ID})
	}
}

// came reports whether the donor sent the birth.
func (j *judge) came(key record.Key, id record.Version) bool {
	if j.sent == nil {
		j.sent = make(map[record.Key][]record.Version, len(j.births))
		names := string(j.names)
		for _, b := range j.births {
			k := record.Key{DB: b.db, Name: names[b.from:b.to]}
			j.sent[k] = append(j.sent[k], b.id)
		}
	}
	return slices.Contains(j.sent[key], id)
}

// close drops what is here between two cursors and did not come, where it ended there.
func (j *judge) close(t *table.Table, now int64, from, to uint64) (dropped int) {
	if j.absence == nil || from == to {
		return 0
	}
	dropped = j.merged + t.DropAbsent(now, from, to, func(key record.Key, b *record.Birth) bool {
		return !j.came(key, b.ID) && j.absence.Gone(b)
	})
	j.names, j.births, j.sent, j.merged = j.names[:0], j.births[:0], nil, 0
	return dropped
}
