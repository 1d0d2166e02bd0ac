// Command sessioncast keeps web sessions in the memory of every server. It exits with 0 when done, 1 when what was asked
// for failed, 2 when the command line, the environment or the configuration file is wrong, and 3 when status finds a node
// that is not ready.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/sessioncast/sessioncast/internal/daemon"
)

func main() { os.Exit(run()) }

func run() int {
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) { // as nohup has it
		signals = append(signals, syscall.SIGHUP)
	}
	ctx, stop := signal.NotifyContext(context.Background(), signals...)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	return daemon.Main(ctx, os.Args[1:], daemon.ThisHost())
}
