// Package model is the data model of the design (section 3) as an executable model of one key on two or three nodes, searched
// exhaustively by its tests; nothing imports it.
//
// A State is a value: whoever holds a copy owns it. World and Search own nothing and may be used from anywhere.
//
// Every interleaving of a bounded number of operations, deliveries of single ops, repairs by value, time steps, restarts and
// snapshots is visited, breadth first, to a depth (go test; MODEL_DEEP=1, 2, ... goes deeper and prints what it covered). A dot
// that is never delivered is a loss, a node that gets none is a partition. In every state these are judged:
//
//   - promise 1: a local operation is seen by the next read of its node (checkStep);
//   - promise 2: from here, all repaired in two different orders, all nodes are equal (checkConverges);
//   - promise 3: a tombstone covers every birth really made before it (checkDestroyed), and no node shows what a tombstone it
//     was told of kills, collected or not (checkGhost);
//   - promise 5: no node hides what lives, or shows what is past, by all it was told, purged or not (checkGhost), nor hides what
//     a user keeps alive at a node that was told the same (checkKeptAlive).
//
// The judge (ghost.go) keeps every op for ever and shares no code with the merge. What it allows is listed under Limits.
//
// # The rules as found
//
// Stamps.
//
//  1. A local operation's stamp is max(HLC tick, highest stamp in the key + 1), over T, births, registers and the local touch.
//     Raised stamps do not move the HLC; headers do.
//  2. T = max((HLC ms + skew, counter all ones), highest stamp in the key + 1). All ones: a birth may bear any counter of
//     its millisecond.
//
// Births. A birth has id, weak, data, deadline register, Span and Latest.
//
//  3. Span is the longest lifetime the birth was ever given; a register without a deadline counts as the lifetime (24 h).
//     Latest = max over its deadline registers, computed where each is written, of promise and stamp + Span, cut by the
//     birth's absolute lifetime. Both travel with every op of the birth and merge by maximum. (Because an extension made
//     concurrently elsewhere, unknown to who shortens, may run until stamp + Span + pad: with the promise known here alone
//     the shortened session came back. The rule for "no deadline" is the same rule.)
//  4. Writes and touches go to the highest explicit birth that lives by its own promise, else to the highest weak one that
//     does. (A write into a weak birth beside an explicit one dies with it; one into a birth that is past is cut by that
//     birth's lifetime.)
//  5. SET without NX or XX makes a weak birth always, tombstone known or not, but for one by a connection that has read the key
//     as missing where the tombstone is known. After the hold a weak birth is above its end and nothing is lost.
//
// Merge.
//
//  6. Tombstone registers T, until and hold end: maximum each; then births ≤ T go, and weak ones ≤ hold end.
//  7. A birth is merged register by register, or inserted; the highest of each class are kept.
//  8. A touch (birth id, deadline register, Latest, Span) whose birth is neither here nor killed is not applied and not covered.
//  9. After every merge: collect, then settle the local touch: gone with its birth; discarded by a higher-stamped winning
//     register; re-issued, with a new dot but under its own stamp and birth, where its due exceeds the winning promise.
//     (A new stamp would win over a shortening made after the touch.)
//  10. A touch stays local when its due is within the winning promise and the winning register belongs to the birth it goes to.
//  11. A repair is the holder's whole state of the key, or nothing, and covers every dot of that key which the holder covers,
//     not only the one asked for. (Else an effect comes along without its dot, and when its origin dies nobody asks for the
//     dot: equal intervals, different values.) What is built covers the dots
//     asked for alone, and has the fingerprints compared: Params.Heals.
//  12. A snapshot claims the donor's intervals as of its start.
//
// Forgetting, judged on the merged result by the node's HLC.
//
//  13. Hidden: HLC ≥ winning promise + skew.
//
//  14. Each birth goes by itself, at epochEnd(max Latest over itself and the births it overrides + grace). It overrides a birth
//     whose data or whose deadline register is stamped lower than its own. While a register without a deadline wins, its birth
//     and those that override it stay; one that has lost counts as the winner's stamp + lifetime. ("The whole key after the
//     latest of all births" diverges without any loss: a session created again within the grace of its expired predecessor
//     keeps the predecessor on a node that had not purged it yet, and not on one that had. "Each by its own Latest" lets an
//     overridden birth surface again.)
//
//  15. until = max(T, hold end) + lifetime + 2 × skew + pad. (T + lifetime + 2 × skew is over before the last weak birth that the
//     hold must kill is gone, and before a birth as young as T has passed its grace.) The tombstone goes at epochEnd(until).
//
//  20. When the last birth of a key goes, the winning deadline register stays, for as long as a tombstone, with the birth's id. What comes to
//     a key without births and is older gets that register: under its own stamp, with a new dot. It is void where a tombstone that is
//     known here covers the birth. (A short life that overrode a longer one, unknown here, was over and forgotten when they met: the
//     longer one was shown again. A new stamp would win over a touch made after it; another due time would be a second content of one version.)
//
// Absence, in a cluster whose parts were separated for longer than a tombstone is kept (absence.go). Old is what is stamped
// longer ago than the lifetime; a tombstone is kept for longer by the skew, twice, and the pad.
//
//  16. An old dot is covered by a transfer only: whoever holds it answers "pull". ("Nothing" for a tombstone that is collected
//     would cover the destroy where the session still lives.)
//  17. A transfer from a donor that covers an old dot that is not held here is judged: of what it reads, an old birth that is here,
//     and not at the donor, and whose creating dot the donor offered, ended there, and goes. A transfer that is not judged covers
//     no old dot. What became old while it ran stays open either way: a tombstone whose dot was offered may be collected before it is read.
//  18. An old birth that arrives, is not here, and whose creating dot is held, ended here. It is not taken, and its dot stays open, if
//     its sender lacks any old dot that is held; what a transfer under way claims counts as held for that. (Else a write in the other
//     part brings it back, or brings it to a node that joins meanwhile.) From a sender that lacks none it is taken: it has heard of all
//     destroys that are collected, so the birth came to its end here and was kept alive there.
//  19. A transfer from several donors claims what all of them held.
//  21. When a tombstone is collected, T and hold stay, without a limit in time. Where something comes to the key that they kill, the tombstone is told again,
//     under its own stamps, with a new dot, and until as of one made now. (Who has the destroy and not the creation cannot tell by absence that
//     the birth ended; nor can who has neither.)
//
// # Limits
//
// Of a node cut off for longer than the winning promise and the grace it knows, the model allows
//
//  1. that it forgets, with the session that expired there, data written to it there, while others keep the session alive:
//     their value stands, everywhere; likewise a finite deadline over a persist it never heard of;
//  2. that equal intervals are not equal states until the fingerprints' heal has merged the buckets: of two births made on the
//     two sides with different lifetimes one may be purged on one side and still override on the other, and is told as ended only when
//     who remembers it meets what it overrode; a write of limit 1 may yet reach one node by an old datagram. The heal is part of convergence
//     in these cases, not only an alarm. Nothing else needs it: where no birth was purged while one of the key's dots was missing
//     somewhere, equal intervals are equal states. In the end all nodes show what lives by all that the living ones saw (checkEnds).
//  3. What is left of collected tombstones (21) dies with its node, and gives way to later ones. Where nobody remembers, as on nodes that are Forgetful,
//     absence is judged by what is covered: who took a destroy, and for as long as a tombstone is kept neither the creation that it
//     killed nor a repair of it, though another has both, cannot tell (overdue). Likewise a destroy by who had not heard of the
//     creation kills it there where its tombstone comes in time, and else not.
//  4. Nor does who is Forgetful tell where a transfer broke off, or ended before that was offered, and the effect of a destroy is somewhere without its dot: if all
//     who hold the dot die then, the comparison of fingerprints must tell who has the session still while the tombstone is kept; and nobody dies who held it alone
//     for longer (stranded).
//  5. A birth whose stamp was raised above its node's clock may escape a destroy by a node that never saw it (design 3.3).
package model
