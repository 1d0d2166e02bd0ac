package resp

import "math"

// parseInt reads a decimal as Redis's string2ll does: no sign but '-', no leading zeros, no spaces, 64 bits.
func parseInt(b []byte) (int64, bool) {
	if len(b) == 0 || len(b) > 20 {
		return 0, false
	}
	if len(b) == 1 && b[0] == '0' {
		return 0, true
	}
	neg := b[0] == '-'
	if neg {
		b = b[1:]
	}
	v, ok := parseDigits(b)
	switch {
	case !ok:
		return 0, false
	case neg && v <= 1<<63:
		return -int64(v-1) - 1, true
	case neg || v > math.MaxInt64:
		return 0, false
	}
	return int64(v), true
}

func parseDigits(b []byte) (v uint64, ok bool) {
	if len(b) == 0 || b[0] < '1' || b[0] > '9' {
		return 0, false
	}
	for _, ch := range b {
		d := uint64(ch - '0')
		if d > 9 || v > (math.MaxUint64-d)/10 {
			return 0, false
		}
		v = v*10 + d
	}
	return v, true
}
