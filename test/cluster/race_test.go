//go:build race

package cluster

// raced: the race detector is on, which makes everything ten times as slow.
const raced = true
