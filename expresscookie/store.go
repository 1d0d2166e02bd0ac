package expresscookie

import (
	"context"
	"encoding/json"
	"time"
)

// Store keeps sessions by id, each the JSON text of an object. Over makes the cluster one. Its methods are safe for concurrent
// use, and no error of theirs holds an id. The end of a session's life is after ttl, of which the last write or touch counts.
type Store interface {
	// Get returns a session, or ErrNotFound. The caller does not write to what it gets.
	Get(ctx context.Context, id string) ([]byte, error)
	// Create makes a session of an id that nobody had.
	Create(ctx context.Context, id string, data []byte, ttl time.Duration) error
	// Patch sets and removes top-level keys of a session and leaves the others as they are. It returns ErrNotFound where there
	// is no session, and makes none.
	Patch(ctx context.Context, id string, changed map[string]json.RawMessage, removed []string, ttl time.Duration) error
	// Touch moves the end of a session's life, or returns ErrNotFound.
	Touch(ctx context.Context, id string, ttl time.Duration) error
	// Destroy ends a session for good. One that is not there is no error.
	Destroy(ctx context.Context, id string) error
}
