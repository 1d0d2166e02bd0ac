// Package rig runs real programs for tests: the sessioncast binary and whatever stands beside it, on this host or in
// network namespaces.
//
// Every process belongs to one test, is killed by its id when the test ends, and dies with the test binary however that
// dies. A Process is safe for concurrent use.
package rig
