package resp

import "testing"

// A client's last command is found without looking it up again; that must make no difference.
func TestACommandIsFoundHoweverItIsSpelled(t *testing.T) {
	s := serve(t)
	k := dial(t, s.Addrs()[0])
	unknown := "-ERR unknown command '', with args beginning with: \r\n"
	k.want(unknown, "")
	k.want("+OK\r\n", "SET", "a", "1")
	k.want(unknown, "")
	k.want("+OK\r\n", "SET", "a", "2")
	k.want("+OK\r\n", "set", "a", "3")
	k.want("$1\r\n3\r\n", "GET", "a")
	k.want("$1\r\n3\r\n", "GET", "a")
	k.want("-ERR unknown command 'GETX', with args beginning with: 'a' \r\n", "GETX", "a")
	k.want("-ERR wrong number of arguments for 'get' command\r\n", "GET")
	k.want("$-1\r\n", "CLIENT", "GETNAME")
	k.want("-ERR wrong number of arguments for 'client' command\r\n", "CLIENT")
	k.want("$1\r\n3\r\n", "GET", "a")
}
