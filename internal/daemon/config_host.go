package daemon

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/sessioncast/sessioncast/internal/keyfile"
)

// Host is the machine and the process as the configuration sees them, so that tests need neither.
type Host struct {
	Env    []string
	Stdout io.Writer
	Stderr io.Writer
	// ReadFile reads a file whole.
	ReadFile func(string) ([]byte, error)
	// Hostname is the host's name.
	Hostname func() (string, error)
	// UserConfigDir is the folder for this user's configuration files.
	UserConfigDir func() (string, error)
	// SystemKey is the key file of root's daemons.
	SystemKey string
	// IsDir tells whether a folder stands there.
	IsDir func(string) bool
	// TempDir is the folder for temporary files.
	TempDir string
	// UID is the user's number, -1 where the system has none.
	UID int
	// Program is how this program was called, argv[0].
	Program string
	// AtOnce is told what to say before an end without a goodbye; nil: nobody asks.
	AtOnce func(say func())
}

// ThisHost is the machine and the process we run in.
func ThisHost() Host {
	return Host{
		Env: os.Environ(), Stdout: os.Stdout, Stderr: os.Stderr,
		ReadFile: readBounded, Hostname: os.Hostname, UserConfigDir: os.UserConfigDir,
		SystemKey: keyfile.SystemPath, IsDir: isDir, TempDir: os.TempDir(), UID: os.Getuid(),
		Program: os.Args[0],
	}
}

// readBounded reads no more of a file than a configuration may hold and one byte, so that a device file cannot fill
// the memory.
func readBounded(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, MaxConfigFile+1))
}

func (h Host) getenv(name string) string {
	value := ""
	for _, entry := range h.Env {
		if v, found := strings.CutPrefix(entry, name+"="); found {
			value = v
		}
	}
	return value
}

// nodeName is the host's name made fit for a node's.
func (h Host) nodeName() NodeName {
	host, err := h.Hostname()
	if err != nil {
		host = ""
	}
	name := strings.Map(func(r rune) rune {
		if nameRune(r) {
			return r
		}
		return '-'
	}, host)
	name = name[:min(len(name), MaxNameLen)]
	if checkName(name) != nil {
		return "node"
	}
	return NodeName(name)
}

// runtimeDirs are the folders in which a daemon's socket may stand. The first is where our own goes; the others are
// worth asking for a daemon that was started in another way, as by the system. Where the one folder is named there are no others.
func (h Host) runtimeDirs() []string {
	if dir := h.getenv(runtimeVariable); dir != "" {
		return []string{dir}
	}
	var dirs []string
	if dir := h.getenv("XDG_RUNTIME_DIR"); filepath.IsAbs(dir) {
		dirs = append(dirs, dir)
	}
	if h.UID > 0 {
		dirs = append(dirs, fmt.Sprintf("/run/user/%d", h.UID))
	}
	if h.UID == 0 {
		dirs = append(dirs, "/run")
	}
	dirs = slices.DeleteFunc(dirs, func(dir string) bool { return !h.IsDir(dir) })
	// Everyone writes to the folder for temporary files, so that one's own folder there carries one's number.
	dirs = append(dirs, filepath.Join(h.TempDir, "sessioncast-"+strconv.Itoa(h.UID)))
	if h.UID > 0 && h.IsDir("/run") {
		dirs = append(dirs, "/run")
	}
	return slices.Compact(dirs)
}

// AdminSockets are the paths at which the admin socket of the node with this name may stand, our own first.
func (h Host) AdminSockets(name NodeName) []string {
	var paths []string
	for _, dir := range h.runtimeDirs() {
		paths = append(paths, filepath.Join(dir, "sessioncast", string(name)+".sock"))
	}
	return paths
}

func isDir(name string) bool {
	info, err := os.Stat(name)
	return err == nil && info.IsDir()
}
