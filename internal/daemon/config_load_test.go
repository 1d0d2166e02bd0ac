package daemon

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
)

// testHost is a machine named web1 with 4 GiB of memory and the given files.
func testHost(env []string, files map[string]string) Host {
	return Host{
		Env: env, Stdout: new(strings.Builder), Stderr: new(strings.Builder),
		ReadFile: func(name string) ([]byte, error) {
			if text, ok := files[name]; ok {
				return []byte(text), nil
			}
			if name == "/proc/meminfo" {
				return []byte("MemTotal:        4194304 kB\nMemFree: 1 kB\n"), nil
			}
			return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
		},
		Hostname:      func() (string, error) { return "web1", nil },
		UserConfigDir: func() (string, error) { return "", errors.New("no home") },
		IsDir:         func(string) bool { return false },
		TempDir:       "/tmp",
		UID:           1000,
	}
}

// TestLoad runs testdata/load: command lines ("$ serve --port 1"), environments ("NAME=value") and files ("| line", which
// are site.toml), and shows the error, or what differs from the defaults and where it was set. Rewrite with -rewrite.
func TestLoad(t *testing.T) {
	datadriven.Walk(t, "testdata/load", func(t *testing.T, path string) {
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			if d.Cmd != "load" {
				d.Fatalf(t, "unknown command %s", d.Cmd)
			}
			args, host := scene(d.Input)
			return outcome(Load(args, host))
		})
	})
}

func scene(input string) ([]string, Host) {
	var args, env []string
	var file strings.Builder
	for line := range strings.SplitSeq(input, "\n") {
		if text, ok := strings.CutPrefix(line, "$ "); ok {
			args = strings.Fields(text)
		} else if text, ok := strings.CutPrefix(line, "|"); ok {
			file.WriteString(strings.TrimPrefix(text, " ") + "\n")
		} else if line != "" {
			env = append(env, line)
		}
	}
	return args, testHost(env, map[string]string{"site.toml": file.String()})
}

func outcome(cli *CLI, err error) string {
	var usage *UsageError
	switch {
	case errors.As(err, &usage):
		return err.Error() + "\n"
	case err != nil:
		return "not a usage error: " + err.Error() + "\n"
	}
	var b strings.Builder
	fmt.Fprintln(&b, cli.Command)
	if o := cli.options(); o != nil {
		for line := range strings.Lines(showOptions(o, cli.Origins)) {
			if !strings.Contains(line, "# default") && !strings.HasPrefix(line, "# ") {
				b.WriteString(line)
			}
		}
	}
	return b.String()
}

func TestHelpAndVersionAreNotErrors(t *testing.T) {
	for _, args := range [][]string{{"--help"}, {"serve", "--help"}, {"--version"}, {"serve", "-h"}, {"key", "new", "--help"}} {
		host := testHost([]string{"SESSIONCAST_NOSUCH=1"}, nil)
		if _, err := Load(args, host); !errors.Is(err, ErrHelp) {
			t.Errorf("%v: error %v, want ErrHelp", args, err)
		}
		if printed := host.Stdout.(*strings.Builder).String(); strings.Count(printed, "Usage:") > 1 || printed == "" {
			t.Errorf("%v: printed %q", args, printed)
		}
	}
}

func TestDefaultsWithNothingSet(t *testing.T) {
	cli, err := Load([]string{"serve"}, testHost(nil, nil))
	if err != nil {
		t.Fatal(err)
	}
	o := cli.Serve.Options
	got := fmt.Sprintf("%s %s %s %d %d %s %s %v %s %s %s %s %s %s %s", o.Name, o.Use, o.Mode, o.Port, o.MulticastTTL, o.Ack,
		o.AckTimeout, o.RESP, o.Admin, o.MaxMemory, o.MaxSession, o.SessionTTL, o.LogoutHold, o.LogLevel, o.LogFormat)
	want := "web1 v4 auto 4000 1 1 50ms [127.0.0.1:6379] auto 1GiB 1MiB 0 1m info text"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if o.Group.IsValid() || o.Address.IsValid() || o.Cluster != "" || o.Insecure || len(o.Peers) > 0 || len(cli.Origins) > 0 {
		t.Errorf("something is set that nobody set: %+v %v", o, cli.Origins)
	}
}

func TestKeyIsNoOption(t *testing.T) {
	secret := strings.Repeat("5e", 32)
	cli, err := Load([]string{"config", "show"}, testHost([]string{"SESSIONCAST_KEY=" + secret}, nil))
	if err != nil {
		t.Fatal(err)
	}
	if shown := showOptions(&cli.Config.Show.Options, cli.Origins); strings.Contains(shown, "5e5e") {
		t.Errorf("the key is shown:\n%s", shown)
	}
}

// Whatever stands in a file or in the environment gives a value or a message, and never a panic.
func FuzzConfigFile(f *testing.F) {
	f.Add("port = 4000\nresp = [\"off\"]\n[x]\ny.z = 1\n")
	f.Add("a.b.c = 1979-05-27\n[[t]]\nack=[[1]]\n")
	f.Add("\"max-memory\" = '''\n1GB'''\nsession-ttl = 0x10\n")
	f.Fuzz(func(t *testing.T, text string) {
		found, err := parseFile("site.toml", []byte(text))
		if err != nil && !strings.HasPrefix(err.Error(), "site.toml:") {
			t.Fatalf("%q: the message does not say where: %v", text, err)
		}
		if err != nil {
			return
		}
		host := testHost(nil, map[string]string{"site.toml": text})
		if _, err := Load([]string{"serve", "--config", "site.toml"}, host); err != nil && len(found) == 0 {
			t.Fatalf("%q: nothing is set, yet: %v", text, err)
		}
	})
}
