package rig

import (
	"testing"

	"github.com/sessioncast/sessioncast/internal/nstest"
)

// Namespaces is nstest.Run for tests that use Binary.
func Namespaces(t *testing.T, hosts int, body func(t *testing.T, n *nstest.Net)) {
	t.Helper()
	Binary(t) // before the test may move to where it cannot be built
	nstest.Run(t, hosts, body)
}

type namespace struct {
	net  *nstest.Net
	host int
}

func (n namespace) Do(f func()) { n.net.Do(n.host, f) }

// In is a host of a Net.
func In(n *nstest.Net, host int) Place { return namespace{n, host} }
