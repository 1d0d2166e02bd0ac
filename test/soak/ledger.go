//go:build linux

package main

import (
	"fmt"
	"sync"
	"sync/atomic"
)

// ledger is every session that may be there. Safe for concurrent use; the sessions in it are their owners'.
type ledger struct {
	serial atomic.Uint64

	mu        sync.Mutex
	sessions  map[string]*session
	buried    map[string]string // sessions that are over for good, and why
	contested []*contested
}

// contested is a key that everybody writes at any time: checked for agreement, and for showing what somebody wrote.
type contested struct {
	key  string
	next atomic.Int64
}

const contestedKeys = 24

func newLedger() *ledger {
	l := &ledger{sessions: map[string]*session{}, buried: map[string]string{}}
	for i := range contestedKeys {
		l.contested = append(l.contested, &contested{key: fmt.Sprintf("everybodys-%d", i)})
	}
	return l
}

// open makes a session that nobody has yet.
func (l *ledger) open(prefix string) *session {
	s := &session{key: fmt.Sprintf("%s-%d", prefix, l.serial.Add(1))}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sessions[s.key] = s
	return s
}

// bury ends what is over for good.
func (l *ledger) bury(s *session, why string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.sessions, s.key)
	l.buried[s.key] = why
}

func (l *ledger) shared(key string) *contested {
	for _, c := range l.contested {
		if c.key == key {
			return c
		}
	}
	return nil
}
