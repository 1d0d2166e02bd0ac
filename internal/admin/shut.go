package admin

import (
	"fmt"
	"strings"
	"time"

	"github.com/sessioncast/sessioncast/internal/engine"
	"github.com/sessioncast/sessioncast/internal/wire"
)

// shutMembers are the living members between which and this node unicast is shut in exactly these directions.
func (r *Reading) shutMembers(fits func(in, out bool) bool) (list []engine.Member) {
	for _, m := range r.present() {
		if !m.Self && m.State != wire.Dead && (m.ShutIn || m.ShutOut) && fits(m.ShutIn, m.ShutOut) {
			list = append(list, m)
		}
	}
	return list
}

// shutFindings name the members with which only multicast is exchanged, in which direction, and the port to open.
func (r *Reading) shutFindings() (list []Finding) {
	here := r.Address.Port()
	add := func(key, format string, in, out bool) {
		if members := r.shutMembers(func(i, o bool) bool { return i == in && o == out }); len(members) > 0 {
			there := members[0].Addr.Port()
			list = append(list, Finding{key, strings.NewReplacer("{members}", namedMembers(members), "{time}", Ago(longestShut(members)),
				"{here}", fmt.Sprint(here), "{there}", fmt.Sprint(there)).Replace(format)})
		}
	}
	add("shut", "Between this node and {members} only multicast has passed for {time}, unicast in neither direction: neither side confirms the other's writes, nor repairs what is lost. Open UDP and TCP port {here} in the firewall here, and port {there} in the one there.", true, true)
	add("shut in", "Unicast of {members} has not arrived here for {time}, only multicast: no writes of this node are confirmed from there, and none waits for that. Open UDP and TCP port {here} in this node's firewall, and let it out there.", true, false)
	add("shut out", "Unicast of this node has not arrived at {members} for {time}, only multicast: this node cannot confirm the writes made there. Open UDP and TCP port {there} in the firewall there, and let it out here.", false, true)
	return list
}

func longestShut(members []engine.Member) (longest time.Duration) {
	for i := range members {
		longest = max(longest, members[i].Shut)
	}
	return longest
}

func namedMembers(members []engine.Member) string {
	var names []string
	for i := range members {
		names = append(names, Printable(memberName(&members[i]))+" at "+addrText(members[i].Addr))
	}
	return enumerate(names)
}

// enumerate lists the first few.
func enumerate(names []string) string {
	if more := len(names) - maxNamed; more > 0 {
		names = append(names[:maxNamed:maxNamed], fmt.Sprintf("%d more", more))
	}
	if last := len(names) - 1; last > 0 {
		return strings.Join(names[:last], ", ") + " and " + names[last]
	}
	return strings.Join(names, "")
}

// unconfirming says why writes are not confirmed where that is known, as the end of a clause.
func (r *Reading) unconfirming() string {
	members := r.shutMembers(func(in, _ bool) bool { return in })
	if len(members) == 0 {
		return ""
	}
	var names []string
	for i := range members {
		names = append(names, Printable(memberName(&members[i])))
	}
	return fmt.Sprintf("; unicast of %s does not arrive here: open UDP port %d", enumerate(names), r.Address.Port())
}
