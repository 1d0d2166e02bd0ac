// Package sim runs clusters of real engines, tables, seals and frames on a virtual network and a virtual clock, breaks
// them in every way that the network and the machines can break, and checks the promises while it does.
//
// A World is owned by one goroutine and shares nothing, so many may run side by side. Everything in a run follows from
// its Options, and those from one seed: the same seed gives the same run, on every machine.
//
// The shape is that of TigerBeetle's VOPR: first safety under faults, then a random core of the nodes is healed and
// must converge within a bound.
package sim
