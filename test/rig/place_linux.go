package rig

import "github.com/sessioncast/sessioncast/internal/nstest"

type namespace struct {
	net  *nstest.Net
	host int
}

func (n namespace) Do(f func()) { n.net.Do(n.host, f) }

// In is a host of a Net.
func In(n *nstest.Net, host int) Place { return namespace{n, host} }
