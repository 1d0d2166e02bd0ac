package table

// wake says that something is due at a moment for the entries with a hash. No pointers: the collector of garbage
// need not look at it, and a wake for an entry long gone is harmless.
type wake struct {
	at   int64
	hash uint64
}

// wakeHeap is a binary min-heap by at.
type wakeHeap []wake

func (h *wakeHeap) push(w wake) {
	s := append(*h, w)
	i := len(s) - 1
	for i > 0 {
		parent := (i - 1) / 2
		if s[parent].at <= s[i].at {
			break
		}
		s[parent], s[i] = s[i], s[parent]
		i = parent
	}
	*h = s
}

func (h *wakeHeap) pop() wake {
	s := *h
	top := s[0]
	last := len(s) - 1
	s[0] = s[last]
	s = s[:last]
	s.down(0)
	*h = s
	return top
}

func (h wakeHeap) down(i int) {
	for {
		child := 2*i + 1
		if child >= len(h) {
			return
		}
		if r := child + 1; r < len(h) && h[r].at < h[child].at {
			child = r
		}
		if h[i].at <= h[child].at {
			return
		}
		h[i], h[child] = h[child], h[i]
		i = child
	}
}

func (h wakeHeap) init() {
	for i := len(h)/2 - 1; i >= 0; i-- {
		h.down(i)
	}
}

// first is the earliest moment, never for none.
func (h *wakeHeap) first() int64 {
	if h == nil || len(*h) == 0 {
		return never
	}
	return (*h)[0].at
}
