package bridge

import (
	"encoding/json"
	"testing"
	"time"
)

// FuzzReceive: whatever comes, what is stored is a session, and what is sent is something that originals live with.
func FuzzReceive(f *testing.F) {
	for _, text := range []string{
		helloA, greetingA, asks, newSession("one", `"n":1`), newSession("one", `"n":{"a":[1,"\ud83d\ude00",null]}`),
		`{"sid":"one","status":"destroy","type":"session"}`, `{"status":"destroy","type":"node"}`,
		`{"type":"question","status":"answer","question":"existingSessions","sessions":[{"sid":"a","session":{"cookie":{}},"ttl":60,"_id":"x"}],"from":"10.0.0.1"}`,
		string(created("two", value(`"n":1`))), string(hello(hostA)), string(question()), `x`, `null`, `{"status":"new"}`,
		`{"dataset":{"sid":"one","ttl":"1e9","session":{"cookie":{"expires":false},"save":"one","__proto__":1}},"status":"new","type":"session"}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		w := begun(t)
		w.have("one", `"n":1`)
		w.core.Happened(Created, "one")
		w.hear(hostA, greetingA)
		w.core.Receive(w.now, hostA, text)
		w.core.Receive(w.now, hostB, text)
		w.pass(time.Minute)
		for sid, s := range w.store.m {
			if sid == "" || len(sid) > 100 || !json.Valid(s.Value) || depth(s.Value) > MaxDepth || checkCookie(must(t, s.Value)) != nil {
				t.Errorf("%q is %q", sid, s.Value)
			}
			if s.Due != 0 && time.UnixMilli(s.Due).After(w.now.Add(MaxLife)) {
				t.Errorf("%q ends at %d", sid, s.Due)
			}
		}
	})
}

func must(t *testing.T, value []byte) json.RawMessage {
	list, err := fieldsOf(value)
	if err != nil {
		t.Fatal(err)
	}
	if find(list, "save") != nil {
		t.Errorf("what originals put there was kept: %s", value)
	}
	return find(list, "cookie")
}
