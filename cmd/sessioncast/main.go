// Command sessioncast keeps web sessions in the memory of every server. It exits with 0 when done, 1 when what was asked
// for failed, and 2 when the command line, the environment or the configuration file is wrong.
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
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return daemon.Main(ctx, os.Args[1:], daemon.ThisHost())
}
