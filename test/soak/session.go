//go:build linux

package main

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"
)

type opKind byte

const (
	opWrite opKind = iota
	opTouch
	opDestroy
)

var opNames = [...]string{"write", "touch", "logout"}

// op is something that a session's owner did, or may have done.
type op struct {
	kind     opKind
	node     int // -1: found on all nodes by a census
	serial   int // of the value, of a write
	ttl      time.Duration
	low      time.Time // earliest and latest deadline it can have set, where a census found it
	high     time.Time
	from, to time.Time
	acks     int
	unknown  bool // no answer came: it may have happened, and may happen yet
	conn     uint64
}

func (o *op) String() string {
	s := fmt.Sprintf("%s on %s at %s", opNames[o.kind], nodeName(o.node), o.from.Format("15:04:05.000"))
	if o.kind == opWrite {
		s += fmt.Sprintf(" of #%d", o.serial)
	}
	if o.kind != opDestroy {
		s += fmt.Sprintf(" for %v", o.ttl.Round(time.Millisecond))
	}
	if !o.low.IsZero() {
		return s + fmt.Sprintf(", there until %s to %s", o.low.Format("15:04:05.000"), o.high.Format("15:04:05.000"))
	}
	if o.unknown {
		return s + ", unanswered"
	}
	return s + fmt.Sprintf(", answered after %v, %d peers", o.to.Sub(o.from).Round(time.Millisecond), o.acks)
}

// session is a key, what was done to it, and what was seen of it.
type session struct {
	key      string
	ops      []op      // what matters still, in order; one writer at a time, so their stamps are in order too
	next     int       // serial of the next value
	raced    bool      // others write it while it is being destroyed
	tainted  bool      // more may have been done to it than ops says: only agreement is judged
	frozen   bool      // an operation is unanswered: nothing more is done until a census
	pinned   bool      // created anew: it stays where it is until a census
	reported bool      // one finding is enough
	owned    bool      // a worker has it in a list
	ended    time.Time // when it was destroyed while it was there, which starts a hold
	anew     time.Time // when it was created anew after that
	seen     map[int]sight
}

// sight is what one node showed of a session.
type sight struct {
	shown, gone time.Time // before, and after the session was destroyed
}

// state is what a session is after some of its operations.
type state struct {
	serial    int
	exists    bool
	destroyed bool
	low, high time.Time // its deadline, and with what touches promise beyond
}

const (
	padLeast = time.Second // promised beyond the deadline by a touch
	padPart  = 16
	slack    = 1500 * time.Millisecond // measured skew, and a busy machine
	epsilon  = 20 * time.Millisecond
)

var never = time.Unix(1<<40, 0)

func pad(ttl time.Duration) time.Duration { return max(padLeast, ttl/padPart) }

// after is the state that o leaves behind it.
func (st state) after(o *op) state {
	if o.kind == opDestroy {
		return state{destroyed: true}
	}
	next := state{exists: true, serial: st.serial, low: o.from.Add(o.ttl), high: o.to.Add(o.ttl + pad(o.ttl) + slack)}
	if o.kind == opWrite {
		next.serial = o.serial
	}
	if o.unknown {
		next.high = never
	}
	if !o.low.IsZero() {
		next.low, next.high = o.low, o.high
	}
	return next
}

// view is what somebody may take a session for, who must know a part of what was done to it. Value and deadline come by
// themselves: a write may be lost, and a touch after it known.
type view struct {
	serials   map[int]bool
	none      bool // it may not be there, whatever its deadline
	low, high time.Time
	answers   int  // how many states that are
	destroyed bool // the oldest thing possible is that it was destroyed
}

// view starts with the last write or logout that must be known, and its deadlines with the last touch after that.
func (s *session) view(known func(*op) bool) view {
	value, deadline := -1, -1
	for i := range s.ops {
		if !known(&s.ops[i]) {
			continue
		}
		deadline = i
		if s.ops[i].kind != opTouch {
			value = i
		}
	}
	v := view{serials: map[int]bool{}, none: value < 0, low: never}
	v.answers = len(s.ops) - max(value, 0)
	if value < 0 {
		v.answers++
	}
	for i := max(value, 0); i < len(s.ops); i++ {
		switch o := &s.ops[i]; o.kind {
		case opDestroy:
			v.none = true
			v.destroyed = v.destroyed || i == value
		case opWrite:
			v.serials[o.serial] = true
		}
	}
	for i := max(value, deadline, 0); i < len(s.ops); i++ {
		if st := (state{}).after(&s.ops[i]); st.exists {
			if st.low.Before(v.low) {
				v.low = st.low
			}
			if st.high.After(v.high) {
				v.high = st.high
			}
		}
	}
	return v
}

// last is the state if everything took place.
func (s *session) last() (st state) {
	for i := range s.ops {
		st = st.after(&s.ops[i])
	}
	return st
}

// racersTTL is for how long at least those live who race with a logout.
const racersTTL = 50 * time.Second

// earliest is the first moment at which somebody who knows only a part of it may see it expire; of one that is destroyed.
func (s *session) earliest() time.Time {
	first := s.ops[len(s.ops)-1].from.Add(racersTTL)
	var st state
	for i := range s.ops {
		if st = st.after(&s.ops[i]); st.exists && st.low.Before(first) {
			first = st.low
		}
	}
	return first.Add(-epsilon)
}

func (s *session) trace() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s:", s.key)
	for i := max(0, len(s.ops)-8); i < len(s.ops); i++ {
		fmt.Fprintf(&b, "\n    %v", &s.ops[i])
	}
	return b.String()
}

// keptOps bounds what is kept of a session between two censuses; what is older than all that may be shown goes first.
const keptOps = 64

func (s *session) add(o op, h *history) {
	if o.kind == opTouch && len(s.ops) > 0 && s.ops[len(s.ops)-1].conn != o.conn {
		o.acks = 0 // WAIT speaks of its own connection's writes only; a touch may be none
	}
	if o.unknown {
		s.frozen = true
	}
	s.ops = append(s.ops, o)
	if len(s.ops) > keptOps {
		s.prune(h)
	}
}

// prune forgets operations before a write or logout that will outlive whatever may come.
func (s *session) prune(h *history) {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := time.Now()
	for i := len(s.ops) - 1; i > 0; i-- {
		if s.ops[i].kind != opTouch && s.knownToAll(h, &s.ops[i], now) {
			s.ops = append([]op(nil), s.ops[i:]...)
			return
		}
	}
}

func (s *session) knownToAll(h *history, o *op, at time.Time) bool {
	for x := range h.nodes {
		if !h.knows(x, o, at) {
			return false
		}
	}
	return true
}

// content is a value that tells whose it is, which one, and whether it is whole.
func content(key string, serial, size int) string {
	head := key + " " + strconv.Itoa(serial) + " " + strconv.Itoa(size) + " "
	if size <= len(head) {
		return head
	}
	f := fnv.New64a()
	f.Write([]byte(head))
	dice := rand.New(rand.NewPCG(f.Sum64(), 1))
	b := make([]byte, 0, size+8)
	b = append(b, head...)
	for len(b) < size {
		v := dice.Uint64()
		b = append(b, byte(v), byte(v>>8), byte(v>>16), byte(v>>24), byte(v>>32), byte(v>>40), byte(v>>48), byte(v>>56))
	}
	return string(b[:size])
}

// serialOf is the number of a value of this key; false if it is not one.
func serialOf(key, value string) (serial int, ok bool) {
	parts := strings.SplitN(value, " ", 4)
	if len(parts) < 4 || parts[0] != key {
		return 0, false
	}
	serial, err := strconv.Atoi(parts[1])
	size, err2 := strconv.Atoi(parts[2])
	return serial, err == nil && err2 == nil && content(key, serial, size) == value
}

func nodeName(i int) string {
	if i < 0 {
		return "all"
	}
	return string(rune('a' + i))
}
