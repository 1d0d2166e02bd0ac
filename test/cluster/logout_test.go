package cluster

import (
	"fmt"
	"time"

	"github.com/sessioncast/sessioncast/internal/node"
	"github.com/sessioncast/sessioncast/internal/table"
)

var logouts = []body{
	{name: "a logout everywhere holds on all nodes", run: logoutEverywhere},
	{name: "a logout everywhere ends logins that were on their way", run: logoutOfLogins, long: true}, // on sockets a datagram may be overtaken
}

// loginOf makes a session of a user.
func (m *member) loginOf(name, user string) {
	m.bed.Helper()
	w := table.Write{
		Value: []byte(bodyMark + "login"), Owner: idMark + user, OwnerSet: true, Due: m.Table().Time(m.wall()) + time.Hour.Milliseconds(),
		If: table.IfAbsent, Explicit: true,
	}
	if res, err := m.Table().Put(m.wall(), key(name), &w); err != nil || !res.Done {
		m.bed.Fatalf("a login on %s: %v, %v", m.name, res.Done, err)
	}
}

// logOut logs a user out everywhere, but for some sessions, and waits for all.
func (m *member) logOut(user string, stays ...string) node.LoggedOut {
	m.bed.Helper()
	l := table.Logout{Owner: idMark + user, Except: func(name string) bool {
		for _, s := range stays {
			if name == idMark+s {
				return true
			}
		}
		return false
	}}
	res, err := m.LogOut(m.bed.Context(), 0, l, node.AckAll)
	if err != nil || res.Partial {
		m.bed.Fatalf("a logout everywhere on %s: %+v, %v", m.name, res, err)
	}
	return res
}

// owned is how many sessions of a user a node finds.
func (m *member) owned(user string) (n int) {
	m.Table().Owned(m.wall(), 0, idMark+user, 0, 1000, func(string, table.View) { n++ })
	return n
}

// Each node finds the sessions of a user, made on any; logged out on one they are gone on all, whatever late requests write, and the next login stays.
func logoutEverywhere(b *testbed) {
	nodes := b.hosts(4)
	for _, m := range nodes {
		m.loginOf("of ann on "+m.name, "ann")
		m.loginOf("of bob on "+m.name, "bob")
	}
	for _, m := range nodes {
		b.eventually(m.name+" finds all of them", func() bool { return m.owned("ann") == len(nodes) && m.owned("bob") == len(nodes) })
	}
	if res := nodes[2].logOut("ann", "of ann on a"); res.Destroyed != len(nodes)-1 {
		b.Errorf("%d sessions are destroyed", res.Destroyed)
	}
	for _, m := range nodes {
		_, _ = m.tryPut("of ann on b", "a late request") // where the logout is known it is refused, and yields to it elsewhere
	}
	for _, name := range []string{"b", "c", "d"} {
		b.allMiss(nodes, "of ann on "+name)
	}
	nodes[3].loginOf("the next", "ann")
	b.allRead(nodes, "the next", "login")
	b.allRead(nodes, "of ann on a", "login")
	for _, m := range nodes {
		b.eventually(m.name+" finds what is left", func() bool { return m.owned("ann") == 2 && m.owned("bob") == len(nodes) })
	}
	b.sameTables(nodes, patience)
	b.allHold(nodes, len(nodes)+2)
}

// The second look ends sessions that the node had not heard of when the user was logged out.
func logoutOfLogins(b *testbed) {
	nodes := b.hosts(4)
	for round := range 20 {
		user := fmt.Sprint("user ", round)
		nodes[0].loginOf("known to "+user, user)
		for _, m := range nodes[1:] {
			m.loginOf("from "+m.name+" to "+user, user)
		}
		if before := nodes[0].owned(user); before != 1 {
			b.Fatalf("%s has heard of %d sessions already", nodes[0].name, before)
		}
		if res := nodes[0].logOut(user); res.Destroyed != len(nodes) || res.Degraded {
			b.Errorf("round %d: %+v", round, res)
		}
		for _, m := range nodes {
			b.eventually("nothing of "+user+" is left on "+m.name, func() bool { return m.owned(user) == 0 })
		}
		nodes[1].loginOf("later to "+user, user)
		b.allRead(nodes, "later to "+user, "login")
	}
	b.sameTables(nodes, patience)
	b.allHold(nodes, 20)
}
