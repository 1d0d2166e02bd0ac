package sim

import "time"

// queue holds what is to happen, in order of time and, at equal times, of arrival.
type queue struct {
	heap []event
	next uint64
}

// event is a datagram on its way (packet set), a node's timer (timer set), or anything else (do set).
type event struct {
	at     time.Duration
	order  uint64
	packet *packet
	timer  *Node
	do     func()
}

func (e *event) before(f *event) bool {
	if e.at != f.at {
		return e.at < f.at
	}
	return e.order < f.order
}

func (q *queue) push(e event) {
	e.order = q.next
	q.next++
	q.heap = append(q.heap, e)
	h := q.heap
	i := len(h) - 1
	for i > 0 {
		parent := (i - 1) / 2
		if !h[i].before(&h[parent]) {
			break
		}
		h[i], h[parent] = h[parent], h[i]
		i = parent
	}
}

// pop takes the earliest event; the queue must not be empty.
func (q *queue) pop() event {
	h := q.heap
	top := h[0]
	last := len(h) - 1
	h[0] = h[last]
	h[last] = event{}
	q.heap = h[:last]
	q.sink(0)
	return top
}

func (q *queue) sink(i int) {
	h := q.heap
	for {
		least := i
		for child := 2*i + 1; child <= 2*i+2 && child < len(h); child++ {
			if h[child].before(&h[least]) {
				least = child
			}
		}
		if least == i {
			return
		}
		h[i], h[least] = h[least], h[i]
		i = least
	}
}

func (q *queue) empty() bool { return len(q.heap) == 0 }

// peek is when the earliest event is due.
func (q *queue) peek() time.Duration { return q.heap[0].at }
