package daemon

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/sessioncast/sessioncast/internal/admin"
)

const (
	statusWidth  = 80
	minNameWidth = 12
)

// renderStatus writes a status for people, 80 columns wide: the verdict, this node, the members, what to look at.
func renderStatus(s *admin.Status) string {
	var b strings.Builder
	b.WriteString(wrap(s.Verdict, ""))
	if s.State == "starting" { // there is nothing to tell yet
		return b.String()
	}
	b.WriteString("\n")
	writeNode(&b, s)
	if len(s.Members) > 0 {
		b.WriteString("\n")
		writeTable(&b, memberTable(s.Members))
	}
	if len(s.Findings) > 0 {
		b.WriteString("\nWorth a look:\n")
		for _, f := range s.Findings {
			b.WriteString("- " + strings.TrimPrefix(wrap(f, "  "), "  "))
		}
	}
	return b.String()
}

func writeNode(b *strings.Builder, s *admin.Status) {
	line := func(name, value string) {
		const indent = "           "
		b.WriteString(fmt.Sprintf("%-11s", name) + strings.TrimPrefix(wrap(value, indent), indent))
	}
	line("Node", fmt.Sprintf("%s (%s), %s, up %s", s.Node, shortID(s.ID), s.State, admin.Ago(time.Duration(s.Uptime)*time.Second)))
	line("Version", s.Version)
	cluster := "group " + s.Group
	if s.Mode == "unicast" {
		cluster = "by unicast"
	}
	if s.Cluster != "" {
		cluster = s.Cluster + ", " + cluster
	}
	line("Cluster", cluster)
	line("Address", s.Address+" on "+s.Interface)
	line("Redis", orOff(strings.Join(s.Clients, ", ")))
	line("Admin", orOff(s.Admin))
	line("Memory", memoryText(s))
	c := &s.Counters
	line("Repairs", fmt.Sprintf("%s received, %s sent, %s made equal", admin.Thousands(c.Repairs), admin.Thousands(c.RepairsSent),
		admin.Count(c.Divergences, "difference")))
	line("Acks", acksText(s))
	line("Dropped", dropText(s))
	if b := s.Bridge; b != nil {
		line("Originals", bridgeText(b))
	}
}

// bridgeText says what went between originals and this node.
func bridgeText(b *admin.BridgeStatus) string {
	return fmt.Sprintf("%s known; %s taken from them, %s told to them; %s that they cannot be told", admin.Count(b.Originals, "node"),
		admin.Count(b.Taken, "session"), admin.Count(b.Told, "session"), admin.Count(b.NotUpdated+b.TooLarge+b.Unfit, "change"))
}

// acksText says how writes are confirmed.
func acksText(s *admin.Status) string {
	text := fmt.Sprintf("--ack %s, %d of %s %s, %s unconfirmed since the start", s.Ack, s.Acks.Answering, admin.Count(s.Acks.Live, "peer"),
		answerVerb(s.Acks.Live), admin.Count(s.Counters.DegradedAcks, "write"))
	if n := s.Counters.UnmetAcks; n > 0 {
		text += fmt.Sprintf("; %s asked for more peers than confirmed", admin.Count(n, "call"))
	}
	if s.Acks.Degraded {
		return "degraded (" + s.Acks.Reason + "); " + text
	}
	return text
}

// answerVerb is the verb after so many peers.
func answerVerb(peers int) string {
	if peers == 1 {
		return "answers"
	}
	return "answer"
}

func shortID(id string) string { return id[:min(len(id), 8)] }

func memoryText(s *admin.Status) string {
	text := fmt.Sprintf("%s, %s, %s", admin.Count(s.Sessions, "session"), admin.Count(s.Tombstones, "tombstone"), admin.Bytes(s.Bytes))
	if s.Limit > 0 {
		text += fmt.Sprintf(" of %s (%s)", admin.Bytes(s.Limit), admin.Percent(float64(s.Bytes)/float64(s.Limit)))
	}
	return text
}

// ordinaryDrops are no sign of trouble: the first contact of each peer, unless it goes on, and the question of a starting node for originals.
var ordinaryDrops = []string{"unproven", "original"}

// dropText names the kinds of drops there were, the most frequent first.
func dropText(s *admin.Status) string {
	var kinds []string
	drops := s.Counters.Drops
	for kind, n := range drops {
		ordinary := slices.Contains(ordinaryDrops, kind) && !(kind == "unproven" && len(s.Unproven) > 0)
		if n > 0 && !ordinary {
			kinds = append(kinds, kind)
		}
	}
	slices.SortFunc(kinds, func(a, b string) int {
		if drops[a] != drops[b] {
			return int(min(drops[b], 1<<30)) - int(min(drops[a], 1<<30))
		}
		return strings.Compare(a, b)
	})
	for i, kind := range kinds {
		kinds[i] = admin.Thousands(drops[kind]) + " " + strings.ReplaceAll(kind, "_", " ")
	}
	if len(kinds) == 0 {
		return "nothing"
	}
	return strings.Join(kinds, ", ")
}

// column is one column of a table; numbers stand to the right.
type column struct {
	head  string
	cells []string
	right bool
}

func memberTable(members []admin.Member) []column {
	cols := []column{{head: "MEMBER"}, {head: "ADDRESS"}, {head: "STATE"}, {head: "LAG", right: true}, {head: "LACKS", right: true},
		{head: "LOSS", right: true}, {head: "SESSIONS", right: true}, {head: "BYTES", right: true}}
	for i := range members {
		for j, cell := range memberCells(&members[i]) {
			cols[j].cells = append(cols[j].cells, cell)
		}
	}
	if tableWidth(cols)-cols[0].width()+minNameWidth > statusWidth { // long addresses: JSON has them
		cols = slices.Delete(cols, 1, 2)
	}
	room := max(minNameWidth, statusWidth-(tableWidth(cols)-cols[0].width()))
	for i, name := range cols[0].cells {
		cols[0].cells[i] = shorten(name, room)
	}
	return cols
}

func memberCells(m *admin.Member) []string {
	cells := []string{m.Name, m.Address, m.State, admin.Thousands(m.Lag), admin.Thousands(m.Lacks), admin.Percent(m.Loss),
		admin.Thousands(m.Sessions), admin.Bytes(m.Bytes)}
	switch {
	case m.Self:
		cells[0] += " *"
		cells[3], cells[4], cells[5] = "-", "-", "-"
	case m.State == "dead" || m.State == "left":
		cells[3], cells[4], cells[5], cells[6], cells[7] = "-", "-", "-", "-", "-"
	case m.FiguresAgeMS != nil: // what it said last may be long past
		cells[5], cells[6], cells[7] = "-", "-", "-"
	}
	return cells
}

func (c *column) width() int {
	w := utf8.RuneCountInString(c.head)
	for _, cell := range c.cells {
		w = max(w, utf8.RuneCountInString(cell))
	}
	return w
}

func tableWidth(cols []column) int {
	w := 2 * (len(cols) - 1)
	for i := range cols {
		w += cols[i].width()
	}
	return w
}

func writeTable(b *strings.Builder, cols []column) {
	for row := -1; row < len(cols[0].cells); row++ {
		var line strings.Builder
		for i := range cols {
			cell := cols[i].head
			if row >= 0 {
				cell = cols[i].cells[row]
			}
			if i > 0 {
				line.WriteString("  ")
			}
			line.WriteString(pad(cell, cols[i].width(), cols[i].right))
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
	b.WriteString("* this node\n")
}

func pad(s string, width int, right bool) string {
	space := strings.Repeat(" ", max(0, width-utf8.RuneCountInString(s)))
	if right {
		return space + s
	}
	return s + space
}

// shorten cuts the middle out of a name, whose ends tell most.
func shorten(s string, width int) string {
	r := []rune(s)
	if len(r) <= width {
		return s
	}
	head := (width - 1) / 2
	return string(r[:head]) + "…" + string(r[len(r)-(width-1-head):])
}

// wrap breaks a text between words into lines that fit, each behind the indent.
func wrap(text, indent string) string {
	var b strings.Builder
	line := indent
	for _, word := range strings.Fields(text) {
		if line != indent && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > statusWidth {
			b.WriteString(line + "\n")
			line = indent
		}
		if line != indent {
			line += " "
		}
		line += word
	}
	return b.String() + line + "\n"
}
