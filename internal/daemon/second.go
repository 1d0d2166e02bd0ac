package daemon

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/sessioncast/sessioncast/internal/keyfile"
)

// shared are the options that all nodes of a cluster have alike.
var shared = []string{"use", "group", "port", "cluster", "mode", "peers", "insecure"}

// SecondHost is the line that brings the program and the key file to a second host and starts a node there that finds this one. It
// repeats the options that all nodes of a cluster must share. The key itself never stands in it.
func (k FoundKey) SecondHost(o *Options, origins map[string]Origin, host Host) string {
	bring, program := host.programThere()
	serve := program + " serve" + repeated(o, origins, shared)
	switch {
	case k.Path == "" && o.Insecure:
		return bring + "ssh -t HOST " + serve
	case k.Path == "":
		return "set " + k.From + " there as here, then: " + bring + "ssh -t HOST " + serve
	}
	there := k.Home
	if there == "" {
		there = k.Path
		if k.Path != keyfile.SystemPath {
			serve += " --key-file=" + keyfile.Quote(there)
		}
	}
	return fmt.Sprintf("%sssh HOST mkdir -p -m 700 %s && scp -p %s HOST:%s && ssh -t HOST %s", bring,
		keyfile.Quote(filepath.Dir(there)), keyfile.Quote(k.Path), keyfile.Quote(there), serve)
}

// SecondNode is the line that starts another node on this host, for where no other host can reach this one.
func (k FoundKey) SecondNode(o *Options, origins map[string]Origin, host Host) string {
	line := host.program() + " serve --name=" + keyfile.Quote(string(o.Name)) + "-2 --resp=" + otherClients(o)
	line += repeated(o, origins, append(slices.Clone(shared), "address", "interface", "peers-file", "key-file"))
	if k.Path == "" && !o.Insecure {
		return "with " + k.From + " as here: " + line
	}
	return line
}

// otherClients is where clients of another node on this host can connect.
func otherClients(o *Options) string {
	const second, third = "127.0.0.1:6380", "127.0.0.1:6381"
	for _, r := range o.RESP {
		if r.String() == second {
			return third
		}
	}
	return second
}

// repeated are the options of these names that were set, as flags.
func repeated(o *Options, origins map[string]Origin, names []string) string {
	var b strings.Builder
	for _, name := range names {
		f, _ := fieldNamed(name)
		if _, set := origins[name]; set {
			for _, text := range f.texts(o) {
				b.WriteString(" --" + name + "=" + keyfile.Quote(text))
			}
		}
	}
	return b.String()
}

// program is what calls this program again on this host.
func (h Host) program() string {
	if h.Program == "" {
		return "sessioncast"
	}
	return keyfile.Quote(h.Program)
}

// programThere is what calls this program on another host, and what must be done first: one that is in no folder of PATH is taken there.
func (h Host) programThere() (first, program string) {
	dir, base := filepath.Split(h.Program)
	switch {
	case dir == "":
		return "", h.program()
	case slices.Contains(filepath.SplitList(h.getenv("PATH")), filepath.Clean(dir)):
		return "", keyfile.Quote(h.Program) // installed
	}
	return "scp " + keyfile.Quote(h.Program) + " HOST: && ", "./" + keyfile.Quote(base)
}
