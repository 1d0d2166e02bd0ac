//go:build !race

package cluster

const raced = false

// healSessions is how many sessions change during the partition of docs/reliability.md.
const healSessions = 100_000
