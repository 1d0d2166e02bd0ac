package admin

import (
	"net/http"
	"reflect"
	"strings"
	"unicode"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/sessioncast/sessioncast/internal/wire"
)

const namespace = "sessioncast_"

// maxScrapes is how many scrapes are answered at once.
const maxScrapes = 4

func metricsHandler(read func() *Reading) http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), collector{read})
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{MaxRequestsInFlight: maxScrapes})
}

// collector makes metrics of a reading, whenever it is asked.
type collector struct{ read func() *Reading }

// Describe describes nothing: which members there are is known only when metrics are collected.
func (collector) Describe(chan<- *prometheus.Desc) {}

// Collect reads once and tells everything.
func (c collector) Collect(out chan<- prometheus.Metric) {
	r := c.read()
	e := emitter{out}
	e.node(r)
	e.members(r)
	e.all("", &r.Counts.Engine)
	e.all("link", &r.Counts.Link)
	e.all("table", &r.Counts.Table)
	e.all("stream", &r.Stream)
	e.all("transfer", &r.Moved)
	e.all("resp", &r.RESP)
	if r.Bridge != nil {
		e.all("bridge", r.Bridge)
	}
}

type emitter struct{ out chan<- prometheus.Metric }

func (e emitter) send(name, help string, kind prometheus.ValueType, value float64, labels ...string) {
	var keys, values []string
	for i := 0; i+1 < len(labels); i += 2 {
		keys, values = append(keys, labels[i]), append(values, labels[i+1])
	}
	desc := prometheus.NewDesc(namespace+name, help, keys, nil)
	if m, err := prometheus.NewConstMetric(desc, kind, value, values...); err == nil {
		e.out <- m
	}
}

func (e emitter) gauge(name, help string, value float64, labels ...string) {
	e.send(name, help, prometheus.GaugeValue, value, labels...)
}

func (e emitter) node(r *Reading) {
	e.gauge("info", "Always 1; its labels describe this node.", 1,
		"node", r.Node, "id", ShortID(r.ID), "cluster", r.Cluster, "version", r.Version)
	e.gauge("ready", "1 when this node is synced and may get traffic.", boolean(r.unready() == ""))
	e.gauge("start_time_seconds", "When this node was opened, Unix time.", float64(r.Started.UnixMilli())/1000)
	e.gauge("acks_degraded", "1 when writes return, or would, without the confirmations that --ack asks for.", boolean(r.degraded() != ""))
	e.gauge("acks_unconfirmed_ratio", "Share of the last minute's waiting writes that returned unconfirmed.", r.Acks.Minute.Share())
	e.gauge("acks_answering_peers", "Synced peers that confirm writes lately.", float64(r.Acks.Listening))
	e.gauge("full_ratio", "Share of the memory limit in use; new sessions are refused from 0.95 on.", r.fullShare())
	e.gauge("full_crowded", "1 when most members are nearly full, so that no new sessions are made here.", boolean(r.Full.Crowded))
	e.gauge("full_lacking", "1 when this node lacks sessions of others for want of room.", boolean(!r.Full.Lacks.IsZero()))
	e.gauge("incomplete_changes", "Changes that a peer offered as this node joined, and took away with it; they may be lost.", float64(r.Lost.Changes))
	e.gauge("incomplete_sessions", "About how many sessions these may be, at most.", float64(r.Lost.Sessions))
	e.gauge("unproven_nodes", "Nodes of the cluster that are heard and do not answer: unicast between them and this node is shut.", float64(len(r.Unproven)))
	e.gauge("peer_lookups_failing", "Configured peers that cannot be found now.", float64(len(r.Lookups)))
	e.gauge("findings", "Things worth an operator's attention now; sessioncast status names them.", float64(len(r.Findings())))
}

func boolean(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func (e emitter) members(r *Reading) {
	byState := map[wire.MemberState]int{}
	named := map[string]bool{}
	for _, m := range r.present() {
		byState[m.State]++
		if m.Self {
			e.gauge("late_seconds", "By how much this node was late at most within the last seconds.", m.Late.Seconds())
			e.gauge("timeout_factor", "How many times the usual time this node gives its peers, because it runs late itself; 1 where it does not.", float64(max(m.Stretch, 1)))
		}
		name := Printable(memberName(&m))
		if m.Self || m.State == wire.Dead || named[name] {
			continue
		}
		named[name] = true
		e.gauge("member_lag", "Changes of this node that the member has not confirmed.", float64(m.Lag), "member", name)
		e.gauge("member_lacks", "Changes that the member announced and that are missing here.", float64(m.Lacks), "member", name)
		e.gauge("member_loss_ratio", "Share of the member's multicast datagrams that did not arrive here lately.", m.Loss, "member", name)
		e.gauge("member_rtt_seconds", "Fastest acknowledgement lately; 0 where not known.", m.RTT.Seconds(), "member", name)
		e.gauge("member_silence_seconds", "Time since the member was heard.", m.Silence.Seconds(), "member", name)
		e.gauge("member_clock_offset_seconds", "The member's clock minus this node's.", m.Offset.Seconds(), "member", name)
		e.gauge("member_sessions", "Sessions that the member says it holds.", float64(m.Sessions), "member", name)
		e.gauge("member_bytes", "Bytes that the member says its sessions take.", float64(m.Bytes), "member", name)
		e.gauge("member_lacking", "1 when the member lacks sessions for which it has no room.", boolean(m.Lacking), "member", name)
		e.gauge("member_incomplete", "1 when the member lacks sessions that a donor took with it as it joined.", boolean(m.Incomplete), "member", name)
		e.gauge("member_answers", "1 when the member confirms writes of this node lately.", boolean(!m.Deaf), "member", name)
		e.gauge("member_copies", "1 when the member gets unicast copies of what goes to the group.", boolean(m.Copies), "member", name)
		e.gauge("member_shut_in", "1 when nothing by unicast arrives from the member, though its multicast does: it confirms no writes.", boolean(m.ShutIn), "member", name)
		e.gauge("member_shut_out", "1 when, as the member says, nothing by unicast arrives there from this node, though its multicast does.", boolean(m.ShutOut), "member", name)
		e.gauge("member_hears_us", "1 when the member says that it hears this node's multicast.", boolean(m.HearsUs), "member", name)
	}
	for s := wire.Joining; s <= wire.Dead; s++ {
		e.gauge("members", "Members by state, this node included.", float64(byState[s]), "state", s.String())
	}
}

// all tells every field of a struct of counters, so that none is forgotten: uint64 are counters, int64 gauges.
func (e emitter) all(part string, counters any) {
	v := reflect.ValueOf(counters).Elem()
	for i := range v.NumField() {
		field := v.Type().Field(i).Name
		kind, suffix := prometheus.GaugeValue, ""
		value := 0.0
		switch f := v.Field(i); f.Kind() {
		case reflect.Uint64:
			kind, suffix, value = prometheus.CounterValue, "_total", float64(f.Uint())
		case reflect.Int64:
			value = float64(f.Int())
		default:
			continue
		}
		if reason, is := strings.CutPrefix(field, "Drop"); is && part == "" {
			e.send("dropped_frames_total", "Frames dropped, by reason.", kind, value, "reason", snake(reason))
			continue
		}
		name := strings.TrimPrefix(part+"_"+snake(field)+suffix, "_")
		e.send(name, helpFor(part, field), kind, value)
	}
}

// helpFor is a counter's help: a sentence where its name needs one, else the name's words.
func helpFor(part, field string) string {
	if text, ok := metricHelp[strings.TrimPrefix(part+"."+field, ".")]; ok {
		return text
	}
	words := strings.ReplaceAll(snake(field), "_", " ")
	if part == "" {
		part = "protocol"
	}
	return strings.ToUpper(words[:1]) + words[1:] + ", of the " + part + "."
}

var metricHelp = map[string]string{
	"FramesIn":              "Datagrams received, of any kind.",
	"FramesOut":             "Datagrams sent.",
	"DataIn":                "Frames with changes received.",
	"DataOut":               "Frames with changes sent.",
	"DotsIn":                "Changes of other nodes taken in.",
	"DotsOut":               "Changes of this node sent.",
	"Duplicates":            "Changes received that were known already.",
	"Conflated":             "Changes of this node superseded before they were sent.",
	"FragmentDrops":         "Fragments of large values dropped.",
	"NacksOut":              "Requests for missing changes sent.",
	"GapsPulled":            "Transfers asked for because no repair came: unicast datagrams may be shut out.",
	"NacksIn":               "Requests for missing changes received.",
	"RepairsOut":            "Changes sent again.",
	"RepairsIn":             "Changes received again.",
	"RepairDenied":          "Repairs refused beyond a requester's budget.",
	"AckTimeouts":           "Writes that returned before as many peers had confirmed them as --ack asks for, or the call where it asks for fewer.",
	"AckMoreUnmet":          "Calls that asked for more peers than --ack, and returned before so many had confirmed; as many as --ack asks had.",
	"AckGivenUp":            "Of both, those that returned at once because no peer that answers lately was left to wait for.",
	"AwaitDenied":           "Writes that returned without waiting because too many waited.",
	"FetchesStarted":        "State transfers started.",
	"FetchesFailed":         "State transfers failed.",
	"GivesUncounted":        "State transfers from this node beyond those that it waits for as it leaves.",
	"JoinsIncomplete":       "Times that this node was synced without all that its donors had offered.",
	"ShutsFound":            "Times that a peer that is heard was found to be shut: nothing by unicast arrived from it.",
	"Divergences":           "Times that tables differed although no change was missing.",
	"ClonesFound":           "Times that another process was found to run as a clone of this one; it went on as a new run.",
	"NoRoom":                "Changes of other nodes that found no room in memory.",
	"SealRefused":           "Frames that could not be encrypted; must stay 0.",
	"BacklogDropped":        "Changes of this node left to transfers because too many waited.",
	"link.KernelDrops":      "Datagrams dropped by the kernel because the receive buffer was full.",
	"link.Rejoins":          "Times the multicast group was joined again.",
	"table.Sessions":        "Sessions held.",
	"table.Hidden":          "Expired sessions kept until they can be forgotten.",
	"table.Tombstones":      "Destroyed sessions remembered.",
	"table.Owned":           "Sessions that carry an owner label, expired ones included.",
	"table.Bytes":           "Memory taken by sessions.",
	"table.Limit":           "Memory limit for sessions; 0: none.",
	"table.Refused":         "Local writes refused: memory full, or clock ahead.",
	"table.Held":            "Writes refused because their session was logged out a moment ago.",
	"resp.Clients":          "Redis clients connected.",
	"resp.Commands":         "Commands of Redis clients.",
	"resp.Destroyed":        "Writes refused because their session was logged out a moment ago.",
	"resp.Full":             "Writes refused because memory is full.",
	"stream.Open":           "Stream connections now.",
	"stream.Foreign":        "Stream connections that did not prove the cluster key.",
	"stream.Garbage":        "Stream connections that spoke something else.",
	"stream.HungUp":         "Stream connections that ended before they proved the cluster key: of peers that were killed or cut off, or of who only looked whether the port is open.",
	"table.UnknownDropped":  "Destroys of unknown sessions beyond their limits.",
	"table.LocalTouches":    "Extensions of a session's life that needed no datagram.",
	"link.DatagramsIn":      "Datagrams received by the sockets.",
	"link.DatagramsOut":     "Datagrams sent by the sockets.",
	"link.ReceiveBatches":   "System calls that received something.",
	"link.SendBatches":      "System calls that sent something.",
	"resp.ClosedHTTP":       "Connections closed because a browser spoke HTTP.",
	"resp.ClosedProtocol":   "Connections closed because of malformed commands.",
	"resp.ClosedTooMany":    "Connections refused because there were too many.",
	"resp.ClosedOutput":     "Connections closed because too many replies waited.",
	"resp.ClosedStalled":    "Connections closed because they read no replies.",
	"resp.Hits":             "Reads that found a session.",
	"resp.Misses":           "Reads that found none.",
	"table.NoRoom":          "Sessions of other nodes that found no room in memory.",
	"ChallengesDenied":      "Strangers turned away because too many asked at once.",
	"SightingsDropped":      "Nodes heard and not proven beyond those remembered.",
	"MembersForgotten":      "Members forgotten because the list of members was full.",
	"RelaysDropped":         "Probes made for other nodes whose answer is not passed on any more.",
	"OtherKeysDropped":      "Frames under another key from addresses that found no room in the list.",
	"WatchersDenied":        "Connections of the death watch closed because there were too many.",
	"Challenges":            "Challenges sent to strangers.",
	"table.Expired":         "Sessions that reached the end of their life.",
	"table.Purged":          "Expired sessions and tombstones forgotten.",
	"stream.Accepted":       "Stream connections that proved the cluster key.",
	"stream.Refused":        "Stream connections refused because there were too many.",
	"stream.Slow":           "Stream connections that took too long to prove the key.",
	"transfer.RecordsIn":    "Records taken from donors.",
	"transfer.RecordsOut":   "Records given as a donor.",
	"transfer.BytesIn":      "Bytes of state transfers received, before encryption.",
	"transfer.BytesOut":     "Bytes of state transfers sent, before encryption.",
	"transfer.Served":       "State transfers begun as a donor.",
	"transfer.PartsSkipped": "Parts of the table, each of a few sessions, not sent because the receiver had them alike.",
	"link.SendErrors":       "Datagrams not sent: network down, unreachable, filtered or buffers full.",
	"link.TooLarge":         "Datagrams not sent because the path takes only smaller ones.",
	"resp.AuthFailures":     "Wrong passwords.",
	"table.Renewed":         "Extensions of a session's life replicated with others before their promise was outgrown.",
	"table.RenewDropped":    "Extensions that found no room to wait for that.",
	"table.EndsTold":        "Ends of forgotten sessions told where an older state of them came.",
	"table.EndsDropped":     "Ends of forgotten sessions not remembered any more, since there are too many.",
	"table.TombsTold":       "Logouts told again, after their tombstone was collected, where a session came that they end.",
	"table.TombsDropped":    "Collected tombstones not remembered any more, since there are too many.",
	"table.Conflicts":       "Fields of sessions written over what others had changed since the writer read them.",
	"table.Crowded":         "Births of a session not kept, since eight later ones of the same key are.",
	"table.Reissued":        "Extensions of a session's life replicated later after all.",
	"link.Oversize":         "Datagrams longer than any node sends.",
	"link.ReceiveErrors":    "Failed receptions.",
	"table.Invalid":         "Records of other nodes whose key cannot be.",
	"FragmentsIn":           "Fragments of large values received.",
	"FragmentsOut":          "Fragments of large values sent.",
	"CopiesOut":             "Datagrams for the group sent by unicast, to who does not hear it.",
	"CallsOut":              "Greetings to addresses at which no member is known.",
	"SeedsDropped":          "Configured addresses of peers beyond the limit.",
	"CallsDropped":          "Addresses to greet beyond the limit.",
	"HeartbeatsOut":         "Heartbeats sent.",
	"AcksOut":               "Acknowledgements sent.",
	"AcksIn":                "Acknowledgements received.",
	"resp.Blocked":          "Clients that wait for acknowledgements.",
	"resp.Held":             "Batches whose replies waited for acknowledgements.",
	"resp.TooBig":           "Commands refused because they are too large.",
	"resp.AcceptErrors":     "Failed acceptances of connections.",
	"resp.Failed":           "Commands answered with an error.",
	"resp.Accepted":         "Connections accepted.",
	"resp.Expired":          "Commands that found a deadline already past.",
	"resp.Tracking":         "Clients told when what they read changes.",
	"resp.Output":           "Bytes of replies that wait for clients.",
	"resp.TrackingLost":     "Times tracking clients were told to forget everything.",
	"resp.Invalidations":    "Messages to tracking clients.",
	"WatchesBroken":         "Connections to other processes that ended without a goodbye.",
	"DoubtsIn":              "Doubts of other nodes whether a process is alive.",
	"DoubtsProven":          "Processes found dead by probes after their connection ended.",
	"DoubtsRefuted":         "Processes found alive by probes after their connection ended.",
	"SetAside":              "Times that a receiver was set aside because it was far worse than the others.",
	"TurnedAway":            "Requests of receivers set aside that were not answered.",
	"LossReports":           "Answers to nodes that sent much: what share of it is missing.",
	"bridge.Hosts":          "Nodes of the originals' group that are known.",
	"bridge.Queued":         "Sessions that wait to be told to originals.",
	"bridge.DatagramsIn":    "Datagrams of originals.",
	"bridge.DatagramsOut":   "Datagrams for originals.",
	"bridge.Greeted":        "Originals that were new and were greeted.",
	"bridge.Asked":          "Originals that were asked for their sessions.",
	"bridge.Answered":       "Answers sent to originals, each of some sessions.",
	"bridge.Taken":          "Sessions of originals that were new here.",
	"bridge.Updated":        "Sessions changed by what originals wrote.",
	"bridge.Extended":       "Sessions of which originals moved the end only.",
	"bridge.Unchanged":      "Sessions that originals wrote as they were.",
	"bridge.Ended":          "Sessions destroyed by originals.",
	"bridge.Told":           "Sessions told to originals.",
	"bridge.ToldEnds":       "Destroyed sessions told to originals.",
	"bridge.ToldBack":       "Destroyed sessions told again, since originals held copies.",
	"bridge.NotUpdated":     "Changes that originals cannot be told.",
	"bridge.NotExpired":     "Sessions that ended here by themselves, and stay at originals.",
	"bridge.TooLarge":       "Sessions of more than a datagram, not told to originals.",
	"bridge.Unfit":          "Sessions that originals would die of or not take, not told.",
	"bridge.QueueFull":      "Sessions not told to originals because too many waited.",
	"bridge.EventsLost":     "Changes here that came too fast for the bridge: new sessions are looked for then, ends are not told to originals.",
	"bridge.SendErrors":     "Datagrams for originals that the system did not send.",
	"bridge.DropMalformed":  "Datagrams that are no message of an original.",
	"bridge.DropUnknown":    "Messages of originals of no known kind.",
	"bridge.DropDepth":      "Messages of originals that are nested too deep.",
	"bridge.DropSession":    "Sessions of originals that are none.",
	"bridge.DropSID":        "Sessions of originals whose id is too long.",
	"bridge.DropExpired":    "Sessions of originals past their end.",
	"bridge.DropDestroyed":  "Sessions of originals that were logged out before.",
	"bridge.DropRate":       "Messages of originals beyond what is taken in a second.",
	"bridge.DropHosts":      "Hellos, questions and answers of originals beyond their limits, or that nobody asked for.",
	"bridge.DropBridge":     "Messages of another bridge.",
	"bridge.DropRefused":    "Sessions of originals that found no room, or were too large.",
	"StoodStill":            "Times that this node was stopped or had no time at all.",
}

// snake writes a field's name as a metric's: KernelDrops as kernel_drops, ClosedHTTP as closed_http.
func snake(field string) string {
	var b strings.Builder
	runes := []rune(field)
	for i, r := range runes {
		starts := i > 0 && unicode.IsUpper(r) && (unicode.IsLower(runes[i-1]) || i+1 < len(runes) && unicode.IsLower(runes[i+1]))
		if starts {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}
