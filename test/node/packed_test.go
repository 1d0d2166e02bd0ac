//go:build linux

package node

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/sessioncast/sessioncast/test/rig"
)

// folderVariable names a folder with the packages, for a test that runs again inside unshare, from where no registry is reached.
const folderVariable = "SESSIONCAST_NODE_PACKAGES"

var made struct {
	sync.Once
	dir string // to be removed
	app string
	err error
}

func TestMain(m *testing.M) {
	code := m.Run()
	if made.dir != "" {
		_ = os.RemoveAll(made.dir)
	}
	rig.Remove()
	os.Exit(code)
}

// packed is a folder that was empty, in which the tarballs of "make npm" were installed, and beside them the original and express-session from npm.
// The test is skipped, aloud, where npm has no original for us.
func packed(t *testing.T) string {
	t.Helper()
	if dir := os.Getenv(folderVariable); dir != "" {
		return dir
	}
	if testing.Short() {
		t.Skip("packs and installs npm packages")
	}
	rig.Need(t, "node", "nodejs")
	rig.Need(t, "npm", "npm")
	readAll(t, "../../node")
	made.Do(func() { made.err = pack() })
	if made.err != nil {
		if os.Getenv(rig.Strict) != "" {
			t.Fatal(made.err)
		}
		t.Skipf("SKIPPED, the packed store beside the original not tested: %v", made.err)
	}
	t.Setenv(folderVariable, made.app)
	return made.app
}

func pack() (err error) {
	if made.dir, err = os.MkdirTemp("", "scpacked"); err != nil {
		return err
	}
	dist, app := filepath.Join(made.dir, "dist"), filepath.Join(made.dir, "app")
	made.app = app
	if err := os.Mkdir(app, 0o755); err != nil {
		return err
	}
	build := exec.Command("node", "../../node/build.mjs")
	build.Env = append(os.Environ(), "DIST="+dist, "PLATFORMS="+nodePlatform())
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build.mjs: %w: %s", err, out)
	}
	tarballs, err := filepath.Glob(filepath.Join(dist, "*.tgz"))
	if err != nil || len(tarballs) != 2 {
		return fmt.Errorf("build.mjs left %q, %v", tarballs, err)
	}
	install := exec.Command("npm", append([]string{"install", "--prefix", app, "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error",
		"express-session-multicast@0.0.2", "express-session@1.19.0"}, tarballs...)...)
	if out, err := install.CombinedOutput(); err != nil {
		return fmt.Errorf("npm install: %w: %s", err, out)
	}
	script, err := os.ReadFile("testdata/store.js")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(app, "store.js"), script, 0o644)
}

// nodePlatform is what Node calls this system.
func nodePlatform() string {
	out, err := exec.Command("node", "-p", "process.platform + '-' + process.arch").Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
}
