//go:build linux

package main

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"sync"
	"testing"
)

// stage is what a program is to packages made for tests. Only what they use is there. Safe for concurrent use.
type stage struct {
	testing.TB // nil: it makes the interface whole

	mu       sync.Mutex
	failed   bool
	cleanups []func()
}

func (s *stage) Helper()      {}
func (s *stage) Name() string { return "soak" }

func (s *stage) Failed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failed
}

func (s *stage) Fail() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failed = true
}

func (s *stage) FailNow() {
	s.Fail()
	runtime.Goexit()
}

func (s *stage) Log(args ...any)                 { fmt.Fprintln(os.Stderr, args...) }
func (s *stage) Logf(format string, args ...any) { s.Log(fmt.Sprintf(format, args...)) }
func (s *stage) Error(args ...any)               { s.Log(args...); s.Fail() }
func (s *stage) Errorf(format string, args ...any) {
	s.Logf(format, args...)
	s.Fail()
}
func (s *stage) Fatal(args ...any) { s.Log(args...); s.FailNow() }
func (s *stage) Fatalf(format string, args ...any) {
	s.Logf(format, args...)
	s.FailNow()
}

func (s *stage) Cleanup(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cleanups = append(s.cleanups, f)
}

// perform runs body to its end, or to its Fatal, and cleans up.
func (s *stage) perform(body func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		body()
	}()
	<-done
	s.mu.Lock()
	list := slices.Clone(s.cleanups)
	s.mu.Unlock()
	for _, f := range slices.Backward(list) {
		f()
	}
}
