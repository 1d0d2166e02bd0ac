package resp

// The flags that most commands of a kind share.
const (
	reading    = reads | fast | keyed
	writing    = writes | denyOOM | keyed
	shortening = writes | fast | keyed
	connecting = noScript | loading | stale | fast
	telling    = noScript | loading | stale
)

func commandList() []*command {
	var all []*command
	for _, list := range [][]*command{
		stringCommands(), keyCommands(), expiryCommands(), transactionCommands(), connectionCommands(), serverCommands(),
		{{name: "session", arity: -2, group: "session", since: "7.2.0", summary: "A container for commands on sessions and their fields (sessioncast only)",
			run: containerCommand, order: append(sessionCommands(), ownerCommands()...)}},
	} {
		all = append(all, list...)
	}
	return all
}

func oneKey(group, since, name string, arity int, f flags, run func(*client, [][]byte), summary string) *command {
	return &command{name: name, arity: arity, flags: f, first: 1, last: 1, step: 1, group: group, since: since, run: run, summary: summary}
}

func manyKeys(group, since, name string, arity int, f flags, step int, run func(*client, [][]byte), summary string) *command {
	return &command{name: name, arity: arity, flags: f, first: 1, last: -1, step: step, group: group, since: since, run: run, summary: summary}
}

func noKey(group, since, name string, arity int, f flags, run func(*client, [][]byte), summary string) *command {
	return &command{name: name, arity: arity, flags: f, group: group, since: since, run: run, summary: summary}
}

func stringCommands() []*command {
	const g = "string"
	return []*command{
		oneKey(g, "1.0.0", "get", 2, reading|witness, getCommand, "Get the value of a key"),
		oneKey(g, "1.0.0", "set", -3, writing, setCommand, "Set the string value of a key"),
		oneKey(g, "2.0.0", "setex", 4, writing|blind, setexCommand, "Set the value and expiration of a key"),
		oneKey(g, "2.6.0", "psetex", 4, writing|blind, psetexCommand, "Set the value and expiration in milliseconds of a key"),
		oneKey(g, "1.0.0", "setnx", 3, writing|fast, setnxCommand, "Set the value of a key, only if the key does not exist"),
		oneKey(g, "1.0.0", "getset", 3, writing|fast, getsetCommand, "Set the string value of a key and return its old value"),
		oneKey(g, "6.2.0", "getex", -2, shortening|witness, getexCommand, "Get the value of a key and optionally set its expiration"),
		oneKey(g, "6.2.0", "getdel", 2, shortening, getdelCommand, "Get the value of a key and delete the key"),
		manyKeys(g, "1.0.0", "mget", -2, reading|witness, 1, mgetCommand, "Get the values of all the given keys"),
		manyKeys(g, "1.0.1", "mset", -3, writing|blind, 2, msetCommand, "Set multiple keys to multiple values"),
		oneKey(g, "2.2.0", "strlen", 2, reading, strlenCommand, "Get the length of the value stored in a key"),
	}
}

func keyCommands() []*command {
	const g = "generic"
	return []*command{
		manyKeys(g, "1.0.0", "del", -2, writes|keyed|ends, 1, delCommand, "Delete a key"),
		manyKeys(g, "4.0.0", "unlink", -2, shortening|ends, 1, delCommand, "Delete a key asynchronously in another thread. Otherwise it is just as DEL, but non blocking."),
		manyKeys(g, "1.0.0", "exists", -2, reading|witness, 1, existsCommand, "Determine if a key exists"),
		oneKey(g, "1.0.0", "type", 2, reading, typeCommand, "Determine the type stored at key"),
		noKey(g, "1.0.0", "keys", 2, reads|keyed|dangerous, keysCommand, "Find all keys matching the given pattern"),
		noKey(g, "2.8.0", "scan", -2, reads|keyed, scanCommand, "Incrementally iterate the keys space"),
		noKey(g, "1.0.0", "randomkey", 1, reads|keyed|blind, randomkeyCommand, "Return a random key from the keyspace"),
		noKey("server", "1.0.0", "dbsize", 1, reading|blind, dbsizeCommand, "Return the number of keys in the selected database"),
		noKey("server", "1.0.0", "flushdb", -1, writes|keyed|dangerous|ends, flushdbCommand, "Remove all keys from the current database"),
		noKey("server", "1.0.0", "flushall", -1, writes|keyed|dangerous|ends, flushallCommand, "Remove all keys from all databases"),
		noKey(g, "3.0.0", "wait", 3, noScript, waitCommand, "Wait until so many peers hold every write of this connection"),
	}
}

func expiryCommands() []*command {
	const g = "generic"
	return []*command{
		oneKey(g, "1.0.0", "expire", -3, shortening, expireCommand, "Set a key's time to live in seconds"),
		oneKey(g, "2.6.0", "pexpire", -3, shortening, pexpireCommand, "Set a key's time to live in milliseconds"),
		oneKey(g, "1.2.0", "expireat", -3, shortening, expireatCommand, "Set the expiration for a key as a UNIX timestamp"),
		oneKey(g, "2.6.0", "pexpireat", -3, shortening, pexpireatCommand, "Set the expiration for a key as a UNIX timestamp specified in milliseconds"),
		oneKey(g, "1.0.0", "ttl", 2, reading, ttlCommand, "Get the time to live for a key in seconds"),
		oneKey(g, "2.6.0", "pttl", 2, reading, pttlCommand, "Get the time to live for a key in milliseconds"),
		oneKey(g, "7.0.0", "expiretime", 2, reading, expiretimeCommand, "Get the expiration Unix timestamp for a key"),
		oneKey(g, "7.0.0", "pexpiretime", 2, reading, pexpiretimeCommand, "Get the expiration Unix timestamp for a key in milliseconds"),
		oneKey(g, "2.2.0", "persist", 2, shortening, persistCommand, "Remove the expiration from a key"),
	}
}

func transactionCommands() []*command {
	const g = "transactions"
	watch := manyKeys(g, "2.2.0", "watch", -2, connecting|unqueued|keyed, 1, watchCommand, "Watch the given keys to determine execution of the MULTI/EXEC block")
	return []*command{
		noKey(g, "1.2.0", "multi", 1, connecting|unqueued, multiCommand, "Mark the start of a transaction block"),
		noKey(g, "1.2.0", "exec", 1, noScript|loading|stale|unqueued, execCommand, "Execute all commands issued after MULTI"),
		noKey(g, "2.0.0", "discard", 1, connecting|unqueued, discardCommand, "Discard all commands issued after MULTI"),
		watch,
		noKey(g, "2.2.0", "unwatch", 1, connecting, unwatchCommand, "Forget about all watched keys"),
	}
}

func connectionCommands() []*command {
	const g = "connection"
	return []*command{
		noKey(g, "1.0.0", "ping", -1, fast, pingCommand, "Ping the server"),
		noKey(g, "1.0.0", "echo", 2, loading|stale|fast, echoCommand, "Echo the given string"),
		noKey(g, "1.0.0", "select", 2, loading|stale|fast, selectCommand, "Change the selected database for the current connection"),
		noKey(g, "1.0.0", "auth", -2, connecting|noAuth, authCommand, "Authenticate to the server"),
		noKey(g, "6.0.0", "hello", -1, connecting|noAuth, helloCommand, "Handshake with Redis"),
		noKey(g, "1.0.0", "quit", -1, connecting|noAuth|unqueued, quitCommand, "Close the connection"),
		noKey(g, "6.2.0", "reset", 1, connecting|noAuth|unqueued, resetCommand, "Reset the connection"),
		{name: "client", arity: -2, group: g, since: "2.4.0", summary: "A container for client connection commands",
			run: containerCommand, order: clientCommands()},
	}
}

func clientCommands() []*command {
	const g = "connection"
	return []*command{
		noKey(g, "5.0.0", "client|id", 2, telling, clientIDCommand, "Returns the client ID for the current connection"),
		noKey(g, "2.6.9", "client|getname", 2, telling, clientGetnameCommand, "Get the current connection name"),
		noKey(g, "2.6.9", "client|setname", 3, telling, clientSetnameCommand, "Set the current connection name"),
		noKey(g, "7.2.0", "client|setinfo", 4, telling, clientSetinfoCommand, "Set client or connection specific info"),
		noKey(g, "7.2.0", "client|ack", 3, telling, clientAckCommand, "Chooses how many peers confirm this connection's writes (sessioncast only)"),
		noKey(g, "6.2.0", "client|info", 2, telling, clientInfoCommand, "Returns information about the current client connection."),
		noKey(g, "2.4.0", "client|list", -2, telling|dangerous, clientListCommand, "Get the list of client connections"),
		noKey(g, "7.0.0", "client|no-evict", 3, telling|dangerous, clientNoEvictCommand, "Set client eviction mode for the current connection"),
		noKey(g, "7.2.0", "client|no-touch", 3, telling, clientNoEvictCommand, "Controls whether commands sent by the client affect the LRU/LFU of accessed keys."),
		noKey(g, "6.0.0", "client|tracking", -3, telling, clientTrackingCommand, "Enable or disable server assisted client side caching support"),
		noKey(g, "6.0.0", "client|caching", 3, telling, clientCachingCommand, "Instruct the server about tracking or not keys in the next request"),
		noKey(g, "6.2.0", "client|trackinginfo", 2, telling, clientTrackinginfoCommand, "Return information about server assisted client side caching for the current connection"),
		noKey(g, "6.0.0", "client|getredir", 2, telling, clientGetredirCommand, "Get tracking notifications redirection client ID if any"),
	}
}

func serverCommands() []*command {
	const g = "server"
	return []*command{
		noKey(g, "1.0.0", "info", -1, loading|stale|dangerous, infoCommand, "Get information and statistics about the server"),
		noKey(g, "1.0.0", "time", 1, loading|stale|fast, timeCommand, "Return the current server time"),
		{name: "command", arity: -1, flags: loading | stale, group: g, since: "2.8.13", summary: "Get array of Redis command details",
			run: commandCommand, order: []*command{
				noKey(g, "2.8.13", "command|count", 2, loading|stale, commandCountCommand, "Get total number of Redis commands"),
				noKey(g, "2.8.13", "command|info", -2, loading|stale, commandInfoCommand, "Get array of specific Redis command details, or all when no argument is given."),
				noKey(g, "7.0.0", "command|docs", -2, loading|stale, commandDocsCommand, "Get array of specific Redis command documentation"),
				noKey(g, "7.0.0", "command|list", -2, loading|stale, commandListCommand, "Get an array of Redis command names"),
				noKey(g, "2.8.13", "command|getkeys", -4, loading|stale, commandGetkeysCommand, "Extract keys given a full Redis command"),
			}},
		{name: "config", arity: -2, group: g, since: "2.0.0", summary: "A container for server configuration commands",
			run: containerCommand, order: []*command{
				noKey(g, "2.0.0", "config|get", -3, telling|dangerous, configGetCommand, "Get the values of configuration parameters"),
			}},
		noKey("cluster", "3.0.0", "cluster", -2, loading|stale, clusterCommand, "A container for cluster commands"),
		// A web page can make a browser send these to a port of this host; a Redis client never does.
		noKey("", "1.0.0", "post", -1, loading|stale|noAuth|unqueued, httpCommand, "Closes the connection"),
		noKey("", "1.0.0", "host:", -1, loading|stale|noAuth|unqueued, httpCommand, "Closes the connection"),
	}
}
