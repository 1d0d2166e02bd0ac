package sessioncast_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"time"

	"github.com/sessioncast/sessioncast"
)

// Two nodes, here in one process: what is written on one is read on the other.
func Example() {
	ctx := context.Background()
	open := func(name string) *sessioncast.Node {
		node, err := sessioncast.Open(ctx, sessioncast.Config{
			Name: name, Insecure: true, Port: 24310, // for the example; leave both out in earnest
			Address: netip.MustParseAddr("127.0.0.1"), Logger: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			panic(err)
		}
		return node
	}
	server1, server2 := open("server1"), open("server2")
	defer server1.Close()
	defer server2.Close()

	events := server2.Watch(ctx)
	if _, err := server1.Set(ctx, "3f9a…", []byte("user=alice"), 30*time.Minute); err != nil {
		panic(err)
	}
	for event := range events {
		fmt.Println("server2 sees that it was", event.Kind)
		break
	}
	session, err := server2.Get(ctx, "3f9a…")
	fmt.Printf("server2 reads %s, %v\n", session.Data, err)

	events = server1.Watch(ctx)
	if _, err := server2.Destroy(ctx, "3f9a…"); err != nil {
		panic(err)
	}
	for event := range events { // on a busy machine a write may return before another server confirms it: its receipt tells
		fmt.Println("server1 sees that it was", event.Kind)
		break
	}
	_, err = server1.Get(ctx, "3f9a…")
	fmt.Println("server1:", err)
	_, err = server1.Set(ctx, "3f9a…", []byte("user=alice"), 30*time.Minute) // by a request that was still running
	fmt.Println("revived:", !errors.Is(err, sessioncast.ErrDestroyed))
	// Output:
	// server2 sees that it was created
	// server2 reads user=alice, <nil>
	// server1 sees that it was destroyed
	// server1: sessioncast: no such session
	// revived: false
}
