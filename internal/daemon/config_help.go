package daemon

import (
	"cmp"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// helpWidth is how wide help is at most; a narrower terminal makes it narrower.
const helpWidth = 100

var helpGroups = []kong.Group{
	{Key: "node", Title: "This node:"},
	{Key: "originals", Title: "express-session-multicast nodes:"},
	{Key: "network", Title: "Network:"},
	{Key: "secrecy", Title: "Secrecy:"},
	{Key: "clients", Title: "Redis clients:"},
	{Key: "writes", Title: "Writes:"},
	{Key: "limits", Title: "Limits:"},
	{Key: "logs", Title: "Logs:"},
}

// Help is printed below the first line of serve's help.
func (ServeCmd) Help() string {
	return "Needs no options. Each is a flag, a variable and a key of the file; a flag goes before a variable, a variable " +
		"before the file. SESSIONCAST_KEY may hold the cluster key in place of a key file."
}

// Help is printed below the first line of the program's help.
func (CLI) Help() string {
	return "\"sessioncast serve\" starts a node. Exit codes: 0 done, 1 failed, 2 wrong usage or configuration, 3 not ready (status)."
}

// Help is printed below the first line of sessions' help.
func (SessionsCmd) Help() string {
	return "It asks the node on this host, over its own socket. A session is shown by a tag that is the same on all nodes; its id, which lets " +
		"whoever has it in, only with --show-ids. --destroy waits until all peers have heard of it and have told of the sessions that were made there " +
		"before; one that is made later stays."
}

// Help is printed below the first line of key new's help.
func (KeyNewCmd) Help() string {
	return "The file is readable by its owner only. Copy it to every server and name it there with --key-file."
}

// formatHelp adds an option's default and variable to its help.
func formatHelp(v *kong.Value) string {
	f, known := fieldNamed(v.Name)
	if !known || f.tag.Get("help") != v.OrigHelp {
		return v.Help
	}
	text := v.Help
	if d := cmp.Or(f.tag.Get("shown"), f.tag.Get("default")); d != "" {
		text += " Default: " + d + "."
	}
	return text + " [" + variable(f.name) + "]"
}

// flagError puts kong's message about the command line into our words: the place first, then what to write.
func flagError(err error, trace *kong.Context) error {
	text := err.Error()
	if rest, found := strings.CutPrefix(text, "unknown flag "); found {
		name, _, _ := strings.Cut(rest, ",")
		return fmt.Errorf("unknown flag %s%s", name, didYouMean(nearestFlag(name, trace)))
	}
	if rest, found := strings.CutPrefix(text, "unexpected argument "); found {
		name, _, _ := strings.Cut(rest, ",")
		return fmt.Errorf("unexpected argument %q%s", name, didYouMean(nearest(name, commandNames(trace))))
	}
	if strings.HasPrefix(text, "expected one of ") {
		return fmt.Errorf("no command given: use %s; sessioncast serve starts a node", orList(commandNames(trace)))
	}
	if rest, found := strings.CutPrefix(text, "expected "); found {
		return fmt.Errorf("half a command: it goes on with %s", rest)
	}
	if m := wantsValue.FindStringSubmatch(text); m != nil {
		return fmt.Errorf("%s: it wants a value%s: give %[1]s %[3]s", m[1], gotInstead(m[2]), placeholder(m[1]))
	}
	if m := wantsBool.FindStringSubmatch(text); m != nil {
		return fmt.Errorf("%s: %s is neither true nor false: give %[1]s alone, or leave it out", m[1], m[2])
	}
	if rest, found := strings.CutPrefix(text, "missing flags: "); found {
		return fmt.Errorf("missing flag %s", rest)
	}
	return err
}

// How kong says that a value is missing, or is not what a switch takes.
var (
	wantsValue = regexp.MustCompile(`^(--[a-z-]+): (?:expected \w+ value but got (.*)|missing value.*)$`)
	wantsBool  = regexp.MustCompile(`^(--[a-z-]+): bool value must be .* but got (.*)$`)
)

func placeholder(flag string) string {
	if f, known := fieldNamed(strings.TrimPrefix(flag, "--")); known {
		return f.tag.Get("placeholder")
	}
	return "VALUE"
}

// joinNumbers writes "--ack -1" as "--ack=-1": kong would take -1 for a flag, and the option itself says what is wrong with it.
func joinNumbers(args []string) []string {
	var out []string
	for i := 0; i < len(args); i++ {
		if i+1 < len(args) && negative.MatchString(args[i+1]) && takesValue(args[i]) {
			out = append(out, args[i]+"="+args[i+1])
			i++
			continue
		}
		out = append(out, args[i])
	}
	return out
}

var negative = regexp.MustCompile(`^-\.?[0-9]`)

// takesValue tells a flag whose value is the next argument from a switch, and from one that has its value.
func takesValue(arg string) bool {
	name, isFlag := strings.CutPrefix(arg, "--")
	if f, known := fieldNamed(name); known {
		return f.typ.Kind() != reflect.Bool
	}
	return isFlag && slices.Contains([]string{"members", "timeout", "owner", "db", "except"}, name)
}

// gotInstead names the flag that stood where a value was wanted; kong writes it quoted, or EOL at the end.
func gotInstead(rest string) string {
	if quoted, _, _ := strings.Cut(rest, " "); quoted != "" && quoted != `"EOL"` {
		return ", and " + strings.Trim(quoted, `"`) + " follows"
	}
	return ""
}

func nearestFlag(name string, trace *kong.Context) string {
	var known []string
	for _, p := range trace.Path {
		for _, f := range p.Flags {
			known = append(known, f.Name)
		}
	}
	if near := nearest(strings.TrimLeft(name, "-"), known); near != "" {
		return "--" + near
	}
	return ""
}

// commandNames are the commands that could have followed what was understood of the command line.
func commandNames(trace *kong.Context) []string {
	node := trace.Selected()
	if node == nil {
		node = trace.Model.Node
	}
	var names []string
	for _, child := range node.Children {
		names = append(names, child.Name)
	}
	return slices.Clip(names)
}
