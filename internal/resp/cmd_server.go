package resp

import (
	"fmt"
	"os"
	"runtime"
	"runtime/metrics"
	"slices"
	"strconv"
	"strings"
)

func timeCommand(c *client, _ [][]byte) {
	now := c.s.cfg.now()
	c.array(2)
	c.bulkString(strconv.FormatInt(now.Unix(), 10))
	c.bulkString(strconv.FormatInt(int64(now.Nanosecond()/1000), 10))
}

// section is one part of INFO.
type section struct {
	name  string
	lines func(*Server) []string
}

var sections = []section{
	{"Server", (*Server).infoServer},
	{"Clients", (*Server).infoClients},
	{"Memory", (*Server).infoMemory},
	{"Persistence", (*Server).infoPersistence},
	{"Stats", (*Server).infoStats},
	{"Replication", (*Server).infoReplication},
	{"Sessioncast", (*Server).infoSessioncast},
	{"Cluster", func(*Server) []string { return []string{"cluster_enabled:0"} }},
	{"Keyspace", (*Server).infoKeyspace},
}

func infoCommand(c *client, argv [][]byte) {
	var b strings.Builder
	for _, sec := range sections {
		if !asked(sec.name, argv[1:]) {
			continue
		}
		if b.Len() > 0 {
			b.WriteString("\r\n")
		}
		b.WriteString("# " + sec.name + "\r\n")
		for _, line := range sec.lines(c.s) {
			b.WriteString(line + "\r\n")
		}
	}
	c.verbatim(b.String())
}

func asked(name string, args [][]byte) bool {
	return len(args) == 0 || slices.ContainsFunc(args, func(arg []byte) bool {
		return is(arg, name) || is(arg, "default") || is(arg, "all") || is(arg, "everything")
	})
}

func (s *Server) infoServer() []string {
	up := s.cfg.now().Sub(s.started)
	port := "0"
	for _, addr := range s.Addrs() {
		if i := strings.LastIndexByte(addr, ':'); !strings.HasPrefix(addr, unixPrefix) && i >= 0 {
			port = addr[i+1:]
			break
		}
	}
	return []string{
		"redis_version:" + redisVersion,
		"redis_mode:standalone",
		"os:" + runtime.GOOS + " " + runtime.GOARCH,
		"arch_bits:" + strconv.Itoa(strconv.IntSize),
		fmt.Sprintf("process_id:%d", os.Getpid()),
		fmt.Sprintf("run_id:%s", s.runID()),
		"tcp_port:" + port,
		fmt.Sprintf("uptime_in_seconds:%d", int64(up.Seconds())),
		fmt.Sprintf("uptime_in_days:%d", int64(up.Hours()/24)),
		"sessioncast_version:" + s.cfg.Version,
	}
}

// runID has the form that clients expect of Redis's: forty hex digits that tell one run from another.
func (s *Server) runID() string {
	return fmt.Sprintf("%016x%08x%016x", s.started.UnixNano(), os.Getpid(), 0)
}

func (s *Server) infoClients() []string {
	n := s.Stats()
	return []string{
		fmt.Sprintf("connected_clients:%d", n.Clients),
		"cluster_connections:0",
		fmt.Sprintf("maxclients:%d", s.cfg.MaxClients),
		fmt.Sprintf("blocked_clients:%d", n.Blocked),
		fmt.Sprintf("tracking_clients:%d", n.Tracking),
	}
}

func (s *Server) infoPersistence() []string {
	joining := 0
	if s.cfg.Cluster.Holding() == HoldsNotYet {
		joining = 1
	}
	return []string{fmt.Sprintf("loading:%d", joining), "async_loading:0", "rdb_bgsave_in_progress:0", "aof_enabled:0"}
}

func (s *Server) infoStats() []string {
	n := s.Stats()
	return []string{
		fmt.Sprintf("total_connections_received:%d", n.Accepted),
		fmt.Sprintf("total_commands_processed:%d", n.Commands),
		fmt.Sprintf("total_net_input_bytes:%d", n.BytesIn),
		fmt.Sprintf("total_net_output_bytes:%d", n.BytesOut),
		fmt.Sprintf("rejected_connections:%d", n.ClosedTooMany),
		"evicted_keys:0",
		fmt.Sprintf("keyspace_hits:%d", n.Hits),
		fmt.Sprintf("keyspace_misses:%d", n.Misses),
		fmt.Sprintf("total_error_replies:%d", n.Failed),
		fmt.Sprintf("total_reads_processed:%d", n.Reads),
		fmt.Sprintf("total_writes_processed:%d", n.Writes),
	}
}

// infoReplication says what clients look for: a master, since every node takes writes.
func (s *Server) infoReplication() []string {
	return []string{
		"role:master", "connected_slaves:0", "master_failover_state:no-failover",
		"master_replid:" + s.runID(), "master_repl_offset:0", "repl_backlog_active:0",
	}
}

func (s *Server) infoSessioncast() []string {
	info, n := s.cfg.Cluster.Info(), s.Stats()
	return []string{
		"node_name:" + info.Name,
		"node_id:" + info.ID,
		fmt.Sprintf("members:%d", info.Members),
		fmt.Sprintf("members_synced:%d", info.Synced),
		fmt.Sprintf("ack_timeout_ms:%d", info.AckTimeout.Milliseconds()),
		"key_file:" + info.KeyFile,
		"key_file_hash:" + info.KeyHash,
		fmt.Sprintf("degraded_writes:%d", info.Degraded),
		fmt.Sprintf("held_batches:%d", n.Held),
		fmt.Sprintf("refused_destroyed:%d", n.Destroyed),
		fmt.Sprintf("refused_full:%d", n.Full),
		fmt.Sprintf("refused_too_big:%d", n.TooBig),
		fmt.Sprintf("closed_protocol:%d", n.ClosedProtocol),
		fmt.Sprintf("closed_http:%d", n.ClosedHTTP),
		fmt.Sprintf("closed_input:%d", n.ClosedInput),
		fmt.Sprintf("closed_output:%d", n.ClosedOutput),
		fmt.Sprintf("closed_stalled:%d", n.ClosedStalled),
	}
}

// settings are what CONFIG GET knows.
func (s *Server) settings() [][2]string {
	return [][2]string{
		{"appendonly", "no"},
		{"cluster-enabled", "no"},
		{"databases", strconv.Itoa(databases)},
		{"maxclients", strconv.Itoa(s.cfg.MaxClients)},
		{"maxmemory", strconv.FormatInt(s.cfg.MaxMemory, 10)},
		{"maxmemory-policy", "noeviction"},
		{"notify-keyspace-events", ""},
		{"proto-max-bulk-len", strconv.Itoa(s.cfg.MaxValue)},
		{"replica-read-only", "yes"},
		{"save", ""},
		{"slave-read-only", "yes"},
		{"tcp-keepalive", strconv.Itoa(int(keepAlive.Seconds()))},
		{"timeout", "0"},
	}
}

func configGetCommand(c *client, argv [][]byte) {
	var found [][2]string
	for _, setting := range c.s.settings() {
		for _, pattern := range argv[2:] {
			if match([]byte(strings.ToLower(string(pattern))), []byte(setting[0])) {
				found = append(found, setting)
				break
			}
		}
	}
	c.mapOf(len(found))
	for _, setting := range found {
		c.bulkString(setting[0])
		c.bulkString(setting[1])
	}
}

// clusterCommand answers as a Redis that is no Redis Cluster; clients then use this one node.
func clusterCommand(c *client, _ [][]byte) {
	c.fail("ERR This instance has cluster support disabled")
}

func (s *Server) infoMemory() []string {
	used := s.cfg.Table.Bytes()
	return []string{
		fmt.Sprintf("used_memory:%d", used),
		fmt.Sprintf("used_memory_rss:%d", heldMemory()),
		fmt.Sprintf("maxmemory:%d", s.cfg.MaxMemory),
		"maxmemory_policy:noeviction",
		fmt.Sprintf("client_output_bytes:%d", s.count.output.Load()),
	}
}

// heldMemory is what the process holds of the machine's memory; reading it stops nobody.
func heldMemory() uint64 {
	sample := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	metrics.Read(sample)
	if sample[0].Value.Kind() != metrics.KindUint64 || sample[1].Value.Kind() != metrics.KindUint64 {
		return 0
	}
	return sample[0].Value.Uint64() - sample[1].Value.Uint64()
}

// infoKeyspace does not say how many keys have a deadline: nobody counts them.
func (s *Server) infoKeyspace() (lines []string) {
	for db := range databases {
		if n := s.cfg.Table.Len(db); n > 0 {
			lines = append(lines, fmt.Sprintf("db%d:keys=%d,expires=0,avg_ttl=0", db, n))
		}
	}
	return lines
}
