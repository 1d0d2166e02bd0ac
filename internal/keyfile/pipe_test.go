//go:build unix

package keyfile

import (
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// Opening a pipe would wait for a writer, deaf to signals.
func TestAPipeIsRefusedAndNotWaitedFor(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	if err := unix.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := FindOrCreate(Query{Path: path}); err == nil || !strings.Contains(err.Error(), "a pipe") {
		t.Errorf("%v, want … a pipe …", err)
	}
}
