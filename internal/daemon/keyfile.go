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
		path, keyfile.Quote(abs), found.SecondHost(&Options{KeyFile: abs}, nil, Host{}))
	return err
}
