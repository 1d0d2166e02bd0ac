package table

import "slices"

// recent remembers something of the keys that came last, each by its hash, up to a limit; beyond it the oldest makes room. The zero value is
// ready to use, and takes memory as it fills.
type recent[T any] struct {
	hashes []uint64
	kept   []T // of the key of the hash at the same place
	next   int // the oldest, once there is no more room
}

const firstRecent = 4

// find is what is remembered of the key with a hash, nil for nothing.
func (r *recent[T]) find(hash uint64) *T {
	if i := slices.Index(r.hashes, hash); i >= 0 {
		return &r.kept[i]
	}
	return nil
}

// add remembers x of a key of which nothing is remembered yet. Where that leaves no room for the oldest, full is true, and the oldest is
// displaced.
func (r *recent[T]) add(hash uint64, x T, limit int) (displaced T, full bool) {
	if len(r.hashes) >= limit {
		displaced, r.kept[r.next], r.hashes[r.next] = r.kept[r.next], x, hash
		r.next = (r.next + 1) % limit
		return displaced, true
	}
	if len(r.hashes) == cap(r.hashes) {
		room := min(max(2*len(r.hashes), firstRecent), limit)
		r.hashes, r.kept = grown(r.hashes, room), grown(r.kept, room)
	}
	r.hashes, r.kept = append(r.hashes, hash), append(r.kept, x)
	return displaced, false
}

// grown is a copy of a slice with room for exactly so many.
func grown[T any](s []T, room int) []T { return append(make([]T, 0, room), s...) }
