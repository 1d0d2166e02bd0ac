// Package keyfile finds the cluster key on this host, or makes one.
//
// It holds no state. Keys pass through it and never into a message.
package keyfile

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
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

// ErrReadable says that others than its owner may read a key file.
var ErrReadable = errors.New("others than its owner may read the key file")

// ErrVariable says that Variable does not hold a key.
var ErrVariable = errors.New(Variable)

// Found is the cluster key in force and where it came from.
type Found struct {
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
	// Digest is by what a file of other content is told. It says nothing of the keys, which are of chance.
	Digest string
}

// Variable is the environment variable that holds one key. It is the one setting without a flag.
const Variable = "SESSIONCAST_KEY"

// SystemPath is where root's daemons find their key.
const SystemPath = "/etc/sessioncast/key"

// Query says where to look.
type Query struct {
	Insecure      bool                   // use the key that everybody knows
	Path          string                 // the file named by the configuration; may be empty
	Value         string                 // of Variable; may be empty
	SystemPath    string                 // looked at for root
	UID           int                    // of this process
	UserConfigDir func() (string, error) // as os.UserConfigDir
	Credentials   string                 // folder that systemd made for this service's secrets; may be empty
}

// FindOrCreate finds the cluster key: in the file named by the configuration, in Variable, in SystemPath for root, in
// the user's configuration folder; and makes one there where there is none.
func FindOrCreate(q Query) (Found, error) {
	switch {
	case q.Insecure:
		return Found{Keys: []seal.Key{seal.InsecureKey()}, From: "--insecure"}, nil
	case q.Path != "":
		return foundNamed(q)
	case q.Value != "":
		return fromVariable(q.Value)
	}
	if _, err := os.Stat(q.SystemPath); err == nil && q.UID == 0 {
		return foundIn(q.SystemPath, "")
	}
	return userKey(q.UserConfigDir)
}

// fromVariable reads the one key that SESSIONCAST_KEY holds. No message shows any of it.
func fromVariable(value string) (Found, error) {
	keys, err := seal.ParseKeyFile([]byte(value))
	if err == nil && len(keys) > 1 {
		err = errors.New("it holds more than one key")
	}
	if err != nil {
		return Found{}, fmt.Errorf("%w: %w: it takes one key of 64 hex digits; several fit into a file only (--key-file)", ErrVariable, err)
	}
	return Found{Keys: keys, From: Variable}, nil
}

// userKey finds the key in the user's configuration folder, or makes it. Of several daemons that start at once all use
// the key of the one that was first.
func userKey(configDir func() (string, error)) (Found, error) {
	dir, err := configDir()
	if err != nil {
		return Found{}, fmt.Errorf("no place for a cluster key: %w; name a file with --key-file, or make one with: sessioncast key new --out FILE", err)
	}
	path := filepath.Join(dir, "sessioncast", "key")
	found, err := foundIn(path, HomePath)
	if !errors.Is(err, fs.ErrNotExist) {
		return found, err
	}
	made, err := Create(path)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return Found{}, err
	}
	found, err = foundIn(path, HomePath)
	found.Made = made
	return found, err
}

// HomePath is where the key stands below a home folder that sets nothing else.
const HomePath = ".config/sessioncast/key"

// foundNamed reads the file named by the configuration. One that systemd hands to the service may show a group's right to
// read: the trace of an access list that names this service's user only.
func foundNamed(q Query) (Found, error) {
	if q.Credentials != "" && filepath.Dir(q.Path) == filepath.Clean(q.Credentials) {
		return foundWith(q.Path, "", 0o037)
	}
	return foundIn(q.Path, "")
}

func foundIn(path, home string) (Found, error) { return foundWith(path, home, 0o077) }

func foundWith(path, home string, forbidden fs.FileMode) (Found, error) {
	keys, digest, err := readKeyFile(path, forbidden)
	if err != nil {
		return Found{}, err
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		abs = path
	}
	return Found{Keys: keys, From: path, Path: abs, Home: home, Digest: digest}, nil
}

// readKeyFile reads a key file and refuses one that others may read. It looks at the file it has opened, so that the
// file judged is the file read.
func readKeyFile(path string, forbidden fs.FileMode) (_ []seal.Key, digest string, _ error) {
	// A pipe would be waited for at opening: it is no key file, and looked at before.
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return nil, "", fmt.Errorf("key file: %s is not a file but %s", path, kindOf(info.Mode()))
	}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, "", fmt.Errorf("there is no key file: %w; make one with: sessioncast key new --out %s", err, Quote(path))
	}
	if err != nil {
		return nil, "", fmt.Errorf("key file: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, "", fmt.Errorf("key file: %w", err)
	}
	if mode := info.Mode().Perm(); mode&forbidden != 0 && runtime.GOOS != "windows" {
		return nil, "", fmt.Errorf("%w: %s has mode %04o; run: chmod 600 %s", ErrReadable, path, mode, Quote(path))
	}
	data, err := io.ReadAll(io.LimitReader(f, maxKeyFile+1))
	if err != nil {
		return nil, "", fmt.Errorf("key file: %w", err)
	}
	keys, err := seal.ParseKeyFile(data)
	if err != nil {
		return nil, "", fmt.Errorf("%s: %w", path, err)
	}
	sum := sha256.Sum256(data)
	return keys, hex.EncodeToString(sum[:8]), nil
}

func kindOf(m fs.FileMode) string {
	switch {
	case m.IsDir():
		return "a directory"
	case m&fs.ModeNamedPipe != 0:
		return "a pipe"
	}
	return "something else"
}

// Create makes a key and a file for it, whole or not at all, and never over another: it is written under a name of
// its own and then linked to its place, which fails where something stands.
func Create(path string) (made bool, err error) {
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

// Quote makes s one word of a shell command.
func Quote(s string) string {
	if s != "" && !strings.ContainsFunc(s, func(r rune) bool { return !strings.ContainsRune(plainRunes, r) }) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

const plainRunes = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789@%+=:,./-_"
