package peers

import (
	"strings"
	"testing"
)

func TestEntriesReadBackAsThemselves(t *testing.T) {
	for text, want := range map[string]string{
		"10.0.1.4":                        "10.0.1.4",
		" 10.0.1.4:4001 ":                 "10.0.1.4:4001",
		"fd00::4":                         "fd00::4",
		"[fd00::4]":                       "fd00::4",
		"[fd00::4]:4001":                  "[fd00::4]:4001",
		"fe80::4%eth0":                    "fe80::4",
		"[fe80::4%eth0]:4001":             "[fe80::4]:4001",
		"::ffff:10.0.1.4":                 "10.0.1.4",
		"nodes.example.org":               "nodes.example.org",
		"nodes.example.org.":              "nodes.example.org.",
		"app_1.svc:4000":                  "app_1.svc:4000",
		"web1":                            "web1",
		strings.Repeat("a", 63) + ".test": strings.Repeat("a", 63) + ".test",
	} {
		e, err := ParseEntry(text)
		if err != nil || e.String() != want {
			t.Errorf("%q: %q, %v", text, e, err)
			continue
		}
		if again, err := ParseEntry(e.String()); err != nil || again != e {
			t.Errorf("%q reads back as %v, %v", e, again, err)
		}
	}
}

func TestWhatIsNoEntryIsExplained(t *testing.T) {
	for text, want := range map[string]string{
		"":               "empty peer",
		"10.0.1.4:":      "usable port",
		"10.0.1.4:0":     "usable port",
		"10.0.1.4:70000": "usable port",
		"web1:port":      "usable port",
		"228.0.0.5":      "not the address of one host",
		"0.0.0.0:4000":   "not the address of one host",
		"10.0.1":         "is no peer",
		"10.0.1.256":     "is no peer",
		"a b":            "is no peer",
		"a..b":           "is no peer",
		"http://web1":    "usable port", "[10.0.0.1": "is no peer",
		"10.0.1.0/24":           "is no peer",
		strings.Repeat("a", 64): "is no peer",
		strings.Repeat("a.", 99) + strings.Repeat("b", 60): "is no peer",
	} {
		if e, err := ParseEntry(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, %v; want %q", text, e, err, want)
		}
	}
}

func FuzzParseEntry(f *testing.F) {
	for _, s := range []string{"10.0.1.4:4000", "[fd00::4%1]:1", "a.b:1", "[", "]:", "%", "a:b:c"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		e, err := ParseEntry(s)
		if err != nil {
			return
		}
		if again, err := ParseEntry(e.String()); err != nil || again != e {
			t.Errorf("%q is %q, which reads back as %q, %v", s, e, again, err)
		}
	})
}
