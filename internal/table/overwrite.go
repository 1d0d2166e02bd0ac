package table

import "unsafe"

// share notes that a value of p is given away: it must not be written over any more.
func (p *packed) share() {
	if p.mode&modeShared == 0 {
		p.mode |= modeShared
	}
}

// fitsOver reports whether e, whose head is h, may be written over what it was: everything has its old place, the value is the one
// that lies there or nobody holds that, and nothing changes that size reads, which the emptying of pages calls without the bucket's lock.
func (e *entry) fitsOver(h *packed) bool {
	p := e.packed
	return p != nil && h.flags == p.flags && h.flags&(hasMore|hasLabel) == 0 && h.meta == p.meta && h.value == p.value &&
		(p.mode&modeShared == 0 || e.keepsValue())
}

// keepsValue reports whether e's one value is the one that lies in its packed form, and no other with the same length.
func (e *entry) keepsValue() bool {
	p := e.packed
	if p.value == 0 {
		return true
	}
	return unsafe.SliceData(e.state.Births[0].Value.Bytes) == unsafe.SliceData(p.bytes(p.ownerAt(), int(p.value)))
}

// overwrite writes e over what it was: no memory is needed, and none left behind.
func (e *entry) overwrite(h *packed, meta []byte) {
	p := e.packed
	p.print, p.hash, p.at, p.due, p.by = h.print, h.hash, h.at, h.due, h.by
	p.mode = p.mode&modeShared | h.mode
	copy(p.bytes(packedSize+int(p.name), int(p.meta)), meta)
	if !e.keepsValue() {
		copy(p.bytes(p.ownerAt(), int(p.value)), e.state.Births[0].Value.Bytes)
	}
	if e.touch != nil {
		p.setTouch(e.touch, &e.state)
	}
}
