package admin

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sessioncast/sessioncast/internal/engine"
	"github.com/sessioncast/sessioncast/internal/wire"
)

// Finding is something worth an operator's attention.
type Finding struct {
	Key  string // of its kind and subject, the same as long as it lasts
	Text string // one sentence, with what to do
}

const (
	lossWarn     = 0.01
	lateWarn     = 200 * time.Millisecond
	stillWarn    = time.Second
	offsetWarn   = 500 * time.Millisecond
	offsetMax    = 5 * time.Second
	aloneAfter   = 10 * time.Second
	joiningAfter = 10 * time.Second
	heardAfter   = 3 * time.Second // after a member came, until its first heartbeats must have arrived
)

// Findings looks for what is not as it should be, the gravest first.
func (r *Reading) Findings() []Finding {
	if r.State == 0 {
		return nil
	}
	return slices.Concat(r.secrecyFindings(), r.clockFindings(), r.loadFindings(), r.memberFindings(), r.lookupFindings(), r.socketFindings())
}

func (r *Reading) secrecyFindings() (list []Finding) {
	if r.Insecure {
		list = append(list, Finding{"insecure",
			"--insecure is on: whoever reaches the group reads, changes and adds sessions. Leave it out to use a cluster key."})
	}
	for _, a := range r.Strange {
		list = append(list, Finding{"key " + a.String(), fmt.Sprintf(
			"A node at %s uses another cluster key. If it belongs here, copy this node's key file there; if not, give the clusters different ports (--port).", a)})
	}
	return list
}

// clockFindings says what clients that write get to read.
func (r *Reading) clockFindings() []Finding {
	if r.Clock == nil {
		return nil
	}
	return []Finding{{"own clock", "Writes are refused here: " + r.Clock.Error() + "."}}
}

func (r *Reading) loadFindings() (list []Finding) {
	now, before := &r.Counts, &r.Before
	if r.syncedPeers() == 0 { // nobody waits for what is sent, and what is received is our own
		before = now
	}
	add := func(key string, count uint64, what, format string) {
		if count > 0 {
			list = append(list, Finding{key, fmt.Sprintf(format, Count(count, what))})
		}
	}
	list = append(list, r.incompleteFindings()...)
	list = append(list, r.fullFindings()...)
	list = append(list, r.ackFindings()...)
	list = append(list, r.foreignFindings()...)
	kernel := "The kernel dropped %s in the last minute because the receive buffer was full: raise net.core.rmem_max, or give this host more CPU."
	switch {
	case r.flooded():
		kernel = "The kernel dropped %s in the last minute because the receive buffer was full, of what is not of this cluster and of what is."
	case now.Engine.StoodStill > before.Engine.StoodStill:
		kernel = "The kernel dropped %s in the last minute, in which this node stood still: it was stopped, or its host had no time for it, and its receive buffer ran full meanwhile."
	}
	add("kernel", now.Link.KernelDrops-before.Link.KernelDrops, "datagram", kernel)
	add("diverged", now.Engine.Divergences-before.Engine.Divergences, "time",
		"Tables differed %s in the last minute although no change was missing, and were made equal. That is ordinary after a node died; if it happens without, please report it.")
	add("backlog", now.Engine.BacklogDropped-before.Engine.BacklogDropped, "change",
		"%s of the last minute found the backlog full and reach the peers by transfer: the network or a peer is too slow for this rate of writes.")
	add("cloned", now.Engine.ClonesFound, "time",
		"This process was found running twice, %s: its machine was cloned while it ran. Each goes on as a run of its own; restart one with another --name.")
	add("seal", now.Engine.SealRefused, "frame", "%s could not be encrypted. Restart this node and report it.")
	return list
}

func (r *Reading) memberFindings() (list []Finding) {
	list = append(list, r.unprovenFindings()...)
	list = append(list, r.shutFindings()...)
	list = append(list, r.copiesFindings()...)
	others := len(r.Strange) + len(r.Unproven)
	for _, m := range r.present() {
		if m.Self {
			list = append(list, aboutSelf(&m)...)
			continue
		}
		others++
		if m.State != wire.Dead {
			list = append(list, r.aboutMember(&m)...)
		} else if !m.Left && !m.Unheard {
			list = append(list, r.aboutDead(&m))
		}
		list = append(list, aboutHearing(&m)...)
	}
	if r.State == wire.Joining && r.Full.Lacks.IsZero() && len(r.shutOut()) == 0 && r.At.Sub(r.Started) > joiningAfter {
		list = append(list, r.aboutJoining())
	}
	if others == 0 && r.State == wire.Synced && r.At.Sub(r.Started) > aloneAfter {
		where := fmt.Sprintf("compare group (%s) and key", r.Group)
		if r.Mode == "unicast" {
			where = "see that --peers names it, here or there, and compare the keys"
		}
		list = append(list, Finding{"alone", fmt.Sprintf(
			"No other node is heard. If one runs, %s, and let UDP and TCP through its firewall and this one's.", where)})
	}
	list = append(list, r.shortFindings()...)
	return append(list, r.duplicates()...)
}

// aboutHearing says that m, though it is heard, takes this node for silent: who hears nothing may call it dead, and be called so in turn.
func aboutHearing(m *engine.Member) []Finding {
	if !m.Unheard {
		return nil
	}
	name := Printable(memberName(m))
	return []Finding{{"unheard " + name, fmt.Sprintf(
		"Nothing of this node arrives at %s, multicast or unicast, though %s is heard here: check the cables between them, and the firewall there.", name, name)}}
}

// aboutSelf says when this node itself is what is slow.
func aboutSelf(m *engine.Member) []Finding {
	if m.Late < lateWarn {
		return nil
	}
	if m.Late >= stillWarn {
		return []Finding{{"late", fmt.Sprintf(
			"This node stood still for %s within the last seconds%s: it was stopped or suspended, or its host had no time for it.", Ago(m.Late), patience(m.Stretch))}}
	}
	return []Finding{{"late", fmt.Sprintf(
		"This node ran late by up to %s within the last seconds%s: it, or its host, is overloaded.",
		Ago(m.Late), patience(m.Stretch))}}
}

// patience words the time given to peers where it is longer than usual.
func patience(stretch int) string {
	if stretch <= 1 {
		return ""
	}
	return fmt.Sprintf(", and gives its peers %d times the usual time to answer", stretch)
}

func (r *Reading) aboutMember(m *engine.Member) (list []Finding) {
	name := Printable(memberName(m))
	add := func(key, format string, args ...any) {
		list = append(list, Finding{key + " " + name, fmt.Sprintf(format, args...)})
	}
	if m.State == wire.Suspect {
		add("silent", "%s has been silent for %s and is being probed.", name, Ago(m.Silence))
		return list
	}
	if key, text := r.aboutReach(m, name); key != "" {
		add(key, "%s", text)
	}
	if m.Lacking {
		add("lacking", "%s lacks sessions for which it has no room, and is not ready: give it as much --max-memory as the others have.", name)
	}
	if m.Incomplete {
		add("incomplete", "%s lacks sessions: who gave them to it went away before it had all. Its own status says about how many.", name)
	}
	if m.Aside {
		add("slow", "%s receives far worse than the others: this node does not wait for it, and it pulls what it lacks. Look there for a busy CPU, a small receive buffer or a bad cable.", name)
	}
	switch {
	case m.ViaOthers:
		add("deaf", "Nothing of %s arrives here, although others hear it: check the firewalls and cables between it and this node.", name)
	case r.Mode == "unicast" && m.State == wire.Synced && !m.Copied && r.known(m) > heardAfter:
		add("no-copies", "%s sends no copies of its changes to this node, which hears no multicast, so they come late: give both --mode auto.", name)
	case r.Mode == "unicast":
	case r.byCopiesAlone(m), r.missedHere(m): // aboutReach, and copiesFindings, say so
	case m.State == wire.Synced && !m.Multicast && r.known(m) > heardAfter:
		add("no-multicast", "No multicast of %s arrives here, only unicast, so its changes come late: check this node's firewall and IGMP snooping on the switch between.", name)
	case m.Loss > lossWarn && r.flooded():
		add("loss", "%s of %s's datagrams did not arrive here lately, and had to be asked for again: there is no room for them beside what is not of this cluster.", Percent(m.Loss), name)
	case m.Loss > lossWarn:
		add("loss", "%s of %s's datagrams did not arrive here lately, and had to be asked for again: look for a small receive buffer, a busy CPU or Wi-Fi.", Percent(m.Loss), name)
	}
	if m.Deaf && !m.ShutIn && !m.Unheard && m.State == wire.Synced {
		add("unanswering", "%s confirms no writes of this node, though it lives: it is overloaded, stopped or full, or nothing of this node arrives there. No write waits for it until it answers again.", name)
	}
	switch off := m.Offset.Abs(); {
	case off > offsetMax:
		add("clock", "%s's clock is %s %s this node's, more than the limit of %s: who is ahead of most others refuses writes. Run an NTP client on both.",
			name, Ago(off), direction(m.Offset), Ago(offsetMax))
	case off > offsetWarn:
		add("clock", "%s's clock is %s %s this node's: sessions end that much late. Run an NTP client on both.", name, Ago(off), direction(m.Offset))
	}
	return list
}

// aboutDead says since when a member is missing, and how that was seen.
func (r *Reading) aboutDead(m *engine.Member) Finding {
	name := Printable(memberName(m))
	how := "nothing of it has arrived since, and it answered no probe, nor did others hear it: it is stopped or cut off, or its host is down"
	if m.Killed {
		how = "its process ended without a goodbye"
	}
	return Finding{"dead " + name, fmt.Sprintf("%s at %s has been dead for %s, since %s UTC: %s.", name, addrText(m.Addr), Ago(m.Silence),
		r.At.Add(-m.Silence).UTC().Format(time.TimeOnly), how)}
}

// aboutReach says what is wrong where this node's multicast does not reach m; loss is not.
func (r *Reading) aboutReach(m *engine.Member, name string) (key, text string) {
	switch {
	case r.Mode == "unicast":
	case m.Unheard: // aboutHearing says so
	case r.Mode == "multicast" && m.State == wire.Synced && !m.HearsUs && r.known(m) > heardAfter:
		return "one-way", name + " does not hear this node's multicast, and --mode multicast sends it no copies, so this node's changes come late there: check the firewall there and IGMP snooping on the switch between, or give all nodes --mode auto."
	case m.Unreached, r.byCopiesAlone(m): // copiesFindings says so
	case m.State == wire.Synced && !m.HearsUs && !m.Copies && r.known(m) > heardAfter:
		return "one-way", name + " does not hear this node's multicast, only the other way round: check the firewall there and IGMP snooping on the switch between."
	}
	return "", ""
}

// apart reports whether no multicast passes between m and this node, and never has.
func (r *Reading) apart(m *engine.Member) bool {
	return r.Roster != nil && !m.Multicast && !m.HearsUs && !r.Roster.Met(m.Origin)
}

// lookupFindings says which configured peers cannot be found.
func (r *Reading) lookupFindings() (list []Finding) {
	for _, text := range r.Lookups {
		list = append(list, Finding{"lookup " + text, sentence(text) + "."})
	}
	return list
}

// aboutJoining says why a node does not get the others' sessions, which come by TCP.
func (r *Reading) aboutJoining() Finding {
	var donors []string
	for _, m := range r.present() {
		if isSyncedPeer(&m) && len(donors) < maxNamed {
			donors = append(donors, m.Addr.String())
		}
	}
	text := fmt.Sprintf("This node has been joining for %s, with %s.", Ago(r.At.Sub(r.Started)), Count(r.Counts.Engine.FetchesFailed, "failed transfer"))
	if len(donors) > 0 {
		text += fmt.Sprintf(" Its peers' sessions come by TCP from %s: let that through the firewalls there, and the answers through the one here.", strings.Join(donors, " or "))
	}
	return Finding{"joining", text}
}

// known is how long m has been there.
func (r *Reading) known(m *engine.Member) time.Duration {
	if r.Roster == nil {
		return r.At.Sub(r.Started)
	}
	return r.Roster.Known(m.Origin)
}

func direction(offset time.Duration) string {
	if offset < 0 {
		return "behind"
	}
	return "ahead of"
}

// duplicates finds names that two living members have.
func (r *Reading) duplicates() (list []Finding) {
	seen := map[string]string{}
	for _, m := range r.present() {
		if m.State == wire.Dead {
			continue
		}
		name, at := Printable(memberName(&m)), addrText(m.Addr)
		if m.Self {
			at = "this node"
		}
		if other, twice := seen[name]; twice {
			list = append(list, Finding{"name " + name, fmt.Sprintf(
				"Two running nodes have the name %s (%s and %s): give one another --name.", name, other, at)})
		}
		seen[name] = at
	}
	return list
}

func (r *Reading) socketFindings() (list []Finding) {
	for _, a := range r.Advice {
		list = append(list, Finding{"socket " + a, sentence(a)})
	}
	return list
}

// sentence begins with a capital. It gets no full stop, since an advice may end with a command to copy.
func sentence(s string) string {
	if s != "" && s[0] >= 'a' && s[0] <= 'z' {
		return string(s[0]-'a'+'A') + s[1:]
	}
	return s
}
