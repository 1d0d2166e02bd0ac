// Package memory measures what a session takes in memory, and how long a node takes to hold all of another's, beside Redis
// in the same run: scripts/bench-memory.
package memory
