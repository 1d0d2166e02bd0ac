package daemon

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"strings"
)

// The exit codes of the binary.
const (
	ExitOK      = 0 // done
	ExitFailed  = 1 // what was asked for could not be done
	ExitUsage   = 2 // the command line, the environment or the file is wrong
	ExitUnready = 3 // status: the daemon answers, but its node is not ready
)

// reference is a configuration file that names every option with its default, all of them commented out.
//
//go:embed config_reference.toml
var reference string

// Main runs the binary: it reads the configuration, runs the command and returns the exit code. What was asked for goes
// to standard output, messages to standard error.
func Main(ctx context.Context, args []string, host Host) int {
	cli, err := Load(args, host)
	if err == nil {
		err = run(ctx, cli, host)
	}
	var usage *UsageError
	switch {
	case err == nil, errors.Is(err, ErrHelp):
		return ExitOK
	case errors.As(err, &usage):
		report(host.Stderr, err)
		fmt.Fprintln(host.Stderr, helpHint(args))
		return ExitUsage
	case errors.Is(err, errNotReady):
		return ExitUnready
	}
	report(host.Stderr, err)
	return ExitFailed
}

// report writes each line of an error with the program's name before it.
func report(w io.Writer, err error) {
	for line := range strings.Lines(err.Error()) {
		fmt.Fprintln(w, "sessioncast: "+strings.TrimSuffix(line, "\n"))
	}
}

func helpHint(args []string) string {
	command := "sessioncast"
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		for _, known := range commands {
			if args[0] == known {
				command += " " + known
			}
		}
	}
	return "Run \"" + command + " --help\" for help."
}

var commands = []string{"serve", "bridge", "status", "wait", "sessions", "key", "config", "version"}

func run(ctx context.Context, cli *CLI, host Host) error {
	switch cli.Command {
	case "serve":
		return serve(ctx, cli, host)
	case "bridge":
		return bridgeOriginals(ctx, cli, host)
	case "status":
		return showStatus(ctx, cli, host)
	case "wait":
		return waitForMembers(ctx, cli, host)
	case "sessions":
		return showSessions(ctx, cli, host)
	case "key new":
		return newKeyFile(cli.Key.New.Out, host.Stdout)
	case "config reference":
		_, err := io.WriteString(host.Stdout, reference)
		return err
	case "config show":
		_, err := io.WriteString(host.Stdout, showOptions(&cli.Config.Show.Options, cli.Origins))
		return err
	case "version":
		_, err := fmt.Fprintln(host.Stdout, "sessioncast", version())
		return err
	}
	return fmt.Errorf("%s: unknown command", cli.Command)
}

// version tells what was built, and by what.
func version() string {
	return fmt.Sprintf("%s %s %s/%s", release(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

// stamped is the release that the linker was told, as for the npm packages: a build in a folder of sources knows none.
var stamped string

// release tells what was built, from what the toolchain recorded.
func release() string {
	if stamped != "" {
		return stamped
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return "devel-" + s.Value[:min(len(s.Value), 12)]
		}
	}
	return "devel"
}
