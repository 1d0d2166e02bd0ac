//go:build linux

// Command soak runs real daemons in network namespaces under load, with faults drawn from a seed, for as long as asked,
// and follows every acknowledged write and every logout.
//
// A run is a chain of rounds: load and faults together, then every fault is healed, the load pauses, all nodes must agree
// within a bound, and everything that every node holds is read and judged. What a node may answer at any moment follows from
// the ledger (what was asked and answered, by whom, when) and the history (which faults were in force between whom, who was
// killed since): the judge never guesses, it names the set of answers that are allowed.
//
// A session belongs to one worker, and only its goroutine touches it, or the census while all workers stand still.
package main
