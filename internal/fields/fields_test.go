package fields

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/sessioncast/sessioncast/internal/record"
)

func TestSplitTakesTheTopLevelApart(t *testing.T) {
	members, err := Split([]byte(" {\"a\" : {\"x\":[1,\"}]\"],\"y\":null} ,\n\"b\\u0041\":-1.5e3,\"c\":\"a \\\" , }\", \"d\":true,\"e\":[]}\n"))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, m := range members {
		got = append(got, m.Name+"="+string(m.Value))
	}
	want := []string{`a={"x":[1,"}]"],"y":null}`, `bA=-1.5e3`, `c="a \" , }"`, `d=true`, `e=[]`}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if members, err := Split([]byte("{}")); err != nil || len(members) != 0 {
		t.Errorf("an empty object: %v, %v", members, err)
	}
}

func TestWhatIsNoObjectIsRefused(t *testing.T) {
	for _, text := range []string{"", "[]", "1", "null", `"{}"`, "{", `{"a":}`, `{"a":1}x`, "\xff"} {
		if members, err := Split([]byte(text)); err != ErrNoObject {
			t.Errorf("%q: %v, %v", text, members, err)
		}
	}
}

func TestRenderShowsTheLaterFields(t *testing.T) {
	whole := []byte(`{"cookie":{"maxAge":1}, "views":1,"old":[ 1 ],"views":2}`)
	list := []record.Field{{Name: "cart", Bytes: []byte(`[1]`)}, {Name: "old", Removed: true}, {Name: "quote\"<", Bytes: []byte(`"é"`)}, {Name: "views", Bytes: []byte("3")}, {Name: "was never", Removed: true}}
	if got, want := string(Render(nil, whole, list)), `{"cookie":{"maxAge":1},"views":3,"cart":[1],"quote\"\u003c":"é"}`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got := string(Render([]byte("x"), []byte("no object"), list)); got != "xno object" {
		t.Errorf("%s", got)
	}
}

func TestCheckRefusesWhatIsNoField(t *testing.T) {
	for _, m := range []Member{{strings.Repeat("x", record.MaxFieldName+1), []byte("1")}, {"a", nil}, {"a", []byte("{")}, {"a", []byte("1 2")}} {
		if m.Check() == nil {
			t.Errorf("%q: %q is taken", m.Name[:1], m.Value)
		}
	}
	if m := (Member{"", []byte(` {"a":1} `)}); m.Check() != nil {
		t.Error(m.Check())
	}
}

// What Split takes apart, Render puts together again.
func TestRenderOfEveryMemberIsTheObject(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		object := rapid.MapOf(rapid.String(), rapid.SampledFrom([]any{nil, 1.5, "a\"}{", []any{"x", map[string]any{"]": "["}}, true})).Draw(t, "object")
		text, err := json.Marshal(object)
		if err != nil {
			t.Fatal(err)
		}
		members, err := Split(text)
		if err != nil || len(members) != len(object) {
			t.Fatalf("%d of %d members, %v", len(members), len(object), err)
		}
		var list []record.Field
		for _, m := range members {
			if m.Check() != nil {
				t.Fatal(m.Check())
			}
			list = append(list, record.Field{Name: m.Name, Bytes: m.Value})
		}
		for _, shown := range [][]byte{Render(nil, text, nil), Render(nil, []byte("{}"), list), Render(nil, text, list)} {
			var got map[string]any
			if err := json.Unmarshal(shown, &got); err != nil || !reflect.DeepEqual(got, object) {
				t.Fatalf("%s of %s: %v", shown, text, err)
			}
		}
	})
}

func FuzzSplit(f *testing.F) {
	for _, s := range []string{`{}`, `{"a":1}`, ` { "a" : [ "}" ] , "\u0000" : { } } `, `{"a":"\\"}`, `[`, `{"":0,"":1}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		members, err := Split(text)
		var object map[string]json.RawMessage
		if valid := json.Unmarshal(text, &object) == nil && object != nil; valid != (err == nil) {
			t.Fatalf("%v, and as JSON it is an object: %v", err, valid)
		}
		for i := range members {
			if !json.Valid(members[i].Value) {
				t.Fatalf("member %d is %q", i, members[i].Value)
			}
		}
		if err == nil && !json.Valid(Render(nil, text, nil)) {
			t.Fatal("it is not rendered as JSON")
		}
	})
}

// SplitValid does not look whether its text is JSON. Whatever it gets, it says what Split says where that says something, and takes nothing from beyond.
func FuzzSplitValid(f *testing.F) {
	for _, text := range []string{`{}`, `{"a":1,"b":[{"c":"}"}],"d":"\""}`, ` { "a" : null , "b" : -1.5e3 } `, `{"a"`, `{"a":`, `{"a":"`, `{"a":"\`, `{"a":1,}`, `{,}`, `{"a":1}x`, `{"a":[}`, `{"a"1}`, `{:1}`, `{"":1}`, ``, `[`, `{"a":}`, `"`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		want, err := Split(text)
		got, quickErr := SplitValid(text)
		if err == nil && (quickErr != nil || !reflect.DeepEqual(got, want)) {
			t.Errorf("%q: %v, %v", text, got, quickErr)
		}
		size := 0
		for _, m := range got {
			size += len(m.Value)
		}
		if size > len(text) {
			t.Errorf("%q: %d bytes of members", text, size)
		}
		if !json.Valid(text) && err == nil {
			t.Errorf("%q is taken", text)
		}
		Render(nil, text, []record.Field{{Name: "a", Bytes: []byte("1")}})
	})
}

func session4K() []byte {
	var b strings.Builder
	b.WriteString(`{"cookie":{"originalMaxAge":1800000,"expires":"2026-11-23T22:00:00.000Z","httpOnly":true,"path":"/"},"views":1,"cart":[`)
	for i := range 100 {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(`{"article":1000,"amount":2,"note":"gift"}`)
	}
	b.WriteString(`]}`)
	return []byte(b.String())
}

func BenchmarkRender(b *testing.B) {
	whole := session4K()
	list := []record.Field{{Name: "views", Bytes: []byte("2")}}
	b.SetBytes(int64(len(whole)))
	var dst []byte
	for b.Loop() {
		dst = Render(dst[:0], whole, list)
	}
}

func BenchmarkSplit(b *testing.B) {
	whole := session4K()
	b.SetBytes(int64(len(whole)))
	for b.Loop() {
		if _, err := Split(whole); err != nil {
			b.Fatal(err)
		}
	}
}
