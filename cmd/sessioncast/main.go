// Command sessioncast keeps web sessions in the memory of every server. It exits with 0 when done, 1 when what was asked
// for failed, 2 when the command line, the environment or the configuration file is wrong, and 3 when status finds a node
// that is not ready.
package main

import (
	"context"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/sessioncast/sessioncast/internal/daemon"
)

func main() { os.Exit(run()) }

func run() int {
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) { // as nohup has it
		signals = append(signals, syscall.SIGHUP)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var lastWord atomic.Pointer[func()]
	arrived := make(chan os.Signal, 2)
	signal.Notify(arrived, signals...)
	go func() {
		<-arrived
		cancel()
		endBy(<-arrived, lastWord.Load()) // a second signal ends the process at once
	}()
	host := daemon.ThisHost()
	host.AtOnce = func(say func()) { lastWord.Store(&say) }
	return daemon.Main(ctx, os.Args[1:], host)
}

// lastWordWait bounds what is said of an end at once: nobody may read it, as on a terminal that was stopped.
const lastWordWait = 200 * time.Millisecond

// endBy says the last word, if there is any, and ends the process as the signal would have by itself.
func endBy(s os.Signal, lastWord *func()) {
	if lastWord != nil {
		said := make(chan struct{})
		go func() {
			(*lastWord)()
			close(said)
		}()
		select {
		case <-said:
		case <-time.After(lastWordWait):
		}
	}
	signal.Reset()
	if self, err := os.FindProcess(os.Getpid()); err != nil || self.Signal(s) != nil {
		os.Exit(daemon.ExitFailed) // no system that sends signals
	}
}
