// Package daemons tests running daemons from outside: by Redis clients, by garbage, by daemons of another cluster, by
// signals.
package daemons
