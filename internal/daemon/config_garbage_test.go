package daemon

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
)

// garbage is what each option of serve refuses. "" is refused on the command line only: a variable that is empty is not set.
var garbage = map[string][]string{
	"use":           {"", "-1", "v5", "x y"},
	"group":         {"", "-1", "10.0.0.1", "224.0.0.256", "ff02::1%eth0"},
	"port":          {"", "-1", "0", "65536", "4000.5", "http"},
	"address":       {"", "-1", "0.0.0.0", "228.0.0.5", "host"},
	"interface":     {"", "a b", "a/b"},
	"multicast-ttl": {"", "-1", "256", "one"},
	"cluster":       {"", "-1 ", "a b", "..", strings.Repeat("a", 65)},
	"mode":          {"", "-1", "broadcast"},
	"peers":         {"-1", "10.0.0.256", "a b", "host:0", "host:65536", "0.0.0.0"},
	"peers-file":    {""},
	"key-file":      {""},
	"insecure":      {"-1", "maybe"},
	"resp":          {"", "-1", "6379", "127.0.0.1:70000", "0.0.0.0:6379", "/run/x.sock", "unix:x"},
	"linger":        {"", "-1s", "60", "soon", "99999d"},
	"logout-hold":   {"", "-1", "-1s", "60", "2d", "soon", "99999d"},
	"session-ttl":   {"", "-1", "-1s", "1800", "4000d", "soon", "1e999s"},
	"ack":           {"", "-1", "32", "1.5", "some", "99999999999999999999"},
	"ack-timeout":   {"", "-1", "-1ms", "0", "50", "2m", "soon"},
	"max-memory":    {"", "-1", "-1GB", "1", "1G", "lots", "9999TiB", "1e999"},
	"max-session":   {"", "-1", "0", "2MiB", "1M", "NaN"},
	"log-level":     {"", "-1", "trace"},
	"log-format":    {"", "-1", "xml"},
	"name":          {"", "-1 ", "a b", ".", strings.Repeat("a", 65)},
	"admin":         {"", "-1", "4080", "localhost:x", "0.0.0.0:4080", "unix:relative"},
	"config":        {""},
}

// advice is how a message goes on to what is right, with an example or the words to choose from.
var advice = regexp.MustCompile(`: (use|give|write|leave) .*\w`)

// Whatever an option refuses, its message names the place and the value, and says what to write; wherever it stood.
func TestGarbageForEveryOptionIsAnsweredWithWhatToWrite(t *testing.T) {
	for _, f := range fields {
		values, listed := garbage[f.name]
		if !listed {
			t.Errorf("%s: no garbage is tried", f.name)
		}
		for _, value := range values {
			for place, try := range f.places(value) {
				t.Run(fmt.Sprintf("%s %.20q %s", f.name, value, place), func(t *testing.T) { try.refused(t, value) })
			}
		}
	}
}

// attempt is one way to set an option.
type attempt struct {
	origin string
	args   []string
	env    []string
	file   string
}

func (f field) places(value string) map[string]attempt {
	flag := "--" + f.name
	out := map[string]attempt{"as a flag with =": {origin: flag, args: []string{flag + "=" + value}}}
	if f.name != "insecure" {
		out["as a flag"] = attempt{origin: flag, args: []string{flag, value}}
	}
	if value != "" {
		out["as a variable"] = attempt{origin: variable(f.name), env: []string{variable(f.name) + "=" + value}}
	}
	text := quoteTOML(value)
	if f.isList() {
		text = "[" + text + "]"
	}
	if f.name != "config" {
		out["in a file"] = attempt{origin: "site.toml:1: " + f.name, args: []string{"--config", "site.toml"}, file: f.name + " = " + text}
	}
	return out
}

func (a attempt) refused(t *testing.T, value string) {
	host := testHost(a.env, map[string]string{"site.toml": a.file})
	_, err := Load(append([]string{"serve"}, a.args...), host)
	if err == nil {
		t.Fatal("it is taken")
	}
	got := err.Error()
	switch {
	case !strings.HasPrefix(got, a.origin+": "):
		t.Errorf("%q does not begin with the place, %s", got, a.origin)
	case value != "" && !strings.Contains(got, strings.TrimSuffix(value, " ")[:min(len(value)-1, 16)]):
		t.Errorf("%q does not show the value", got)
	case !advice.MatchString(strings.ReplaceAll(got, a.origin, "")):
		t.Errorf("%q does not say what to write", got)
	case strings.Contains(got, "expected") || strings.Contains(got, "\n"):
		t.Errorf("%q is not in our words", got)
	}
}

func TestAnOptionWithoutItsValueSaysWhatItWants(t *testing.T) {
	for _, f := range fields {
		if f.name == "insecure" {
			continue
		}
		want := fmt.Sprintf("--%s: it wants a value: give --%[1]s %s", f.name, f.tag.Get("placeholder"))
		if _, err := Load([]string{"serve", "--" + f.name}, testHost(nil, nil)); err == nil || err.Error() != want {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
