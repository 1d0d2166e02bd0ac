package record

import (
	"fmt"
	"time"

	"pgregory.net/rapid"

	"github.com/sessioncast/sessioncast/internal/hlc"
)

const (
	testLife = time.Hour
	testSkew = 5 * time.Second
)

func testOrigin(n int) Origin {
	var o Origin
	o.Node[0], o.Incarnation[0] = byte(n), byte(10-n)
	return o
}

// threeOrigins interns three origins; their refs are 1 to 3.
func threeOrigins() *Origins {
	o := new(Origins)
	for n := 1; n <= 3; n++ {
		o.Intern(testOrigin(n))
	}
	return o
}

func drawVersion(t *rapid.T, label string, from, to uint64) Version {
	return Version{
		At: hlc.Stamp(rapid.Uint64Range(from, to).Draw(t, label)),
		By: Ref(rapid.Uint32Range(1, 3).Draw(t, label+" by")),
	}
}

// testValue is the one value that was ever written at v.
func testValue(v Version) Value {
	data := []byte(fmt.Sprint(v))
	return Value{Version: v, Owner: "o", Bytes: data, Hash: ContentHash(0, "o", data)}
}

// drawValue draws a value written from a stamp on, half of the time with fields written by themselves since.
func drawValue(t *rapid.T, o *Origins, from uint64) Value {
	whole := testValue(drawVersion(t, "value", from, from+6))
	if rapid.Bool().Draw(t, "whole") {
		return whole
	}
	version := whole.Version
	var fields []Field
	for _, name := range []string{"", "a", "b", "cookie"} {
		if rapid.Bool().Draw(t, "without "+name) {
			continue
		}
		v := drawVersion(t, name, uint64(whole.At), uint64(whole.At)+4)
		f := Field{Name: name, At: v.At, Removed: rapid.Bool().Draw(t, "removed")}
		if !f.Removed {
			f.Bytes = fmt.Append(nil, v)
		}
		if o.Later(v, version) {
			version = v
		}
		fields = append(fields, f)
	}
	p := Patched(version, "o", whole.Version, whole.Bytes, fields)
	p.Hash = o.ValueHash(&p)
	return p
}

func testDeadline(v Version) Deadline {
	d := Deadline{Version: v}
	if v.At%4 != 0 {
		d.Due = int64(v.At) * 1000
		d.Promise = d.Due + int64(v.At%3)*1000
	}
	return d
}

// drawBirth draws one of a limited number of births, whose identity determines what never changes.
func drawBirth(t *rapid.T, o *Origins) Birth {
	id := drawVersion(t, "id", 1, 24)
	at := uint64(id.At)
	return Birth{
		ID:       id,
		Seq:      at*3 + uint64(id.By),
		Weak:     (at+uint64(id.By))%2 == 0,
		Value:    drawValue(t, o, at),
		Deadline: testDeadline(drawVersion(t, "deadline", at, at+6)),
		Latest:   rapid.Int64Range(0, 4).Draw(t, "latest") * 10_000,
		Span:     rapid.Int64Range(0, 3).Draw(t, "span") * 10_000,
		Absolute: int64(at) * 100_000,
	}
}

func drawTomb(t *rapid.T) Tombstone {
	if rapid.Bool().Draw(t, "no tombstone") {
		return Tombstone{}
	}
	return Tombstone{
		At:    hlc.Stamp(rapid.Uint64Range(1, 12).Draw(t, "T")),
		Until: rapid.Int64Range(1, 5).Draw(t, "until"),
		Hold:  hlc.Stamp(rapid.Uint64Range(0, 18).Draw(t, "hold")),
	}
}

// drawState draws a state as nodes have them: the join of single births and tombstones.
func drawState(t *rapid.T, o *Origins, floor hlc.Stamp) State {
	var s State
	for range rapid.IntRange(0, 30).Draw(t, "births") {
		o.Merge(&s, &State{Births: []Birth{drawBirth(t, o)}}, floor)
	}
	o.Merge(&s, &State{Tomb: drawTomb(t)}, floor)
	return s
}
