//go:build linux

package node

import (
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	_ "github.com/sessioncast/sessioncast/internal/daemon" // what is packed: a change of it must run the tests anew
	"github.com/sessioncast/sessioncast/test/rig"
)

func TestTheNPMPackages(t *testing.T) {
	if testing.Short() {
		t.Skip("packs and installs npm packages")
	}
	rig.Need(t, "node", "nodejs")
	rig.Need(t, "npm", "npm")
	readAll(t, "../../node")
	cmd := exec.Command("node", "node/test/run.mjs")
	cmd.Dir = "../.."
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	if err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	tail := out.Bytes()
	t.Logf("%s", tail[max(0, len(tail)-400):])
}

// readAll reads the sources, so that go test sees them and runs the test anew when one changes.
func readAll(t *testing.T, dir string) {
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.Name() == "dist" || d.Name() == "node_modules":
			return filepath.SkipDir
		case d.IsDir():
			return nil
		}
		_, err = os.ReadFile(path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
