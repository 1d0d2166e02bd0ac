package model

// Stamp is an HLC reading: ticks in the high bits, a 3-bit counter below.
type Stamp int16

const (
	counterBits = 3
	counterMax  = 1<<counterBits - 1
)

func at(tick int16) Stamp          { return Stamp(tick) << counterBits }
func (s Stamp) tick() int16        { return int16(s >> counterBits) }
func (s Stamp) plus(n int16) Stamp { return s + at(n) }

// ID orders births and register writes: by stamp, then by origin (node and incarnation).
type ID struct {
	S Stamp
	O uint8
}

func (a ID) less(b ID) bool { return a.S < b.S || a.S == b.S && a.O < b.O }

// never is the due and the promise of a register without a deadline (TTL -1).
const never int16 = 4000

// Deadline is the deadline register: the true deadline and the promise made to the other nodes.
type Deadline struct {
	ID           ID
	Due, Promise int16
}

// Birth is one creation of the key, with its registers. Data is the identity of the write that won:
// the value itself would add nothing.
type Birth struct {
	ID     ID
	Dot    Dots // that created it
	Weak   bool
	Upsert bool // ghost: made by a connection that did not mean to create
	Data   ID
	DL     Deadline
	Latest int16 // until when a promise that this birth ever made, known here or not, may run
	Span   int16 // the longest lifetime it was ever given
}

// classLimit is how many explicit births and how many weak ones a key keeps, the highest.
const classLimit = 2

// Key is the replicated state of the one key of the model. Births are sorted, highest first.
type Key struct {
	T     Stamp // 0: no tombstone
	Until int16
	Hold  Stamp // end of the logout hold
	N     uint8
	B     [2 * classLimit]Birth
}

func (k *Key) find(id ID) *Birth {
	for i := range k.B[:k.N] {
		if k.B[i].ID == id {
			return &k.B[i]
		}
	}
	return nil
}

func (k *Key) killed(id ID, weak bool, r Rules) bool {
	if r.NoTombstoneCheck {
		return false
	}
	return id.S <= k.T || weak && id.S <= k.Hold && !r.WeakOutlivesHold
}

// mergeTomb takes the maximum of each register and drops what it kills.
func (k *Key) mergeTomb(t Stamp, until int16, hold Stamp, r Rules) {
	k.T, k.Until, k.Hold = max(k.T, t), max(k.Until, until), max(k.Hold, hold)
	old, weakOutlives := *k, r.WeakOutlivesHold
	k.N, k.B = 0, [2 * classLimit]Birth{}
	for _, b := range old.B[:old.N] {
		if b.ID.S <= k.T || b.Weak && b.ID.S <= k.Hold && !weakOutlives {
			continue
		}
		k.B[k.N] = b
		k.N++
	}
}

// mergeBirth merges each register by itself, or inserts the birth in its place.
func (k *Key) mergeBirth(b Birth, r Rules) {
	if k.killed(b.ID, b.Weak, r) {
		return
	}
	if r.HigherBirthWinsWhole && k.N > 0 {
		if b.ID.less(k.B[0].ID) {
			return
		}
		if k.B[0].ID.less(b.ID) {
			k.N, k.B = 1, [2 * classLimit]Birth{b}
			return
		}
	}
	if have := k.find(b.ID); have != nil {
		have.merge(b)
		return
	}
	k.insert(b)
}

func (b *Birth) merge(c Birth) {
	if b.Data.less(c.Data) {
		b.Data = c.Data
	}
	b.mergeDeadline(c.DL, c.Latest, c.Span)
}

func (b *Birth) mergeDeadline(d Deadline, latest, span int16) {
	if b.DL.ID.less(d.ID) {
		b.DL = d
	}
	b.Latest, b.Span = max(b.Latest, latest), max(b.Span, span)
}

// insert keeps the order and the highest classLimit of each class.
func (k *Key) insert(b Birth) {
	var all [2*classLimit + 1]Birth
	n := copy(all[:], k.B[:k.N])
	i := n
	for ; i > 0 && all[i-1].ID.less(b.ID); i-- {
		all[i] = all[i-1]
	}
	all[i] = b
	k.N, k.B = 0, [2 * classLimit]Birth{}
	var kept [2]int
	for _, c := range all[:n+1] {
		class := 0
		if c.Weak {
			class = 1
		}
		if kept[class]++; kept[class] <= classLimit {
			k.B[k.N] = c
			k.N++
		}
	}
}

func (k *Key) merge(o *Key, r Rules) {
	k.mergeTomb(o.T, o.Until, o.Hold, r)
	for _, b := range o.B[:o.N] {
		k.mergeBirth(b, r)
	}
}

// deadline is the key's deadline: the highest-stamped register among its births.
func (k *Key) deadline() (d Deadline, of ID) {
	for _, b := range k.B[:k.N] {
		if d.ID.less(b.DL.ID) {
			d, of = b.DL, b.ID
		}
	}
	return d, of
}

// data is the key's value: the highest-stamped data among its births.
func (k *Key) data() (d ID) {
	for _, b := range k.B[:k.N] {
		if d.less(b.Data) {
			d = b.Data
		}
	}
	return d
}

// current is the birth that writes and touches go to: of those that live by their own promise at a time, the highest
// explicit one, else the highest weak one. A write into a weak birth beside an explicit one would die with it when
// a hold arrives; one into a birth that is past would be cut by that birth's lifetime. The birth of the winning
// deadline always qualifies, so a visible key has a current birth.
func (k *Key) current(t, skew int16) (cur *Birth) {
	for i := range k.B[:k.N] {
		b := &k.B[i]
		if b.DL.Promise != never && t >= b.DL.Promise+skew {
			continue
		}
		if cur == nil || cur.Weak && !b.Weak {
			cur = b
		}
	}
	return cur
}

// highest is the highest stamp in the key's state.
func (k *Key) highest() Stamp {
	h := k.T
	for _, b := range k.B[:k.N] {
		h = max(h, b.ID.S, b.Data.S, b.DL.ID.S)
	}
	return h
}
