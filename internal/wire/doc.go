// Package wire is the form of everything that nodes say to each other: the header and the bodies of datagrams, and
// the bodies of stream messages. The bytes are those of docs/PROTOCOL.md.
//
// An Encoder, a Decoder and the builders belong to one caller at a time; they keep scratch memory, so that in the steady state
// neither appending nor parsing allocates. The structs that are parsed into belong to the caller too, and their
// slices are used again by the next parse.
//
// Whatever is parsed aliases the bytes it was parsed from: names of keys, owners, values, a fragment's bytes, names of
// nodes. Who keeps one longer than those bytes clones it (strings.Clone, bytes.Clone). Interval sets are copies.
package wire
