package main

import (
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// runAsBinary makes the test binary behave as sessioncast itself, race detector included.
const runAsBinary = "RUN_AS_SESSIONCAST"

func TestMain(m *testing.M) {
	if os.Getenv(runAsBinary) != "" {
		os.Exit(run())
	}
	testscript.Main(m, map[string]func(){"sessioncast": func() { os.Exit(run()) }})
}

// TestScripts runs the binary as its users do, one script of testdata/script each.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("COLUMNS", "80")
			env.Setenv("XDG_CONFIG_HOME", env.WorkDir+"/config")
			env.Setenv("SESSIONCAST_RUNTIME_DIR", env.WorkDir+"/run")
			return os.Mkdir(env.WorkDir+"/run", 0o700)
		},
	})
}
