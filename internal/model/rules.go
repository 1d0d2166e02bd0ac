package model

// Rules re-introduces, one flag each, a rule that an earlier design had or that a hurried reader would
// write. The zero value is the design as it stands; every flag must be caught by the search.
type Rules struct {
	HigherBirthWinsWhole bool // of two births the higher replaces the lower, registers and all
	TouchCoversEarly     bool // a touch that overtook its create covers its dot and is forgotten
	TouchMakesStub       bool // a touch that overtook its create makes an empty birth
	PurgeAtOnce          bool // a key goes when it is hidden
	PurgeByWinner        bool // a key goes after its winning promise, not after its latest one
	PurgeEachBirth       bool // each birth goes by its own latest promise
	PurgeWhole           bool // all births of a key go together, after the latest promise of any
	InsertDue            bool // a merge does not judge its result: what is due stays
	PrefixOnly           bool // what a node knows of an origin is a prefix
	DestroyByOwnClock    bool // T = own HLC
	DestroyBlind         bool // T = HLC + skew, even below what the node has seen
	StampByClock         bool // a local stamp need not exceed the key's
	NoTombstoneCheck     bool // a birth at or below T is merged
	CollectEarly         bool // until does not wait for the absolute lifetime
	UntilWithoutHold     bool // until = T + lifetime + 2 x skew: neither the hold nor the pad is in it
	WeakOutlivesHold     bool // a hold does not kill weak births
	UpsertExplicit       bool // an upsert makes explicit births
	TouchNotReissued     bool // a local touch is forgotten when a merge lowers the promise under it
	ReissueNewStamp      bool // a re-issued touch gets a new stamp
	ShortenKeepsTouch    bool // an older local touch survives a shortening
	TouchAlwaysLocal     bool // a touch beyond the promise stays local
	HideWithoutSkew      bool // a node hides at the promise by its own clock
	PersistForgotten     bool // a register without a deadline adds nothing to latest, nor does one that overrides it
	RepairCoversOne      bool // a repair covers the dot asked for alone, whatever its state carries
	SnapshotClaimsEnd    bool // a snapshot claims the donor's intervals at its end
	NothingWhenIgnorant  bool // a holder that does not know the dot says "nothing" instead of "pull"
	ShortenByOldPromise  bool // a shortening is kept only as long as the promise its own node knew
	NoAbsence            bool // a transfer joins, however old what it makes up for
	AbsenceAlways        bool // a transfer judges by dots, however young what it makes up for
	AbsenceDiscards      bool // who makes up for something old discards what the donor lacks, covered there or not
	RepairOld            bool // a dot older than a tombstone's keep is repaired by itself
	NoRefusal            bool // a birth that ended here long ago is taken from who has not heard of it
	RefuseByHeld         bool // ... is refused by what is covered, not by what a transfer is about to cover
	RefusalCovers        bool // what was refused counts as applied
	AgedCounts           bool // a transfer that is judged covers what became old while it ran
	EndForgotten         bool // a birth that goes at its end leaves nothing
	EndNewStamp          bool // an end that is told after all gets a new stamp
	EndOutlivesDestroy   bool // an end is told although its birth is destroyed
	ClaimAny             bool // a transfer of two donors claims what either had
	TombForgotten        bool // a tombstone that is collected leaves nothing
	TombToldAsOld        bool // one that is told again ends when the first did
}

// Params are the constants of design 3, in ticks.
type Params struct {
	TTL, ShortTTL int16
	Pad           int16
	Skew          int16 // the limit, between any two clocks; also the measured skew
	Epoch         int16
	Hold          int16 // 0: off
	Life          int16 // the absolute lifetime, or what stands for one where none is set
	Pulls         bool  // a node may pull at any time, and nothing is on its way for longer than Life
	NoLife        bool  // births have no absolute lifetime of their own: nothing caps a touch
	Forgetful     bool  // what is left of collected tombstones has given way to others: limits 3 and 4
	Heals         bool  // equal intervals need not be equal states: the comparison of fingerprints is part of convergence
	Tick          int16 // how much time one tick is; 0: 1
	Clock         [maxNodes]int16
}

func (p *Params) grace() int16 { return 2*p.Skew + p.Pad }

func (p *Params) epochEnd(t int16) int16 { return (t + p.Epoch - 1) / p.Epoch * p.Epoch }

// cap is the last moment a birth may be promised to live to.
func (p *Params) cap(b ID) int16 {
	if p.NoLife {
		return never
	}
	return b.S.tick() + p.Life
}
