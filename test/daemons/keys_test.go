//go:build linux

package daemons

import (
	"strings"
	"testing"
	"time"

	"github.com/sessioncast/sessioncast/internal/nstest"
	"github.com/sessioncast/sessioncast/test/rig"
)

func TestDaemonsWithDifferentKeysStayApartAndSaySoOnce(t *testing.T) {
	rig.Namespaces(t, 2, func(t *testing.T, n *nstest.Net) {
		site := rig.NewSite(t)
		daemons := []*rig.Daemon{
			site.Serve(rig.In(n, 0), "one"),
			site.Serve(rig.In(n, 1), "two", "--key-file", site.NewKey("other")),
		}
		for i, d := range daemons {
			d.Wait(1)
			if err := clientIn(t, d.Place).Set(background(t), "of "+d.Name, i, time.Hour).Err(); err != nil {
				t.Fatal(err)
			}
		}
		for _, d := range daemons {
			rig.Eventually(t, d.Name+" hears the other for a while", func() bool { return d.Status().Counters.Drops["key"] >= 10 })
			s := d.Status()
			if s.Sessions != 1 || len(s.Members) != 1 {
				t.Errorf("%s has %d sessions and %d members", d.Name, s.Sessions, len(s.Members))
			}
			if said := strings.Count(d.Log(), "another cluster key"); said != 1 {
				t.Errorf("%s says %d times that there is another key:\n%s", d.Name, said, d.Log())
			}
		}
	})
}
