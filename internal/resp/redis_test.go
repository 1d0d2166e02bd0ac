package resp

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// A conversation is commands, one a line, split at spaces; \xHH and "" stand for bytes and the empty argument. Every reply
// must be the same, byte for byte, from Redis and from us. Lines that start with ~ are compared up to the numbers in them;
// {now+N} is a Unix time in seconds, {ms+N} in milliseconds.
var conversations = map[string]string{
	"strings": `
		GET k
		SET k v
		GET k
		get k
		GeT k
		STRLEN k
		STRLEN none
		SET k
		SET
		GET
		GET a b
		SET k v2 GET
		SET none v GET
		SET k ""
		GET k
		SET "" emptykey
		GET ""
		SET bin \x00\xff\x0d\x0a
		GET bin
		GETSET k new
		GETSET fresh new
		GETDEL fresh
		GETDEL fresh
		SETNX k x
		SETNX nx x
		MGET k nx none k
		MSET a 1 b 2 a 3
		MGET a b
		MSET a
		MSET a 1 b
		MGET
		TYPE a
		TYPE none
		EXISTS a b none a
		EXISTS
		DEL a b none a
		UNLINK nx none
		DEL
		DBSIZE`,
	"set options": `
		SET k v NX
		SET k v NX
		SET k v2 XX
		SET none v XX
		SET k v NX XX
		SET k v XX NX
		SET k v NX GET
		SET new v NX GET
		SET none2 v XX GET
		SET k v EX 100
		TTL k
		SET k v2 KEEPTTL
		TTL k
		SET k v3
		TTL k
		SET k v PX 100000
		TTL k
		SET k v EXAT {now+100}
		TTL k
		SET k v PXAT {ms+100000}
		TTL k
		SET k v EX
		SET k v EX 0
		SET k v EX -1
		SET k v EX abc
		SET k v EX 01
		SET k v EX 1.5
		SET k v PX 0
		SET k v EXAT 0
		SET k v EXAT -5
		SET k v PXAT 0
		SET k v EX 9223372036854775807
		SET k v EX 9223372036854775
		SET k v EX 9223372036854770
		SET k v PX 9223372036854775807
		SET k v EXAT 9223372036854775807
		SET k v PX 10 EX 10
		SET k v EX 10 EX 20
		TTL k
		SET k v EX 10 KEEPTTL
		SET k v KEEPTTL EX 10
		SET k v PERSIST
		SET k v FOO
		SET k v EX 10 FOO
		SET k v ex 10 nx
		SET gone v EXAT 1
		GET gone
		SET gone v PXAT 1 GET
		GET k
		SETEX k 100 v
		TTL k
		SETEX k 0 v
		SETEX k -1 v
		SETEX k a v
		SETEX k 9223372036854775807 v
		SETEX k 100
		PSETEX k 100000 v
		TTL k
		PSETEX k 0 v
		PSETEX k -10 v
		SETEX k2 100 v
		GET k2`,
	"expiry": `
		SET k v
		TTL k
		PTTL k
		EXPIRETIME k
		PEXPIRETIME k
		TTL none
		PTTL none
		EXPIRETIME none
		PEXPIRETIME none
		EXPIRE k 100
		TTL k
		EXPIRE none 100
		PERSIST k
		PERSIST k
		PERSIST none
		TTL k
		EXPIRE k 100 NX
		EXPIRE k 200 NX
		TTL k
		EXPIRE k 200 XX
		TTL k
		EXPIRE k 100 GT
		TTL k
		EXPIRE k 300 GT
		TTL k
		EXPIRE k 400 LT
		TTL k
		EXPIRE k 50 LT
		TTL k
		PERSIST k
		EXPIRE k 100 GT
		EXPIRE k 100 XX
		EXPIRE k 100 XX LT
		TTL k
		EXPIRE k 100 LT
		TTL k
		EXPIRE k 90 XX LT
		TTL k
		EXPIRE k 100 XX GT
		TTL k
		EXPIRE k 100 NX XX
		EXPIRE k 100 NX GT
		EXPIRE k 100 NX LT
		EXPIRE k 100 GT LT
		EXPIRE k 100 FOO
		EXPIRE k abc FOO
		EXPIRE k abc
		EXPIRE k 1.5
		EXPIRE k ""
		EXPIRE k
		EXPIRE
		EXPIRE k 9223372036854775807
		EXPIRE k 9223372036854775
		EXPIRE k -9223372036854775808
		EXISTS k
		SET k v
		PEXPIRE k 9223372036854775807
		PEXPIRE k 100000
		TTL k
		EXPIREAT k {now+500}
		TTL k
		EXPIRETIME k
		PEXPIREAT k {ms+600000}
		TTL k
		PEXPIRETIME k
		EXPIREAT k 9223372036854775807
		PEXPIREAT k 9223372036854775807
		EXPIRE k -1
		EXISTS k
		SET k v
		EXPIRE k 0
		EXISTS k
		SET k v
		EXPIREAT k 1
		GET k
		SET k v
		PEXPIREAT k 0
		GET k
		SET k v
		PEXPIREAT k -5
		GET k
		SET k v EX 100
		EXPIRE k -1 GT
		GET k
		EXPIRE k -1 LT
		GET k`,
	"getex": `
		GETEX none
		GETEX none EX abc
		SET k v
		GETEX k
		TTL k
		GETEX k EX 100
		TTL k
		GETEX k PERSIST
		TTL k
		GETEX k PX 100000
		TTL k
		GETEX k EXAT {now+100}
		TTL k
		GETEX k PXAT {ms+100000}
		TTL k
		GETEX k EX
		GETEX k EX 0
		GETEX k EX -1
		GETEX k EX a
		GETEX k EX 10 PERSIST
		GETEX k PERSIST EX 10
		GETEX k PERSIST PERSIST
		GETEX k NX
		GETEX k KEEPTTL
		GETEX k EX 10 PX 10
		GETEX
		GETEX k EXAT 1
		GET k`,
	"databases": `
		SET k zero
		SELECT 1
		GET k
		SET k one
		DBSIZE
		SELECT 0
		GET k
		SELECT 16
		SELECT -1
		SELECT abc
		SELECT
		SELECT 15
		SET only fifteen
		FLUSHDB
		DBSIZE
		SELECT 1
		GET k
		FLUSHALL
		DBSIZE
		SELECT 0
		DBSIZE
		FLUSHDB ASYNC
		FLUSHDB SYNC
		FLUSHDB FOO
		FLUSHALL async
		FLUSHALL FOO
		FLUSHDB SYNC SYNC`,
	"scan and keys": `
		MSET user:1 a user:2 b other c
		KEYS other
		KEYS o*
		KEYS zzz*
		KEYS ?ther
		KEYS [no]ther
		KEYS [^o]ther
		KEYS [n-p]ther
		KEYS [p-n]ther
		KEYS \\other
		KEYS [\\o]ther
		KEYS [o
		KEYS other*
		KEYS *other
		KEYS *t*r
		KEYS o**r
		SCAN 0 COUNT 100 MATCH other
		SCAN 0 COUNT 100 TYPE string MATCH o*
		SCAN 0 COUNT 100 TYPE list
		SCAN 0 COUNT 100 TYPE nosuch
		SCAN abc
		SCAN 0 COUNT 0
		SCAN 0 COUNT -1
		SCAN 0 COUNT a
		SCAN 0 COUNT
		SCAN 0 FOO bar
		SCAN 0 MATCH
		SCAN
		KEYS
		FLUSHDB
		RANDOMKEY
		SET one 1
		RANDOMKEY
		KEYS *
		SCAN 0`,
	"transactions": `
		MULTI
		SET k v
		GET k
		INCORRECT
		EXEC
		GET k
		MULTI
		SET k v
		GET k
		EXPIRE k 100
		TTL k
		EXEC
		MULTI
		MULTI
		EXEC
		EXEC
		DISCARD
		MULTI
		SET k other
		DISCARD
		GET k
		MULTI
		GET
		EXEC
		MULTI
		SET k v EX 0
		SET k w
		EXEC
		GET k
		MULTI
		EXEC
		MULTI
		PING
		ECHO hello
		SELECT 3
		SET indb 3
		EXEC
		DBSIZE
		SELECT 0
		MULTI
		SET s v
		PEXPIREAT s {ms+100000}
		EXEC
		TTL s
		MULTI
		SET s v2
		EXPIRE s -1
		GET s
		EXEC
		MULTI
		SET s v2 NX
		EXPIRE s 100
		TTL s
		EXEC
		MULTI
		SETEX s 10 v3
		EXPIRE s 1000
		TTL s
		SET s v4
		EXPIRE other 100
		TTL s
		EXEC
		WATCH k
		SET k changed
		MULTI
		SET k never
		EXEC
		GET k
		WATCH k none
		MULTI
		SET k now
		EXEC
		GET k
		WATCH k
		UNWATCH
		SET k v
		MULTI
		GET k
		EXEC
		MULTI
		WATCH k
		EXEC
		WATCH
		UNWATCH foo
		WATCH k
		EXPIRE k 50
		MULTI
		GET k
		EXEC
		WATCH none
		SET none x
		DEL none
		MULTI
		PING
		DISCARD
		MULTI
		RESET
		EXEC
		MULTI
		CLIENT GETNAME
		CLIENT NOSUCH
		EXEC
		MULTI
		WAIT 0 0
		EXEC
		EXEC a
		MULTI
		SET x
		EXEC a
		EXEC
		MULTI
		EXEC a b
		GET x`,
	"connection": `
		PING
		PING hello
		PING a b
		ECHO hello
		ECHO
		ECHO a b
		CLIENT GETNAME
		CLIENT SETNAME me
		CLIENT GETNAME
		CLIENT SETNAME "a\x20b"
		CLIENT SETNAME ""
		CLIENT GETNAME
		CLIENT
		CLIENT NOSUCH
		CLIENT NOSUCH with args
		CLIENT SETNAME
		CLIENT ID a
		CLIENT NO-EVICT on
		CLIENT NO-EVICT off
		CLIENT NO-EVICT maybe
		CLIENT GETREDIR
		CLIENT TRACKINGINFO
		CLIENT TRACKING off
		CLIENT TRACKING maybe
		CLIENT CACHING yes
		CLIENT LIST TYPE foo
		CLIENT LIST ID abc
		CLIENT LIST FOO
		AUTH
		AUTH pass
		AUTH user pass
		AUTH default anything
		AUTH a b c
		RESET
		RESET now
		WAIT
		WAIT 0
		WAIT a 0
		WAIT 0 a
		WAIT 0 -1
		WAIT 0 0
		WAIT 0 10
		CLUSTER SLOTS
		CLUSTER INFO
		CLUSTER
		HELLO 4
		HELLO 1
		HELLO abc
		HELLO 2 FOO
		HELLO 2 AUTH default
		HELLO 2 AUTH wrong pass
		HELLO 2 SETNAME
		HELLO 2 SETNAME "a\x20b"
		~HELLO
		~HELLO 2
		~HELLO 2 SETNAME me
		CLIENT GETNAME
		~HELLO 2 AUTH default x SETNAME you
		CLIENT GETNAME
		QUIT`,
	"unknown commands": `
		FOO
		foo
		Foo bar baz
		FOO "" \x00bar
		FOO a\x0d\x0ab
		NOSUCH aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa b c
		NOSUCH a b c d e f g h i j k l m n o p q r s t u v w x y z a b c d e f g h i j k l m n o p q r s t u v w x y z
		aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
		CONFIG
		CONFIG NOSUCH
		CONFIG GET
		CONFIG GET nosuch
		CONFIG GET appendonly
		CONFIG GET databases
		COMMAND NOSUCH
		COMMAND GETKEYS GET k
		COMMAND GETKEYS MSET a 1 b 2
		COMMAND GETKEYS PING
		COMMAND GETKEYS NOSUCH x
		COMMAND GETKEYS GET
		COMMAND INFO nosuch
		COMMAND LIST FILTERBY PATTERN gete*
		COMMAND LIST FOO
		COMMAND COUNT foo`,
}

func TestEveryReplyIsRedis7s(t *testing.T) {
	redis := startRedis(t)
	bothMovers(t, func(t *testing.T, mover func(*Config)) {
		for name, script := range conversations {
			for _, hello := range []string{"2", "3"} {
				t.Run(name+"/RESP"+hello, func(t *testing.T) {
					s := serve(t, mover)
					theirs, ours := dial(t, redis), dial(t, s.Addrs()[0])
					theirs.do("FLUSHALL")
					theirs.do("HELLO", hello)
					ours.do("HELLO", hello)
					compare(t, theirs, ours, script)
				})
			}
		}
	})
}

var digits = regexp.MustCompile(`[0-9]+`)

func compare(t *testing.T, theirs, ours *talk, script string) {
	for line := range strings.Lines(script) {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		words, loose := parseLine(t, line)
		want, got := theirs.do(words...), ours.do(words...)
		if loose {
			want, got = digits.ReplaceAllString(want, "N"), digits.ReplaceAllString(got, "N")
		}
		if got != want {
			t.Errorf("%s\n got %q\nwant %q", line, got, want)
		}
	}
}

var escape = regexp.MustCompile(`\\x[0-9a-f]{2}`)
var moment = regexp.MustCompile(`\{(now|ms)\+([0-9]+)\}`)

func parseLine(t *testing.T, line string) (words []string, loose bool) {
	line, loose = strings.CutPrefix(line, "~")
	for _, w := range strings.Fields(line) {
		if len(w) >= 2 && w[0] == '"' {
			w = w[1 : len(w)-1]
		}
		w = escape.ReplaceAllStringFunc(w, func(x string) string {
			v, err := strconv.ParseUint(x[2:], 16, 8)
			if err != nil {
				t.Fatal(err)
			}
			return string([]byte{byte(v)})
		})
		w = strings.ReplaceAll(w, `\\`, `\`)
		words = append(words, moment.ReplaceAllStringFunc(w, func(x string) string {
			m := moment.FindStringSubmatch(x)
			n, _ := strconv.ParseInt(m[2], 10, 64)
			if m[1] == "now" {
				return fmt.Sprint(testStart.Unix() + n)
			}
			return fmt.Sprint(testStart.UnixMilli() + n)
		}))
	}
	return words, loose
}
