package daemon

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/sessioncast/sessioncast/internal/keyfile"
	"github.com/sessioncast/sessioncast/internal/seal"
)

// keyHost is a host whose user keeps configuration in a new folder.
func keyHost(t *testing.T, env ...string) (Host, string) {
	dir := t.TempDir()
	host := testHost(env, nil)
	host.UserConfigDir = func() (string, error) { return dir, nil }
	host.SystemKey = filepath.Join(dir, "etc", "key")
	return host, filepath.Join(dir, "sessioncast", "key")
}

func writeKey(t *testing.T, path string, digit string, mode os.FileMode) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(strings.Repeat(digit, 64)+"\n"), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

func firstByte(t *testing.T, k FoundKey) byte {
	t.Helper()
	if len(k.Keys) == 0 {
		t.Fatal("no keys")
	}
	return k.Keys[0][0]
}

func TestKeyComesFromTheFirstPlaceThatHasOne(t *testing.T) {
	host, user := keyHost(t, "SESSIONCAST_KEY="+strings.Repeat("2", 64))
	named := filepath.Join(t.TempDir(), "named")
	writeKey(t, named, "1", 0o600)
	writeKey(t, host.SystemKey, "3", 0o600)
	writeKey(t, user, "4", 0o600)
	bare, root := host, host
	bare.Env, root.Env = nil, nil
	root.UID = 0
	for name, c := range map[string]struct {
		host Host
		o    Options
		want byte
		from string
	}{
		"the file named":      {host, Options{KeyFile: named}, 0x11, named},
		"the variable":        {host, Options{}, 0x22, "SESSIONCAST_KEY"},
		"the system's, root":  {root, Options{}, 0x33, host.SystemKey},
		"the user's":          {bare, Options{}, 0x44, user},
		"none where insecure": {bare, Options{Insecure: true}, seal.InsecureKey()[0], "--insecure"},
	} {
		k, err := FindOrCreateKey(&c.o, c.host)
		if err != nil || firstByte(t, k) != c.want || k.From != c.from || k.Made {
			t.Errorf("%s: from %s, made %v, %v", name, k.From, k.Made, err)
		}
	}
}

func TestKeyIsMadeOnceForItsOwnerOnly(t *testing.T) {
	host, path := keyHost(t)
	made, err := FindOrCreateKey(&Options{}, host)
	if err != nil || !made.Made || made.Path != path {
		t.Fatalf("made %v at %s, %v", made.Made, made.Path, err)
	}
	again, err := FindOrCreateKey(&Options{}, host)
	if err != nil || again.Made || again.Keys[0] != made.Keys[0] {
		t.Errorf("the second start made another key: %v, %v", again.Made, err)
	}
	if runtime.GOOS == "windows" {
		return
	}
	for name, want := range map[string]os.FileMode{path: 0o600, filepath.Dir(path): 0o700} {
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v; want %v", name, info.Mode(), err, want)
		}
	}
}

func TestDaemonsThatStartAtOnceShareOneKey(t *testing.T) {
	host, path := keyHost(t)
	found := make([]FoundKey, 8)
	var wg sync.WaitGroup
	for i := range found {
		wg.Go(func() {
			var err error
			if found[i], err = FindOrCreateKey(&Options{}, host); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	made := 0
	for _, k := range found {
		if k.Made {
			made++
		}
		if len(k.Keys) != 1 || k.Keys[0] != found[0].Keys[0] {
			t.Fatal("two daemons use different keys")
		}
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), ".*")); made != 1 || len(left) > 0 {
		t.Errorf("%d made it, %v left behind", made, left)
	}
}

func TestKeyFileThatOthersMayReadIsRefused(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no modes here")
	}
	path := filepath.Join(t.TempDir(), "it's a key")
	for _, mode := range []os.FileMode{0o604, 0o640, 0o620, 0o601, 0o777} {
		writeKey(t, path, "1", mode)
		_, err := FindOrCreateKey(&Options{KeyFile: path}, testHost(nil, nil))
		want := "run: chmod 600 '" + strings.ReplaceAll(path, "'", `'\''`) + "'"
		if !errors.Is(err, keyfile.ErrReadable) || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%v: %v, want ... %s", mode, err, want)
		}
	}
}

func TestBadKeysAreRefusedWithoutShowingThem(t *testing.T) {
	good := strings.Repeat("5e", 32)
	for _, value := range []string{"5e5e", good + "5e", good + "\n" + strings.Repeat("6f", 32), "zz" + good[2:], strings.Repeat("0", 64)} {
		_, err := FindOrCreateKey(&Options{}, testHost([]string{"SESSIONCAST_KEY=" + value}, nil))
		var usage *UsageError
		if !errors.As(err, &usage) || strings.Contains(err.Error(), "5e5e") || !strings.HasPrefix(err.Error(), "SESSIONCAST_KEY: ") {
			t.Errorf("%d characters: %v", len(value), err)
		}
		path := filepath.Join(t.TempDir(), "key")
		if err := os.WriteFile(path, []byte(value+"\n5e5e\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err = FindOrCreateKey(&Options{KeyFile: path}, testHost(nil, nil))
		if err == nil || strings.Contains(err.Error(), "5e5e") || !strings.HasPrefix(err.Error(), path) {
			t.Errorf("file: %v", err)
		}
	}
}

func TestKeyFilesThatCannotBeRead(t *testing.T) {
	dir := t.TempDir()
	for path, want := range map[string]string{
		filepath.Join(dir, "none"): "make one with: sessioncast key new --out " + filepath.Join(dir, "none"),
		dir:                        "key file",
	} {
		_, err := FindOrCreateKey(&Options{KeyFile: path}, testHost(nil, nil))
		if err == nil || !strings.Contains(err.Error(), want) && !errors.Is(err, keyfile.ErrReadable) {
			t.Errorf("%s: %v, want ... %s", path, err, want)
		}
	}
	if _, err := FindOrCreateKey(&Options{}, testHost(nil, nil)); err == nil || !strings.Contains(err.Error(), "--key-file") {
		t.Errorf("no folder for configuration: %v", err)
	}
}

func TestSecondHostLineCopiesTheFileAndRepeatsWhatTheClusterShares(t *testing.T) {
	host := testHost(nil, map[string]string{"site.toml": `cluster = "shop"`})
	cli, err := Load([]string{"serve", "--use=v6", "--port=5000", "--ack=2", "--config=site.toml"}, host)
	if err != nil {
		t.Fatal(err)
	}
	shared := " --use=v6 --port=5000 --cluster=shop"
	for name, c := range map[string]struct {
		key  FoundKey
		o    *Options
		want string
	}{
		"the user's": {FoundKey{keyfile.Found{Path: "/home/u/.config/sessioncast/key", Home: keyfile.HomePath}}, &cli.Serve.Options,
			"ssh HOST mkdir -p -m 700 .config/sessioncast && scp -p /home/u/.config/sessioncast/key HOST:.config/sessioncast/key && ssh -t HOST sessioncast serve" + shared},
		"the system's": {FoundKey{keyfile.Found{Path: keyfile.SystemPath}}, &cli.Serve.Options,
			"ssh HOST mkdir -p -m 700 /etc/sessioncast && scp -p /etc/sessioncast/key HOST:/etc/sessioncast/key && ssh -t HOST sessioncast serve" + shared},
		"one that was named": {FoundKey{keyfile.Found{Path: "/srv/a key"}}, &cli.Serve.Options,
			"ssh HOST mkdir -p -m 700 /srv && scp -p '/srv/a key' HOST:'/srv/a key' && ssh -t HOST sessioncast serve" + shared + " --key-file='/srv/a key'"},
		"a variable": {FoundKey{keyfile.Found{From: keyVariable}}, &cli.Serve.Options,
			"set SESSIONCAST_KEY there as here, then: ssh -t HOST sessioncast serve" + shared},
		"insecure": {FoundKey{keyfile.Found{From: "--insecure"}}, &Options{Insecure: true}, "ssh -t HOST sessioncast serve --insecure=true"},
	} {
		origins := cli.Origins
		if c.o.Insecure {
			origins = map[string]Origin{"insecure": "--insecure"}
		}
		if got := c.key.SecondHost(c.o, origins, Host{}); got != c.want {
			t.Errorf("%s:\ngot  %s\nwant %s", name, got, c.want)
		}
	}
}

func TestSecondHostGetsTheProgramUnlessItIsInstalled(t *testing.T) {
	k := FoundKey{keyfile.Found{From: "--insecure"}}
	o, origins := &Options{Insecure: true}, map[string]Origin{"insecure": "--insecure"}
	for program, want := range map[string]string{
		"sessioncast":                "ssh -t HOST sessioncast serve --insecure=true",
		"./sessioncast":              "scp ./sessioncast HOST: && ssh -t HOST ./sessioncast serve --insecure=true",
		"bin/sessioncast":            "scp bin/sessioncast HOST: && ssh -t HOST ./sessioncast serve --insecure=true",
		"/srv/my own/sessioncast":    "scp '/srv/my own/sessioncast' HOST: && ssh -t HOST ./sessioncast serve --insecure=true",
		"/usr/local/bin/sessioncast": "ssh -t HOST /usr/local/bin/sessioncast serve --insecure=true",
	} {
		host := testHost([]string{"PATH=/usr/bin:/usr/local/bin"}, nil)
		host.Program = program
		if got := k.SecondHost(o, origins, host); got != want {
			t.Errorf("%s:\ngot  %s\nwant %s", program, got, want)
		}
	}
}

func TestSecondNodeOnThisHostHasANameAndPortOfItsOwnAndTheRestAlike(t *testing.T) {
	host := testHost([]string{"SESSIONCAST_KEY_FILE=/srv/key"}, nil)
	host.Program = "bin/sessioncast"
	for line, want := range map[string]string{
		"serve --name=a --interface=lo --port=5000": "bin/sessioncast serve --name=a-2 --resp=127.0.0.1:6380 --port=5000 --interface=lo --key-file=/srv/key",
		"serve --name=a --resp=127.0.0.1:6380":      "bin/sessioncast serve --name=a-2 --resp=127.0.0.1:6381 --key-file=/srv/key",
	} {
		cli, err := Load(strings.Fields(line), host)
		if err != nil {
			t.Fatal(err)
		}
		k := FoundKey{keyfile.Found{Path: "/srv/key"}}
		if got := k.SecondNode(&cli.Serve.Options, cli.Origins, host); got != want {
			t.Errorf("%s:\ngot  %s\nwant %s", line, got, want)
		}
	}
}

func TestKeyHandedOverBySystemdMayShowItsAccessList(t *testing.T) {
	host, _ := keyHost(t)
	path := filepath.Join(t.TempDir(), "key")
	writeKey(t, path, "7", 0o440)
	if _, err := FindOrCreateKey(&Options{KeyFile: path}, host); !errors.Is(err, keyfile.ErrReadable) {
		t.Errorf("anywhere else: %v", err)
	}
	host.Env = append(host.Env, "CREDENTIALS_DIRECTORY="+filepath.Dir(path))
	if k, err := FindOrCreateKey(&Options{KeyFile: path}, host); err != nil || firstByte(t, k) != 0x77 {
		t.Errorf("from systemd: %v", err)
	}
	writeKey(t, path, "7", 0o444)
	if _, err := FindOrCreateKey(&Options{KeyFile: path}, host); !errors.Is(err, keyfile.ErrReadable) {
		t.Errorf("readable by all: %v", err)
	}
}
