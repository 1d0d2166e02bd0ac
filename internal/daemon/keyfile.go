package daemon

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/sessioncast/sessioncast/internal/seal"
)

// maxKeyFile is more than any key file has; larger ones are refused unread.
const maxKeyFile = 64 << 10

// systemKeyFile is where root's daemons find their key.
const systemKeyFile = "/etc/sessioncast/key"

// ErrKeyReadable says that others than its owner may read a key file.
var ErrKeyReadable = errors.New("others than its owner may read the key file")

// FoundKey is the cluster key in force and where it came from.
type FoundKey struct {
	// Keys are the keys, the primary first.
	Keys []seal.Key
	// From names the place for people: a path, a variable, or --insecure.
	From string
	// Path is the key file, empty where there is none.
	Path string
	// Home is the path from the user's home folder, for a key in the user's configuration folder.
	Home string
	// Made tells that the file was made just now.
	Made bool
}

// FindOrCreateKey finds the cluster key: in the file named by the options, in SESSIONCAST_KEY, in /etc/sessioncast/key
// for root, in the user's configuration folder; and makes one there where there is none.
func FindOrCreateKey(o *Options, host Host) (FoundKey, error) {
	switch value := host.getenv(keyVariable); {
	case o.Insecure:
		return FoundKey{Keys: []seal.Key{seal.InsecureKey()}, From: "--insecure"}, nil
	case o.KeyFile != "":
		return foundIn(o.KeyFile, "")
	case value != "":
		return keyFromVariable(value)
	}
	if _, err := os.Stat(host.SystemKey); err == nil && host.UID == 0 {
		return foundIn(host.SystemKey, "")
	}
	return userKey(host)
}

// keyFromVariable reads the one key that SESSIONCAST_KEY holds. No message shows any of it.
func keyFromVariable(value string) (FoundKey, error) {
	keys, err := seal.ParseKeyFile([]byte(value))
	if err == nil && len(keys) > 1 {
		err = errors.New("it holds more than one key")
	}
	if err != nil {
		return FoundKey{}, &UsageError{fmt.Errorf("%s: %w: it takes one key of 64 hex digits; several fit into a file only (--key-file)", keyVariable, err)}
	}
	return FoundKey{Keys: keys, From: keyVariable}, nil
}

// userKey finds the key in the user's configuration folder, or makes it. Of several daemons that start at once all use
// the key of the one that was first.
func userKey(host Host) (FoundKey, error) {
	dir, err := host.UserConfigDir()
	if err != nil {
		return FoundKey{}, fmt.Errorf("no place for a cluster key: %w; name a file with --key-file, or make one with: sessioncast key new --out FILE", err)
	}
	path := filepath.Join(dir, "sessioncast", "key")
	found, err := foundIn(path, homePath)
	if !errors.Is(err, fs.ErrNotExist) {
		return found, err
	}
	made, err := writeNewKey(path)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return FoundKey{}, err
	}
	found, err = foundIn(path, homePath)
	found.Made = made
	return found, err
}

// homePath is where the key stands below a home folder that sets nothing else.
const homePath = ".config/sessioncast/key"

func foundIn(path, home string) (FoundKey, error) {
	keys, err := readKeyFile(path)
	if err != nil {
		return FoundKey{}, err
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		abs = path
	}
	return FoundKey{Keys: keys, From: path, Path: abs, Home: home}, nil
}

// readKeyFile reads a key file and refuses one that others may read. It looks at the file it has opened, so that the
// file judged is the file read.
func readKeyFile(path string) ([]seal.Key, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no key file: %w; make one with: sessioncast key new --out %s", err, shellQuote(path))
	}
	if err != nil {
		return nil, fmt.Errorf("key file: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("key file: %w", err)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 && runtime.GOOS != "windows" {
		return nil, fmt.Errorf("%w: %s has mode %04o; run: chmod 600 %s", ErrKeyReadable, path, mode, shellQuote(path))
	}
	data, err := io.ReadAll(io.LimitReader(f, maxKeyFile+1))
	if err != nil {
		return nil, fmt.Errorf("key file: %w", err)
	}
	keys, err := seal.ParseKeyFile(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return keys, nil
}

// writeNewKey makes a key and a file for it, whole or not at all, and never over another: it is written under a name of
// its own and then linked to its place, which fails where something stands.
func writeNewKey(path string) (made bool, err error) {
	key, err := seal.GenerateKey(rand.Reader)
	if err != nil {
		return false, err
	}
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return false, fmt.Errorf("making the folder of the key file: %w", err)
	}
	content := seal.FormatKeyFile([]seal.Key{key})
	temp, err := writeTemp(dir, content)
	if err != nil {
		return false, fmt.Errorf("writing a key file: %w", err)
	}
	defer os.Remove(temp)
	err = os.Link(temp, path)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		// No links on this file system: give up wholeness, not the promise to overwrite nothing.
		err = writeExclusive(path, content)
	}
	if err != nil {
		return false, fmt.Errorf("making a key file: %w", err)
	}
	return true, nil
}

// writeTemp writes content to a new file in dir that its owner only may read.
func writeTemp(dir string, content []byte) (string, error) {
	f, err := os.CreateTemp(dir, ".key-*")
	if err != nil {
		return "", err
	}
	return f.Name(), fill(f, content)
}

func writeExclusive(path string, content []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	return fill(f, content)
}

// fill writes content to f and closes it, and removes it again where that fails.
func fill(f *os.File, content []byte) error {
	_, err := io.Copy(f, bytes.NewReader(content))
	err = errors.Join(err, f.Sync(), f.Close())
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}

// newKeyFile is the command key new: it makes a key file and says what to do with it.
func newKeyFile(path string, out io.Writer) error {
	if _, err := writeNewKey(path); errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s exists already and is left as it is: remove it first, or give another --out", path)
	} else if err != nil {
		return err
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		abs = path
	}
	found := FoundKey{Path: abs}
	_, err = fmt.Fprintf(out, "%s: a new cluster key, readable by its owner only\nHere:        sessioncast serve --key-file %s\nSecond host: %s\n",
		path, shellQuote(abs), found.SecondHost(&Options{KeyFile: abs}, nil))
	return err
}

// SecondHost is the line that copies the key file to a second host and starts a node there that finds this one. It
// repeats the options that all nodes of a cluster must share. The key itself never stands in it.
func (k FoundKey) SecondHost(o *Options, origins map[string]Origin) string {
	serve := "sessioncast serve"
	for _, name := range []string{"use", "group", "port", "cluster", "insecure"} {
		f, _ := fieldNamed(name)
		if _, set := origins[name]; set {
			for _, text := range f.texts(o) {
				serve += " --" + name + "=" + shellQuote(text)
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
		if k.Path != systemKeyFile {
			serve += " --key-file=" + shellQuote(there)
		}
	}
	return fmt.Sprintf("ssh HOST mkdir -p -m 700 %s && scp -p %s HOST:%s && ssh -t HOST %s",
		shellQuote(filepath.Dir(there)), shellQuote(k.Path), shellQuote(there), serve)
}

// shellQuote writes s so that a shell reads it as one word.
func shellQuote(s string) string {
	plain := func(r rune) bool { return nameRune(r) || strings.ContainsRune("/:@%+=,", r) }
	if s != "" && strings.IndexFunc(s, func(r rune) bool { return !plain(r) }) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
