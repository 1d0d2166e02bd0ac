package resp

import "time"

// courtesy is when a busy loop steps aside of its own accord, so that Go's scheduler does not make it. A goroutine that was never
// scheduled anew for 10 ms has its processor taken away in the middle of a system call, and each time the scheduler's watcher then looks
// around every 20 µs for milliseconds: a tenth of the time of serving clients, on the processor that they need.
type courtesy struct {
	turns int // since the last
	last  time.Time
}

const (
	courtesyAfter = 8 * time.Millisecond
	courtesyTurns = 4 // a loop with fewer of them in that time mostly sleeps, and stepping aside costs two changes of threads
)

// due is asked after every turn and says whether to step aside now.
func (c *courtesy) due(now time.Time) bool {
	c.turns++
	if c.turns < courtesyTurns || now.Sub(c.last) < courtesyAfter {
		return false
	}
	c.turns, c.last = 0, now
	return true
}
