package expresscookie

import (
	"context"
	"encoding/json"
	"time"
)

// Store keeps sessions by id, each the JSON text of an object. Over makes the cluster one. Its methods are safe for concurrent
// use, and no error of theirs holds an id. The end of a session's life is after ttl, of which the last write or touch counts.
type Store interface {
	// Get returns a session, or ErrNotFound.
	Get(ctx context.Context, id string) (Stored, error)
	// Create makes a session of an id that nobody had.
	Create(ctx context.Context, id string, data []byte, ttl time.Duration) error
	// Patch changes a session. It returns ErrNotFound where there is none, and makes none.
	Patch(ctx context.Context, id string, p Patch, ttl time.Duration) (Patched, error)
	// Touch moves the end of a session's life, or returns ErrNotFound.
	Touch(ctx context.Context, id string, ttl time.Duration) error
	// Destroy ends a session for good. One that is not there is no error.
	Destroy(ctx context.Context, id string) error
}

// Stored is a session in a Store.
type Stored struct {
	// Data is not written to by who gets it.
	Data []byte
	// Version is for Patch, and nobody else's business; nil: the Store has none.
	Version any
}

// Patch sets and removes top-level keys of a session, and leaves the others as they are.
type Patch struct {
	Changed map[string]json.RawMessage
	Removed []string
	// Since is the Version that the session had when it was read or written last.
	Since any
}

// Patched is what became of a Patch.
type Patched struct {
	// Version is the session's now.
	Version any
	// Conflicts are the keys that somebody else had changed since Since to something else. What the Patch says counts.
	Conflicts []string
}
