package admin

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// fetchingText says how far a joiner is. What the giver has may change meanwhile.
func (s *Status) fetchingText() string {
	for i := range s.Members {
		if m := &s.Members[i]; m.Giving {
			return fmt.Sprintf("Joining: fetching the sessions of the cluster from %s, %s of about %s so far.", m.Name, Thousands(s.Sessions), Thousands(m.Sessions))
		}
	}
	return fmt.Sprintf("Joining: fetching the sessions of the cluster, %s so far.", Count(s.Sessions, "session"))
}

// verdict is the state of the cluster, as seen from here, in one sentence.
func (s *Status) verdict() string {
	switch s.State {
	case "starting":
		return "Starting."
	case "joining":
		if s.Reason != "" && s.Reason != fetching {
			return fmt.Sprintf("Joining, with %s so far; not ready: %s.", Count(s.Sessions, "session"), s.Reason)
		}
		return s.fetchingText()
	case "leaving":
		return "Leaving the cluster."
	}
	synced, all, missing := 0, 0, []string{}
	for i := range s.Members {
		m := &s.Members[i]
		switch m.State {
		case "left":
			continue
		case "synced":
			if lack := m.lack(); lack == "" {
				synced++
			} else if !m.Self || s.Reason == "" { // the reason says it otherwise
				missing = append(missing, m.Name+" "+lack)
			}
		default:
			missing = append(missing, m.trouble())
		}
		all++
	}
	if all == 1 {
		return fmt.Sprintf("Synced, but alone: no other node is heard. %s.", Count(s.Sessions, "session"))
	}
	text := fmt.Sprintf("%d of %d members synced, %s, %s", synced, all, Count(s.Sessions, "session"), s.lossText())
	if shut := s.shut(); len(shut) > 0 {
		text += "; unicast with " + enumerate(shut) + " is shut"
	}
	if deaf := s.deaf(); len(deaf) > 0 {
		text += "; nothing of " + s.Node + " arrives at " + enumerate(deaf)
	}
	if silent := s.viaOthers(); len(silent) > 0 {
		text += "; nothing of " + enumerate(silent) + " arrives at " + s.Node
	}
	if a := &s.Acks; a.Unconfirmed10s > 0 {
		text += fmt.Sprintf("; %s of %s in the last ten seconds unconfirmed", Thousands(a.Unconfirmed10s), Count(a.Waited10s, "write"))
	}
	if len(missing) > maxNamed {
		missing = append(missing[:maxNamed], fmt.Sprintf("and %d more", len(missing)-maxNamed))
	}
	if len(missing) > 0 {
		text += "; " + strings.Join(missing, ", ")
	}
	if s.Reason != "" {
		text += "; not ready: " + s.Reason
	}
	return text + "."
}

// lack says what keeps a member that is synced from having every session; empty: nothing.
func (m *Member) lack() string {
	switch {
	case m.Lacking:
		return "has no room for all sessions"
	case m.Incomplete:
		return "lacks sessions that another took with it"
	}
	return ""
}

// shut names the members with which only multicast is exchanged, in one direction at least.
func (s *Status) shut() (names []string) {
	for i := range s.Members {
		if m := &s.Members[i]; m.live() && (m.ShutIn || m.ShutOut) {
			names = append(names, m.Name)
		}
	}
	return names
}

// deaf names the members at which nothing of this node arrives.
func (s *Status) deaf() (names []string) {
	for i := range s.Members {
		if m := &s.Members[i]; m.live() && m.Unheard {
			names = append(names, m.Name)
		}
	}
	return names
}

// viaOthers names the members of which nothing arrives at this node, though others hear them.
func (s *Status) viaOthers() (names []string) {
	for i := range s.Members {
		if m := &s.Members[i]; m.live() && m.ViaOthers {
			names = append(names, m.Name)
		}
	}
	return names
}

// maxNamed is how many members a sentence names.
const maxNamed = 3

func (m *Member) trouble() string {
	if m.State == "dead" || m.State == "suspect" {
		return fmt.Sprintf("%s is %s, last heard %s ago", m.Name, m.State, Ago(time.Duration(m.SilenceMS)*time.Millisecond))
	}
	return m.Name + " is " + m.State
}

func (s *Status) lossText() string {
	if s.Counters.Loss == 0 {
		return "no loss"
	}
	return "loss up to " + Percent(s.Counters.Loss) + " (repaired)"
}

// Count writes a number of things, as "1 session" or "18,204 sessions".
func Count[N ~int | ~int64 | ~uint64](n N, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return Thousands(n) + " " + thing + "s"
}

// Thousands writes a number with commas.
func Thousands[N ~int | ~int64 | ~uint64](n N) string {
	text := strconv.FormatInt(int64(n), 10)
	for i := len(text) - 3; i > 0 && text[i-1] != '-'; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// Percent writes a share, so that a small one does not read as none.
func Percent(share float64) string {
	switch p := share * 100; {
	case p == 0:
		return "0 %"
	case p < 0.1:
		return "<0.1 %"
	case p < 10:
		return strconv.FormatFloat(p, 'f', 1, 64) + " %"
	default:
		return strconv.FormatFloat(p, 'f', 0, 64) + " %"
	}
}

// Ago writes a time with the one or two units that matter.
func Ago(d time.Duration) string {
	s := int64(d.Seconds())
	switch {
	case d < time.Second:
		return strconv.FormatInt(d.Milliseconds(), 10) + " ms"
	case s < 60:
		return fmt.Sprintf("%d s", s)
	case s < 3600:
		return fmt.Sprintf("%d min", s/60)
	case s < 86400:
		return fmt.Sprintf("%d h %d min", s/3600, s%3600/60)
	}
	return fmt.Sprintf("%d d %d h", s/86400, s%86400/3600)
}

// Bytes writes a size as people read it.
func Bytes[N ~int | ~int64 | ~uint64](n N) string {
	f, unit := float64(n), 0
	units := []string{"B", "KiB", "MiB", "GiB", "TiB", "PiB"}
	for f >= 1024 && unit < len(units)-1 {
		f, unit = f/1024, unit+1
	}
	if unit == 0 || f >= 100 {
		return strconv.FormatFloat(f, 'f', 0, 64) + " " + units[unit]
	}
	return strconv.FormatFloat(f, 'f', 1, 64) + " " + units[unit]
}

// Printable replaces what a terminal would obey rather than show: names come from other hosts.
func Printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r == unicode.ReplacementChar || !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, s)
}
