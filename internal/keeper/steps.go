package keeper

import "time"

const (
	stepNoise      = time.Second     // a clock that is slewed moves less than this between two looks
	confirmPeers   = 5 * time.Second // until each peer's offset has surely been measured anew
	confirmedAlone = time.Minute     // a clock that nobody can confirm is believed when it stayed for so long
)

// stepWatch notices that the wall clock stepped forward, by the monotonic clock, and tells what time it would be
// otherwise. For what a node collects is gone: a clock that is an hour ahead for one second must not make it forget an
// hour's sessions. So a step by more than the limit is doubted until the peers agree, or, where there are none, until
// the clock has stayed there for a while. A step back is believed at once: nothing is collected early under a clock
// that is behind.
type stepWatch struct {
	limit   time.Duration // a step by more is doubted
	wall    int64         // at the last look, Unix milliseconds
	mono    time.Duration // since the node was opened
	aheadMS int64         // of what the wall clock would be without its doubted steps; 0: none
	stepped time.Duration // when, on the monotonic clock, it stepped last
}

func newStepWatch(limit time.Duration, wall int64) stepWatch {
	return stepWatch{limit: limit, wall: wall}
}

// look compares the clocks with those of the last look.
func (s *stepWatch) look(wall int64, mono time.Duration) {
	step := wall - s.wall - (mono - s.mono).Milliseconds()
	s.wall, s.mono = wall, mono
	if max(step, -step) > stepNoise.Milliseconds() {
		s.stepped = mono
	}
	if s.doubted() || step > s.limit.Milliseconds() {
		s.aheadMS += step
	}
	if s.aheadMS <= s.limit.Milliseconds() {
		s.aheadMS = 0 // it came back
	}
}

// confirm believes the clock if the peers' offsets say that it is not ahead of them, or if it is steady and there are no
// peers.
func (s *stepWatch) confirm(peers []time.Duration) {
	steady := s.mono - s.stepped
	if len(peers) > 0 && steady >= confirmPeers && -median(peers) <= s.limit || len(peers) == 0 && steady >= confirmedAlone {
		s.aheadMS = 0
	}
}

func (s *stepWatch) doubted() bool { return s.aheadMS != 0 }

// believed is the wall time of the last look, without the steps that are doubted.
func (s *stepWatch) believed() int64 { return s.wall - s.aheadMS }
