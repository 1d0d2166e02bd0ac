package daemon

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"
)

// Task is one part of the running daemon. Its Run returns nil when ctx has ended and the part is done; any other
// return ends the daemon.
type Task interface {
	Run(ctx context.Context) error
	// Ready is closed when the part does what it is for.
	Ready() <-chan struct{}
	String() string
}

// runTasks runs all tasks until ctx ends or one of them fails, and returns when all have returned.
func runTasks(ctx context.Context, tasks []Task) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, t := range tasks {
		group.Go(func() error {
			if err := t.Run(ctx); err != nil {
				return fmt.Errorf("%s: %w", t, err)
			}
			return nil
		})
	}
	return group.Wait()
}

// always is the Ready of what is ready from the start.
var always = func() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

// waitReady waits until all tasks are ready, and reports false when ctx ends first.
func waitReady(ctx context.Context, tasks []Task) bool {
	for _, t := range tasks {
		select {
		case <-t.Ready():
		case <-ctx.Done():
			return false
		}
	}
	return true
}
