//go:build linux

package main

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// fake is a cluster in memory that does everything right, but for what a test makes it do wrong.
type fake struct {
	mu     sync.Mutex
	nodes  []map[string]*entry
	bug    string
	writes int
	number uint64
	down   map[int]bool
}

type entry struct {
	value string
	old   string // the value before
	due   time.Time
	ttl   time.Duration
	gone  bool
}

func newFake(nodes int, bug string) *fake {
	f := &fake{bug: bug, down: map[int]bool{}}
	for range nodes {
		f.nodes = append(f.nodes, map[string]*entry{})
	}
	return f
}

func (f *fake) shun(i int) bool { return f.down[i] }

func (f *fake) connect(i int) client {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.number++
	return &fakeClient{f: f, node: i, number: f.number}
}

type fakeClient struct {
	f      *fake
	node   int
	number uint64
}

func (c *fakeClient) id() uint64 { return c.number }
func (c *fakeClient) close()     {}

func (c *fakeClient) do(_ time.Duration, cmds ...command) (replies []reply, err error) {
	c.f.mu.Lock()
	defer c.f.mu.Unlock()
	if c.f.down[c.node] {
		return nil, errNotSent
	}
	for _, cmd := range cmds {
		replies = append(replies, c.f.one(c.node, cmd))
	}
	return replies, nil
}

func (f *fake) one(node int, cmd command) reply {
	switch cmd[0] {
	case "WAIT":
		return reply{kind: ':', n: int64(len(f.nodes) - 1 - len(f.down))}
	case "SCAN":
		r := reply{kind: '*', list: []reply{{kind: '$', text: "0"}, {kind: '*'}}}
		for key := range f.nodes[node] {
			r.list[1].list = append(r.list[1].list, reply{kind: '$', text: key})
		}
		return r
	}
	if cmd[0] == "SELECT" {
		return reply{kind: '+'}
	}
	if cmd[0] == "FLUSHDB" {
		return f.flush(node)
	}
	key := cmd[1]
	e := f.visible(node, key)
	switch cmd[0] {
	case "SET":
		return f.set(node, cmd, e)
	case "GET":
		return f.show(e)
	case "PTTL":
		if e == nil {
			return reply{kind: ':', n: -2}
		}
		return reply{kind: ':', n: time.Until(e.due).Milliseconds()}
	}
	if e == nil {
		return reply{kind: map[string]byte{"PEXPIRE": ':', "GETEX": '_', "DEL": ':'}[cmd[0]]}
	}
	switch cmd[0] {
	case "DEL":
		f.destroy(node, key)
	case "PEXPIRE", "GETEX":
		ms, _ := strconv.Atoi(cmd[len(cmd)-1])
		for _, n := range f.nodes {
			if n[key] != nil {
				n[key].ttl = time.Duration(ms) * time.Millisecond
				n[key].due = time.Now().Add(n[key].ttl)
			}
		}
	}
	if cmd[0] == "GETEX" {
		return f.show(e)
	}
	return reply{kind: ':', n: 1}
}

func (f *fake) show(e *entry) reply {
	switch {
	case e == nil:
		return reply{kind: '_'}
	case f.bug == "shows the value before" && e.old != "":
		return reply{kind: '$', text: e.old}
	case f.bug == "shows a part":
		return reply{kind: '$', text: e.value[:len(e.value)-1]}
	}
	return reply{kind: '$', text: e.value}
}

// visible is what a node shows.
func (f *fake) visible(node int, key string) *entry {
	e := f.nodes[node][key]
	if e == nil || e.gone {
		return nil
	}
	due := e.due
	switch f.bug {
	case "expires early":
		due = due.Add(-e.ttl / 2)
	case "expires early on the last": // node, that is
		if node == len(f.nodes)-1 {
			due = due.Add(-e.ttl / 2)
		}
	case "never expires":
		due = never
	}
	if !time.Now().Before(due) {
		return nil
	}
	return e
}

func (f *fake) set(node int, cmd command, was *entry) reply {
	key := cmd[1]
	if e := f.nodes[node][key]; e != nil && e.gone && f.bug != "lets a logout be written over" {
		return reply{kind: '-', text: "DESTROYED"}
	}
	if slices.Contains(cmd, "XX") && was == nil {
		return reply{kind: '_'}
	}
	ms, _ := strconv.Atoi(cmd[slices.Index(cmd, "PX")+1])
	f.writes++
	for i := range f.nodes {
		e := &entry{value: cmd[2], ttl: time.Duration(ms) * time.Millisecond}
		if was != nil {
			e.old = was.value
		}
		e.due = time.Now().Add(e.ttl)
		if f.bug == "loses every fiftieth write" && f.writes%50 == 0 && (i != node || strings.HasPrefix(key, "flood")) {
			continue
		}
		f.nodes[i][key] = e
	}
	return reply{kind: '+', text: "OK"}
}

// destroy leaves a mark on nodes that never had the session, too, against writes that come late.
func (f *fake) destroy(node int, key string) {
	for i, n := range f.nodes {
		if f.bug != "logs out here only" || i == node {
			n[key] = &entry{gone: true}
		}
	}
}

func (f *fake) flush(node int) reply {
	for i, n := range f.nodes {
		if i == node || f.bug != "flushes here only" {
			maps.DeleteFunc(n, func(key string, _ *entry) bool { return strings.HasPrefix(key, "flushed-") })
		}
	}
	return reply{kind: '+'}
}
