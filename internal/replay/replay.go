// Package replay is the anti-replay window over one sender's packet numbers, after RFC 6479.
//
// A Window is a plain value owned by whoever holds it; it is not safe for concurrent use.
package replay

// Size is how many of the latest packet numbers a Window tells apart. What is Size or more below the highest
// accepted number is refused, seen or not.
const Size = 8192

const (
	blockBits = 64

	// One block more than Size fills: the latest Size numbers touch so many blocks when they start inside one.
	blocks = Size/blockBits + 1
)

// Window remembers which packet numbers have been accepted. The zero value is ready to use and refuses only
// packet 0, which no sender uses.
type Window struct {
	floor uint64 // what is not above it is refused
	top   uint64 // the highest number accepted
	ring  [blocks]uint64
}

// StartAt refuses every number up to and including counter from now on. It never lets in what was refused before.
func (w *Window) StartAt(counter uint64) {
	w.floor = max(w.floor, counter)
}

// Check reports whether Accept would accept counter, without marking it. It is meant for numbers that are not
// authenticated yet.
func (w *Window) Check(counter uint64) bool {
	switch {
	case counter <= w.floor:
		return false
	case counter > w.top:
		return true
	case w.top-counter >= Size:
		return false
	}
	block, bit := place(counter)
	return w.ring[block%blocks]&bit == 0
}

// Accept marks counter as seen. It reports false, and changes nothing, when counter was seen before or is too old.
// Hand it only numbers that are authenticated.
func (w *Window) Accept(counter uint64) bool {
	if !w.Check(counter) {
		return false
	}
	if counter > w.top {
		w.advance(counter)
	}
	block, bit := place(counter)
	w.ring[block%blocks] |= bit
	return true
}

// advance makes counter the highest number and clears the blocks that come into use.
func (w *Window) advance(counter uint64) {
	old, _ := place(w.top)
	block, _ := place(counter)
	for i := range min(block-old, blocks) {
		w.ring[(block-i)%blocks] = 0
	}
	w.top = counter
}

func place(counter uint64) (block, bit uint64) {
	return counter / blockBits, 1 << (counter % blockBits)
}
