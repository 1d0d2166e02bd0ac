// Package clocktest gives tests a host's clock that is off, jumps or is slewed, while the host's timers run on evenly.
//
// A Clock is safe for concurrent use. Under testing/synctest it follows the virtual clock.
package clocktest

import (
	"sync"
	"time"
	"unsafe"
)

// A real host has two clocks in one time.Time: timers follow the monotonic one, stamps the wall clock. The time package
// offers no way to make such a value, so this follows its memory layout; a test holds it to that.
type timeLayout struct {
	wall uint64 // 1 bit "has a monotonic reading", 33 bits of seconds since 1885, 30 bits of nanoseconds
	ext  int64  // the monotonic reading, nanoseconds
	loc  *time.Location
}

const (
	hasMonotonic      = 1 << 63
	nanosecondBits    = 30
	secondsBefore1970 = 2_682_288_000 // from 1885 on
)

// Moment is what time.Now says where the wall clock shows so many Unix nanoseconds and the monotonic one mono.
func Moment(wall int64, mono time.Duration) time.Time {
	sec, nsec := wall/int64(time.Second), wall%int64(time.Second)
	layout := timeLayout{
		wall: hasMonotonic | uint64(sec+secondsBefore1970)<<nanosecondBits | uint64(nsec),
		ext:  int64(mono),
		loc:  time.UTC,
	}
	return *(*time.Time)(unsafe.Pointer(&layout))
}

// Clock is one host's. Until it is told otherwise it is right.
type Clock struct {
	began time.Time

	mu   sync.Mutex
	off  time.Duration // by which the wall clock is ahead, at since
	ppm  int64         // microseconds that it gains in every second from then on
	till time.Duration // when it stops gaining: 0: never
	at   time.Duration // since began: when off was as it says
}

// New makes a clock whose wall clock is off by so much.
func New(off time.Duration) *Clock { return &Clock{began: time.Now(), off: off} }

// monotonicStart keeps monotonic readings positive, as real ones are, whatever is taken from them.
const monotonicStart = time.Hour

// Now is what time.Now says on the host.
func (c *Clock) Now() time.Time {
	now := time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	mono := now.Sub(c.began)
	return Moment(now.UnixNano()+int64(c.offAt(mono)), monotonicStart+mono)
}

// Off is by how much the wall clock is ahead.
func (c *Clock) Off() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.offAt(time.Since(c.began))
}

// Jump sets the wall clock forward, or back.
func (c *Clock) Jump(by time.Duration) {
	c.turn(func() { c.off += by })
}

// Slew makes the wall clock gain so many microseconds in every second from now on, or lose them.
func (c *Clock) Slew(ppm int64) {
	c.turn(func() { c.ppm, c.till = ppm, 0 })
}

// Correct slews the wall clock at this rate until it is right, as a time daemon does.
func (c *Clock) Correct(ppm int64) {
	c.turn(func() {
		c.ppm = ppm
		if c.off > 0 {
			c.ppm = -ppm
		}
		c.till = c.at + c.off.Abs()*1_000_000/time.Duration(ppm)
	})
}

func (c *Clock) turn(how func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	mono := time.Since(c.began)
	c.off, c.at = c.offAt(mono), mono
	how()
}

func (c *Clock) offAt(mono time.Duration) time.Duration {
	if c.till > 0 {
		mono = min(mono, max(c.till, c.at))
	}
	return c.off + (mono-c.at)/1_000_000*time.Duration(c.ppm)
}
