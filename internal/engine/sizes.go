package engine

// Size is how much of something that others can make grow a Machine holds, and its limit.
type Size struct {
	What    string
	N, Most int
}

// Sizes lists all of it, for tests of the limits.
func (m *Machine) Sizes() []Size {
	return []Size{
		{"strangers", len(m.admit.order), maxStrangers},
		{"strangers by origin", len(m.admit.strangers), maxStrangers},
		{"nodes heard and not proven", len(m.admit.sighted), maxSighted},
		{"addresses with other keys", len(m.admit.otherKeys), otherKeySources},
		{"members", len(m.members.list), maxPeers},
		{"relayed probes", len(m.members.relays), maxRelays},
		{"keys to push", len(m.push.queue), maxBacklog},
		{"changes by key", len(m.push.dirty), maxBacklog},
		{"spare changes", len(m.push.spare), maxSpareDirty},
		{"control frames", len(m.control), maxControl},
		{"events", len(m.events), maxEvents},
		{"writers that wait", len(m.acks.waiters), maxWaiters},
		{"dots to repair", len(m.repair.wants), maxRepairWants},
		{"items of which pieces are being sent", m.frags.pieces, maxPieces},
		{"items being sent in fragments", m.frags.wholes(), maxOutgoing + 1}, // the last may be one that a push begins
		{"items being assembled", len(m.frags.list), maxAssemblies},
		{"items being assembled, by version", len(m.frags.open), maxAssemblies},
		{"bytes being assembled", m.frags.held, maxAssembly},
		{"transfers given", len(m.giving), maxGiving},
		{"origins with gaps", len(m.gapped), len(m.known)},
	}
}
