package model

import (
	"os"
	"strconv"
	"testing"
)

// small is the design with an hour of three ticks. The second node's clock is ahead by the whole limit.
var small = Params{TTL: 3, ShortTTL: 1, Pad: 1, Skew: 1, Epoch: 2, Hold: 3, Life: 8, Clock: [maxNodes]int16{0, 1, 0}}

// wide has a long lifetime and time in large steps; here the first node is ahead.
var wide = Params{TTL: 8, ShortTTL: 1, Pad: 1, Skew: 1, Epoch: 2, Hold: 3, Life: 24, Tick: 4, Clock: [maxNodes]int16{1, 0, 0}}

// padded is wide with a pad that touches fit in.
var padded = Params{TTL: 8, ShortTTL: 1, Pad: 4, Skew: 1, Epoch: 2, Hold: 3, Life: 24, Tick: 4, Clock: [maxNodes]int16{1, 0, 0}}

// uneven has lifetimes of which one is over and forgotten long before the other.
var uneven = Params{TTL: 20, ShortTTL: 4, Pad: 1, Skew: 1, Epoch: 2, Life: 40, Tick: 2, Clock: [maxNodes]int16{1, 0, 0}}

// longHold has a hold nearly as long as a life.
var longHold = Params{TTL: 8, ShortTTL: 1, Pad: 1, Skew: 1, Epoch: 2, Hold: 6, Life: 8, Tick: 4, Clock: [maxNodes]int16{0, 1, 0}}

// apart has sessions that outlive a tombstone's keep by far, and a tick longer than that.
var apart = Params{TTL: 60, ShortTTL: 1, Pad: 1, Skew: 1, Epoch: 2, Life: 4, Tick: 12, NoLife: true, Pulls: true, Clock: [maxNodes]int16{0, 1, 0}}

// oblivious is apart where nothing is left of collected tombstones: what absence is worth by itself.
var oblivious = forgetful(apart)

func forgetful(p Params) Params {
	p.Forgetful = true
	return p
}

// brief has sessions that end long before a tombstone does, and separations shorter than its keep.
var brief = Params{TTL: 3, ShortTTL: 1, Pad: 1, Skew: 1, Epoch: 2, Life: 12, Tick: 2, NoLife: true, Pulls: true, Clock: [maxNodes]int16{0, 1, 0}}

func immortal(p Params) Params {
	p.NoLife = true
	return p
}

// profile is one search: what may happen, and how deep. short is the depth of go test -short, deep the one of
// MODEL_DEEP=1.
type profile struct {
	name              string
	params            Params
	nodes, ops        int
	short, norm, deep int
	budget            Budget
}

var profiles = []profile{
	{"two nodes, everything", small, 2, 3, 5, 7, 9,
		Budget{actUpsert: 1, actCreate: 2, actWrite: 1, actTouch: 2, actShorten: 1, actDestroy: 2, actTick: 2, actLeap: 3}},
	{"two nodes, logouts and returns", small, 2, 4, 5, 6, 9,
		Budget{actUpsert: 2, actReset: 1, actCreate: 2, actTouch: 1, actDestroy: 2, actTick: 1, actLeap: 1}},
	{"two nodes, no deadline", immortal(small), 2, 4, 6, 7, 9,
		Budget{actCreate: 1, actTouch: 1, actShorten: 1, actPersist: 1, actDestroy: 1, actWrite: 1, actLeap: 3}},
	{"two nodes, two creations", small, 2, 4, 6, 8, 10,
		Budget{actCreate: 2, actTouch: 2, actWrite: 2, actShorten: 1, actTick: 1, actLeap: 2}},
	{"two nodes, long and short lives", wide, 2, 4, 6, 7, 9,
		Budget{actCreate: 1, actBrief: 1, actWrite: 1, actTouch: 1, actShorten: 1, actDestroy: 1, actTick: 1, actLeap: 2}},
	{"two nodes, an end before another's", uneven, 2, 3, 6, 7, 9,
		Budget{actSetBrief: 2, actCreate: 1, actWrite: 1, actTouch: 1, actShorten: 1, actDestroy: 1, actTick: 1, actLeap: 2}},
	{"three nodes, an end before another's", uneven, 3, 2, 5, 6, 8,
		Budget{actSetBrief: 1, actCreate: 1, actTouch: 1, actLeap: 2, actRestart: 1, actSnapStart: 1, actSnapRead: 1, actSnapEnd: 1}},
	{"two nodes, touches", padded, 2, 5, 8, 10, 12,
		Budget{actCreate: 1, actTouch: 3, actShorten: 1, actTick: 2, actLeap: 1}},
	{"two nodes, a long hold", longHold, 2, 3, 8, 9, 11,
		Budget{actUpsert: 1, actReset: 1, actTouch: 1, actDestroy: 1, actTick: 1, actLeap: 3}},
	{"three nodes, everything", small, 3, 3, 4, 6, 7,
		Budget{actUpsert: 1, actCreate: 2, actWrite: 1, actTouch: 1, actShorten: 1, actDestroy: 1, actTick: 1, actLeap: 2}},
	{"three nodes, one restarts", small, 3, 2, 5, 6, 8,
		Budget{actUpsert: 1, actCreate: 1, actWrite: 1, actTouch: 1, actDestroy: 1, actLeap: 1, actRestart: 1, actSnapStart: 1, actSnapRead: 1, actSnapEnd: 1}},
	{"two nodes, one restarts", small, 2, 3, 5, 6, 9,
		Budget{actUpsert: 1, actReset: 1, actCreate: 1, actWrite: 1, actTouch: 1, actDestroy: 1, actTick: 1, actLeap: 2, actRestart: 1, actSnapStart: 1, actSnapRead: 1, actSnapEnd: 1}},
	{"two nodes, a long separation", oblivious, 2, 4, 6, 7, 9,
		Budget{actCreate: 2, actWrite: 1, actDestroy: 2, actTick: 2, actSnapStart: 2, actSnapRead: 1, actSnapEnd: 2}},
	{"three nodes, a long separation", oblivious, 3, 3, 4, 6, 7,
		Budget{actCreate: 2, actWrite: 1, actDestroy: 1, actTick: 1, actSnapStart: 2, actSnapRead: 1, actSnapEnd: 2}},
	{"three nodes, a long separation and a restart", oblivious, 3, 2, 4, 6, 7,
		Budget{actCreate: 1, actDestroy: 1, actTick: 1, actRestart: 1, actSnapStart: 2, actSnapRead: 1, actSnapEnd: 1}},
	{"two nodes, tombstones are remembered", apart, 2, 4, 6, 7, 9,
		Budget{actCreate: 2, actWrite: 1, actDestroy: 2, actTick: 2, actSnapStart: 2, actSnapRead: 1, actSnapEnd: 2}},
	{"three nodes, tombstones are remembered", apart, 3, 3, 4, 6, 7,
		Budget{actCreate: 2, actWrite: 1, actDestroy: 1, actTick: 2, actSnapStart: 2, actSnapRead: 1, actSnapEnd: 2}},
	{"three nodes, tombstones are remembered, and a restart", apart, 3, 2, 4, 6, 7,
		Budget{actCreate: 1, actDestroy: 1, actTick: 2, actRestart: 1, actSnapStart: 2, actSnapRead: 1, actSnapEnd: 1}},
	{"two nodes, a short separation", brief, 2, 3, 6, 7, 9,
		Budget{actCreate: 1, actTouch: 2, actDestroy: 1, actTick: 3, actLeap: 2, actSnapStart: 1, actSnapRead: 1, actSnapEnd: 1}},
}

func (p profile) search(r Rules, depth int) *Search {
	return &Search{World: World{Params: p.params, Rules: r, Nodes: p.nodes}, Budget: p.budget, Ops: p.ops, Depth: depth}
}

func (p profile) depth() int {
	switch {
	case os.Getenv("MODEL_DEEP") != "":
		extra, _ := strconv.Atoi(os.Getenv("MODEL_DEEP"))
		return p.deep + extra - 1
	case testing.Short():
		return p.short
	}
	return p.norm
}

func report(t *testing.T, r Result) {
	t.Helper()
	for _, a := range r.Trace {
		t.Log("  ", a)
	}
}

// TestPromisesHoldInEveryInterleaving is the proof that the rules stand on: promises 1, 2, 3 and 5.
func TestPromisesHoldInEveryInterleaving(t *testing.T) {
	for _, p := range profiles {
		t.Run(p.name, func(t *testing.T) {
			r := p.search(Rules{}, p.depth()).Run()
			if r.Err != nil {
				t.Errorf("broken: %v", r.Err)
				report(t, r)
			}
			t.Logf("%d nodes, %d operations, every trace of up to %d actions: %d states", p.nodes, p.ops, r.Depth, r.States)
		})
	}
}
