package rig

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
	"sync"
	"testing"
)

// Script is a program that does what lines of JSON tell it and answers each with a line that has the same "id"; before that it says
// {"ready":true}.
type Script struct {
	*Process
	t     testing.TB
	stdin io.Writer
	ready chan struct{}

	mu   sync.Mutex
	last int
	got  map[int]chan []byte
}

// maxLine is how long an answer may be.
const maxLine = 16 << 20

// StartScript starts one and waits until it is ready.
func StartScript(t testing.TB, at Place, name string, cmd *exec.Cmd) *Script {
	t.Helper()
	s := &Script{t: t, got: map[int]chan []byte{}, ready: make(chan struct{})}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, writer := io.Pipe()
	s.stdin = in
	go s.read(out)
	s.Process = StartTee(t, at, name, cmd, writer)
	s.until("is ready", func() bool {
		select {
		case <-s.ready:
			return true
		default:
			return false
		}
	})
	return s
}

func (s *Script) read(out io.Reader) {
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, maxLine)
	for lines.Scan() {
		var head struct {
			ID    int
			Ready bool
		}
		switch json.Unmarshal(lines.Bytes(), &head); {
		case head.Ready:
			close(s.ready)
		case head.ID != 0:
			s.mu.Lock()
			c := s.got[head.ID]
			delete(s.got, head.ID)
			s.mu.Unlock()
			if c != nil {
				c <- append([]byte(nil), lines.Bytes()...)
			}
		}
	}
	_, _ = io.Copy(io.Discard, out) // a line was too long; the program is not to hang for it
}

// until waits for something that comes only while it runs.
func (s *Script) until(what string, holds func() bool) {
	s.t.Helper()
	Eventually(s.t, s.Name+" "+what, func() bool {
		if !holds() && !s.Running() {
			s.t.Fatalf("%s ended:\n%s", s.Name, s.log.Tail())
		}
		return holds()
	})
}

// Tell has it do something; what it returns waits for the answer.
func (s *Script) Tell(line map[string]any) (answer func(into any)) {
	s.t.Helper()
	s.mu.Lock()
	s.last++
	c := make(chan []byte, 1)
	line["id"], s.got[s.last] = s.last, c
	s.mu.Unlock()
	text, err := json.Marshal(line)
	if err != nil {
		s.t.Fatal(err)
	}
	if _, err := s.stdin.Write(append(text, '\n')); err != nil {
		s.t.Fatalf("%s: %v\n%s", s.Name, err, s.log.Tail())
	}
	return func(into any) {
		s.t.Helper()
		var got []byte
		s.until(fmt.Sprintf("answers %.80s", text), func() bool {
			select {
			case got = <-c:
			default:
			}
			return got != nil
		})
		if err := json.Unmarshal(got, into); err != nil {
			s.t.Fatalf("%s: %v in %.200s", s.Name, err, got)
		}
	}
}

// Ask is Tell for who waits at once.
func (s *Script) Ask(line map[string]any, into any) {
	s.t.Helper()
	s.Tell(line)(into)
}
