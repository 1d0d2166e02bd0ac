// Package bridge speaks the JSON datagrams of express-session-multicast 0.0.2, the original, so that its nodes and a cluster of
// sessioncast share their sessions while servers move from one to the other.
//
// A [Core] is one node of the originals' group. It owns who is there, what waits to be sent and what the originals are known to hold;
// the sessions are in the [Store] that it is given. It knows no clock, socket or goroutine: it is told what came and when, and asked
// what is to be sent. It belongs to one goroutine, but for Counters.
//
// What an original does with a datagram was read in its source, and decides what is sent:
//
//   - Of what is not JSON, or is null, it dies. So it does where express-session cannot make a session of what it holds. Nothing is sent
//     but what [Fits] lets through.
//   - It takes a session that it does not know and ignores one that it does: it has no updates. It forgets nothing by itself.
//   - It inserts twice what it is told twice within a moment, and a destroy ends one of the two. So nothing is told twice without need,
//     and where a destroyed session shows up again, it is destroyed again.
//   - It asks one node, once, for the sessions that there are, and takes any number of answers, asked for or not.
package bridge
