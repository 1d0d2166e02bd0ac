package dots

import (
	"encoding/binary"
	"errors"
)

// Errors of Parse.
var (
	ErrShort     = errors.New("dots: set cut short")
	ErrTooMany   = errors.New("dots: set of too many ranges")
	ErrMalformed = errors.New("dots: set not in its one form")
)

// AppendTo appends the set's byte form: the number of ranges, then for each how many numbers are missing before it
// beyond the least there can be (none before the first, one before each other) and how many it holds beyond the
// first, all as unsigned varints. Every set has one form only.
func (s *Set) AppendTo(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(len(s.ranges)))
	least := uint64(1)
	for _, r := range s.ranges {
		b = binary.AppendUvarint(b, r.Lo-least)
		b = binary.AppendUvarint(b, r.Hi-r.Lo)
		least = r.Hi + 2
	}
	return b
}

// Parse reads a set of at most maxRanges ranges from the start of b and gives what follows it. It allocates no more
// than b's own length justifies.
func Parse(b []byte, maxRanges int) (Set, []byte, error) {
	count, b, err := uvarint(b)
	switch {
	case err != nil:
		return Set{}, nil, err
	case count > uint64(max(maxRanges, 0)):
		return Set{}, nil, ErrTooMany
	case count > uint64(len(b)/2):
		return Set{}, nil, ErrShort
	case count == 0:
		return Set{}, b, nil
	}
	ranges := make([]Range, count)
	last := Range{0, 0}
	for i := range ranges {
		if last, b, err = parseRange(b, last, i == 0); err != nil {
			return Set{}, nil, err
		}
		ranges[i] = last
	}
	return Set{ranges}, b, nil
}

// parseRange reads the range that follows prev.
func parseRange(b []byte, prev Range, first bool) (Range, []byte, error) {
	skip, b, err := uvarint(b)
	if err != nil {
		return Range{}, nil, err
	}
	length, b, err := uvarint(b)
	if err != nil {
		return Range{}, nil, err
	}
	least := prev.Hi + 2
	if first {
		least = 1
	}
	lo := least + skip
	hi := lo + length
	if least < prev.Hi || lo < least || hi < lo {
		return Range{}, nil, ErrMalformed // beyond the highest number there is
	}
	return Range{lo, hi}, b, nil
}

// uvarint reads one varint in its shortest form.
func uvarint(b []byte) (uint64, []byte, error) {
	v, n := binary.Uvarint(b)
	switch {
	case n == 0:
		return 0, nil, ErrShort
	case n < 0 || n > 1 && b[n-1] == 0:
		return 0, nil, ErrMalformed
	}
	return v, b[n:], nil
}
