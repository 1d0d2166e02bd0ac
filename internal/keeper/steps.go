package keeper

import "time"

const (
	stepNoise      = time.Second     // a clock that is slewed moves less than this between two looks
	confirmPeers   = 5 * time.Second // longer than hearsay: what peers say was said since the step
	confirmedAlone = time.Minute     // a clock that nobody can confirm is believed when it stayed for so long
)

// stepWatch notices, by the monotonic clock, that the wall clock stepped, and keeps the time that is believed. For what a
// node collects is gone: a clock that is an hour ahead for one second must not make it forget an hour's sessions; and what
// its users touch while it is an hour behind would end an hour early everywhere. So the believed time goes on evenly
// over a step by more than the limit, until the peers agree with the clock, or, where there are none, until the clock has
// stayed there for a while. Where most peers say another time it is theirs.
type stepWatch struct {
	limit   time.Duration
	wall    int64         // at the last look, Unix milliseconds
	mono    time.Duration // since the node was opened
	off     time.Duration // how far the wall clock is ahead of the believed time
	stepped time.Duration // when, on the monotonic clock, it stepped last,
	heard   time.Duration // and when a peer told its clock
	awake   time.Duration // since it stepped last; the time that this node stood still does not count
}

// newStepWatch begins with a clock that is steady: what peers say of it is said after it started.
func newStepWatch(limit time.Duration, wall int64) stepWatch {
	return stepWatch{limit: limit, wall: wall, stepped: -confirmPeers, heard: -confirmPeers, awake: confirmPeers}
}

// look compares the clocks with those of the last look.
func (s *stepWatch) look(wall int64, mono time.Duration) {
	passed := mono - s.mono
	step := time.Duration(wall-s.wall)*time.Millisecond - passed
	s.wall, s.mono = wall, mono
	s.awake += min(passed, Interval)
	if step.Abs() > stepNoise {
		s.stepped, s.awake = mono, 0
	}
	if s.off != 0 && step.Abs() > stepNoise || step.Abs() > s.limit {
		s.off += step
	}
	if s.off.Abs() <= s.limit {
		s.off = 0 // it came back
	}
}

// steady reports whether what the peers' offsets say was measured since the last step. While a node stands still they do not grow older
// (engine.Member.OffsetAge), so that time does not count here either.
func (s *stepWatch) steady() bool { return s.awake >= confirmPeers }

// alone reports whether nobody has told its clock for so long that this node's own counts, or ever.
func (s *stepWatch) alone() bool { return s.heard < 0 || s.mono-s.heard >= confirmedAlone }

// hear believes the clock if the peers' offsets say that it is right, or no further wrong than where it stepped from; goes
// by theirs where ahead, its distance from the median of all, is beyond the limit; and, if there are no peers, believes a
// clock that has been steady for long. Unless it is steady, what peers say may have been said before this clock's step, or theirs.
func (s *stepWatch) hear(peers []time.Duration, ahead time.Duration, steady bool) {
	if len(peers) > 0 {
		s.heard = s.mono
	}
	switch {
	case len(peers) == 0:
		if s.mono-max(s.stepped, s.heard) >= confirmedAlone {
			s.off = 0
		}
	case !steady:
	case ahead.Abs() > s.limit:
		s.off = ahead
	case s.off > 0 && -nearest(peers) <= s.limit, s.off < 0 && nearest(peers) <= s.limit:
		s.off = 0
	}
}
