//go:build race

package cluster

// healSessions is fewer than the aim's under the race detector, which makes everything ten times as slow.
const healSessions = 10_000
