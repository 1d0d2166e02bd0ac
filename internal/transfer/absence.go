package transfer

import (
	"strings"

	"github.com/sessioncast/sessioncast/internal/record"
	"github.com/sessioncast/sessioncast/internal/table"
)

// Absence judges, in a transfer after a long separation, what is at one end and not at the other.
type Absence interface {
	table.Past
	// Gone reports whether a birth that is here, and that the donor did not send, ended there.
	Gone(b *record.Birth) bool
}

// judge remembers what the donor sent since the cursor moved last, at most what it reads from its table at a time.
type judge struct {
	absence Absence // nil: absence says nothing
	sent    map[record.Key][]record.Version
}

// Judge makes absence count from here on: after the offer, before the first chunk, of a transfer that leaves no bucket out.
func (k *Taker) Judge(a Absence) {
	k.judge = judge{absence: a, sent: make(map[record.Key][]record.Version)}
}

// past is what a record of the donor is judged by.
func (j *judge) past() table.Past {
	if j.absence == nil {
		return nil
	}
	return j.absence
}

// note remembers what came.
func (j *judge) note(key record.Key, s *record.State) {
	if j.absence == nil {
		return
	}
	ids := make([]record.Version, len(s.Births))
	for i := range s.Births {
		ids[i] = s.Births[i].ID
	}
	key.Name = strings.Clone(key.Name)
	j.sent[key] = ids
}

// close drops what is here between two cursors and did not come, where it ended there.
func (j *judge) close(t *table.Table, now int64, from, to uint64) (dropped int) {
	if j.absence == nil || from == to {
		return 0
	}
	dropped = t.DropAbsent(now, from, to, func(key record.Key, b *record.Birth) bool {
		for _, id := range j.sent[key] {
			if id == b.ID {
				return false
			}
		}
		return j.absence.Gone(b)
	})
	clear(j.sent)
	return dropped
}
