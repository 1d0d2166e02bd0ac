package transfer

// Stats counts what a node's transfers carried: what they cost, in records and in bytes of the messages, before encryption.
type Stats struct {
	RecordsIn, BytesIn uint64 // taken from donors; of transfers that failed, too
	Served             uint64 // transfers that this node began to give, as a donor
	RecordsOut         uint64
	BytesOut           uint64
	PartsSkipped       uint64 // parts of the table not sent because the other side had them alike
}
