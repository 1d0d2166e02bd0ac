//go:build linux

package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/sessioncast/sessioncast/internal/nstest"
	"github.com/sessioncast/sessioncast/test/rig"
)

func main() {
	var c config
	var serve, out string
	var md bool
	flag.DurationVar(&c.For, "for", 5*time.Minute, "how long")
	flag.Uint64Var(&c.Seed, "seed", 0, "what draws the faults; 0: from the clock")
	flag.IntVar(&c.Nodes, "nodes", 0, "daemons; 0: drawn, 3 to 8")
	flag.IntVar(&c.Workers, "workers", 4, "users for each node")
	flag.IntVar(&c.Rate, "rate", 800, "things that all users do in a second")
	flag.IntVar(&c.Bulk, "bulk", 10_000, "sessions that lie there")
	flag.IntVar(&c.Hands, "hands", 2, "faults at a time")
	flag.DurationVar(&c.Bound, "bound", time.Minute, "until all nodes must agree after healing")
	flag.DurationVar(&c.Longest, "longest", 2*time.Minute, "the longest fault")
	flag.StringVar(&serve, "serve", "", "more arguments for the daemons")
	flag.StringVar(&out, "out", "", "folder for report.json and, of a failing run, the daemons' logs; a new one if not given")
	flag.StringVar(&c.Mode, "mode", "", "of the daemons: auto, multicast, or unicast (with a list of all peers)")
	flag.BoolVar(&c.First, "first", false, "end with the round in which something was found")
	flag.BoolVar(&md, "report-md", false, "print the table for docs/reliability.md")
	flag.Parse()
	if c.Seed == 0 {
		c.Seed = uint64(time.Now().UnixNano()) % 1_000_000
	}
	c.Serve = strings.Fields(serve)
	c.Round = [2]time.Duration{10 * time.Second, 150 * time.Second}
	c.Say = func(format string, args ...any) {
		fmt.Fprintln(os.Stderr, time.Now().Format("15:04:05.000"), fmt.Sprintf(format, args...))
	}
	os.Exit(perform(c, out, md))
}

func perform(c config, out string, md bool) (code int) {
	code = 1
	s := &stage{}
	s.perform(func() {
		rig.Binary(s)
		if !nstest.Possible() {
			code = inside(c.Seed)
			return
		}
		r := run(s, c)
		if code = 0; r.failed() || s.Failed() {
			code = 1
		}
		if err := keep(r, out); err != nil {
			s.Errorf("keeping the report: %v", err)
		}
		if md {
			r.markdown(os.Stdout)
		} else {
			r.text(os.Stdout)
		}
	})
	rig.Remove()
	if code != 0 {
		fmt.Printf("FAILED: go run ./test/soak -seed %d -for %v\n", c.Seed, c.For)
	}
	return code
}

// insideVariable says that this is the run inside unshare.
const insideVariable = "SOAK_INSIDE"

// inside runs the program again where it is root of namespaces of its own.
func inside(seed uint64) int {
	if os.Getenv(insideVariable) != "" {
		fmt.Fprintln(os.Stderr, "no namespaces inside unshare -Urn either")
		return 1
	}
	exe, err := os.Executable()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	args := append([]string{"-Urn", exe}, os.Args[1:]...)
	cmd := exec.Command("unshare", append(args, fmt.Sprint("-seed=", seed))...)
	cmd.Env = append(os.Environ(), insideVariable+"=1")
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		fmt.Fprintf(os.Stderr, "neither root nor `unshare -Urn`: %v\n", err)
		return 1
	}
	return 0
}

// keep writes the report and, if something was found, the daemons' logs.
func keep(r *report, out string) (err error) {
	if out == "" {
		if out, err = os.MkdirTemp("", "soak-report"); err != nil {
			return err
		}
	} else if err = os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "report in %s\n", out)
	f, err := os.Create(filepath.Join(out, "report.json"))
	if err != nil {
		return err
	}
	if err = r.json(f); err == nil {
		err = f.Close()
	}
	for name, log := range r.logs {
		if r.failed() && err == nil {
			err = os.WriteFile(filepath.Join(out, name+".log"), []byte(log), 0o644)
		}
	}
	return err
}
