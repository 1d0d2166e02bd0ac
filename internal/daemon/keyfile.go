package daemon

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"

	"github.com/sessioncast/sessioncast/internal/keyfile"
)

// FoundKey is the cluster key in force and where it came from.
type FoundKey struct{ keyfile.Found }

// FindOrCreateKey finds the cluster key where the options, the environment and this host say, or makes one.
func FindOrCreateKey(o *Options, host Host) (FoundKey, error) {
	found, err := keyfile.FindOrCreate(keyfile.Query{
		Insecure: o.Insecure, Path: o.KeyFile, Value: host.getenv(keyfile.Variable),
		SystemPath: host.SystemKey, UID: host.UID, UserConfigDir: host.UserConfigDir,
		Credentials: host.getenv("CREDENTIALS_DIRECTORY"),
	})
	if errors.Is(err, keyfile.ErrVariable) {
		err = &UsageError{err}
	}
	return FoundKey{found}, err
}

// newKeyFile is the command key new: it makes a key file and says what to do with it.
func newKeyFile(path string, out io.Writer) error {
	if _, err := keyfile.Create(path); errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s exists already and is left as it is: remove it first, or give another --out", path)
	} else if err != nil {
		return err
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		abs = path
	}
	found := FoundKey{keyfile.Found{Path: abs}}
	_, err = fmt.Fprintf(out, "%s: a new cluster key, readable by its owner only\nHere:        sessioncast serve --key-file %s\nSecond host: %s\n",
		path, keyfile.Quote(abs), found.SecondHost(&Options{KeyFile: abs}, nil))
	return err
}

// SecondHost is the line that copies the key file to a second host and starts a node there that finds this one. It
// repeats the options that all nodes of a cluster must share. The key itself never stands in it.
func (k FoundKey) SecondHost(o *Options, origins map[string]Origin) string {
	serve := "sessioncast serve"
	for _, name := range []string{"use", "group", "port", "cluster", "mode", "peers", "insecure"} {
		f, _ := fieldNamed(name)
		if _, set := origins[name]; set {
			for _, text := range f.texts(o) {
				serve += " --" + name + "=" + keyfile.Quote(text)
			}
		}
	}
	switch {
	case k.Path == "" && o.Insecure:
		return "ssh -t HOST " + serve
	case k.Path == "":
		return "set " + k.From + " there as here, then: ssh -t HOST " + serve
	}
	there := k.Home
	if there == "" {
		there = k.Path
		if k.Path != keyfile.SystemPath {
			serve += " --key-file=" + keyfile.Quote(there)
		}
	}
	return fmt.Sprintf("ssh HOST mkdir -p -m 700 %s && scp -p %s HOST:%s && ssh -t HOST %s",
		keyfile.Quote(filepath.Dir(there)), keyfile.Quote(k.Path), keyfile.Quote(there), serve)
}
