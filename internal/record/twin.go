package record

// Two runs under one incarnation, clones of one machine, may give one version to two changes before they notice. Which of the two
// counts is of no matter, as long as it is the same one everywhere.

// beatsTwin reports whether v counts before w, another value of the same version.
func (v *Value) beatsTwin(w *Value) bool {
	return v.Version == w.Version && v.Hash > w.Hash
}

// beatsTwin reports whether d counts before e, another deadline of the same version: the later one does, so that nothing
// ends early.
func (d *Deadline) beatsTwin(e *Deadline) bool {
	return d.Version == e.Version && (d.lasts() > e.lasts() || d.Due == e.Due && d.Promise > e.Promise)
}

// lasts is the deadline's due time, in an order in which none at all is the latest.
func (d *Deadline) lasts() uint64 { return uint64(d.Due) - 1 }

// joinTwin merges what two births of one identity may differ in besides their registers. It reports whether b changed.
func (b *Birth) joinTwin(in *Birth) (changed bool) {
	if in.Seq > b.Seq {
		b.Seq, changed = in.Seq, true
	}
	if in.Absolute > b.Absolute {
		b.Absolute, changed = in.Absolute, true
	}
	if b.Weak && !in.Weak { // made explicitly by one of them
		b.Weak, changed = false, true
	}
	return changed
}
