package table

import (
	"strings"
	"testing"

	"github.com/sessioncast/sessioncast/internal/fields"
)

// session4K is a session as Express keeps it, with a counter before what is long.
func session4K() []byte {
	items := strings.TrimSuffix(strings.Repeat(`{"article":1000,"amount":2,"note":"gift"},`, 100), ",")
	return []byte(`{"cookie":{"originalMaxAge":1800000,"expires":"2026-11-23T22:00:00.000Z","httpOnly":true,"path":"/"},"views":1,"cart":[` + items + `]}`)
}

// What an Express request costs that changes a field: the session is read, and patched.
func BenchmarkPatched(b *testing.B) {
	t, all, _ := benchTable()
	for _, name := range all[:32] {
		_, _ = t.Put(t0, key(name), &Write{Value: session4K(), Due: t0 + hour})
		_, _ = t.Patch(t0, key(name), &Patch{Set: []fields.Member{{Name: "views", Value: []byte("2")}}, Due: t0 + hour})
	}
	b.Run("look", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			t.Look(t0, key(all[i&31]), func(View) {})
		}
	})
	b.Run("patch", func(b *testing.B) {
		b.ReportAllocs()
		values := [][]byte{[]byte("3"), []byte("4")}
		w := Patch{Set: []fields.Member{{Name: "views"}}, Due: t0 + hour}
		for i := 0; b.Loop(); i++ {
			w.Set[0].Value = values[i>>5&1]
			if res, err := t.Patch(t0, key(all[i&31]), &w); err != nil || !res.Done {
				b.Fatal(res, err)
			}
		}
	})
}
