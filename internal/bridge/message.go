package bridge

import (
	"encoding/json"
	"errors"
	"net/netip"
	"strconv"
	"unicode/utf8"
)

// Errors of Parse, each counted.
var (
	ErrMalformed = errors.New("not a message of express-session-multicast")
	ErrDepth     = errors.New("a message that is nested too deep")
)

// Kind is what a message says.
type Kind uint8

// The kinds of message that originals send, and one for what they do not.
const (
	Unknown  Kind = iota
	Hello         // a node is new, and where it is
	Goodbye       // a node goes
	Greeting      // the answer to a hello
	Question      // for all sessions
	Answer        // with all sessions
	Session       // that was written
	Ended         // destroyed
)

// mark stands in what bridges say, for other bridges: originals do not look at it.
const mark = "sessioncast"

// Message is a datagram of the originals' group.
type Message struct {
	Kind     Kind
	Bridge   bool           // said by a bridge
	At       netip.AddrPort // of Hello: where the node is; zero where it does not say
	SID      string         // of Session and Ended
	Dataset  *Dataset       // of Session
	Sessions []Dataset      // of Answer; those that are none have no SID
}

// Dataset is a session as originals keep it.
type Dataset struct {
	SID     string
	TTL     float64 // seconds; 0: none
	Session json.RawMessage
}

// loose is a message as it stands there. What users configure may have any type.
type loose struct {
	Status   string
	Type     string
	Question string
	Address  any
	Port     any
	SID      any
	Dataset  json.RawMessage
	Sessions []json.RawMessage
	Bridge   any
}

// Parse reads a datagram.
func Parse(text []byte) (m Message, err error) {
	if depth(text) > MaxDepth+4 { // around a session are four more: message, sessions, dataset, and one to spare
		return m, ErrDepth
	}
	var l loose
	if len(text) > MaxDatagram || !utf8.Valid(text) || json.Unmarshal(text, &l) != nil {
		return m, ErrMalformed
	}
	m.Kind, m.Bridge = kindOf(&l), l.Bridge == mark
	switch m.Kind {
	case Hello:
		m.At = addrOf(l.Address, l.Port)
	case Session:
		d := parseDataset(l.Dataset)
		m.Dataset, m.SID = &d, d.SID
	case Ended:
		m.SID, _ = l.SID.(string)
	case Answer:
		for _, raw := range l.Sessions {
			m.Sessions = append(m.Sessions, parseDataset(raw))
		}
	}
	return m, nil
}

func kindOf(l *loose) Kind {
	switch [2]string{l.Status, l.Type} {
	case [2]string{"new", "node"}:
		return Hello
	case [2]string{"destroy", "node"}:
		return Goodbye
	case [2]string{"new", "greeting"}:
		return Greeting
	case [2]string{"new", "session"}:
		return Session
	case [2]string{"destroy", "session"}:
		return Ended
	}
	switch [3]string{l.Status, l.Type, l.Question} {
	case [3]string{"new", "question", "existingSessions"}:
		return Question
	case [3]string{"answer", "question", "existingSessions"}:
		return Answer
	}
	return Unknown
}

func addrOf(address, port any) netip.AddrPort {
	text, _ := address.(string)
	a, err := netip.ParseAddr(text)
	n := numberOf(port)
	if err != nil || n < 1 || n > 65535 {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(a.Unmap().WithZone(""), uint16(n))
}

// numberOf reads a number that may stand there as a string.
func numberOf(v any) float64 {
	switch v := v.(type) {
	case float64:
		return v
	case string:
		n, err := strconv.ParseFloat(v, 64)
		if err == nil {
			return n
		}
	}
	return 0
}

func parseDataset(raw json.RawMessage) (d Dataset) {
	var l struct {
		SID     any
		TTL     any
		Session json.RawMessage
	}
	if len(raw) == 0 || json.Unmarshal(raw, &l) != nil {
		return d
	}
	d.SID, _ = l.SID.(string)
	if d.TTL = numberOf(l.TTL); d.TTL != d.TTL || d.TTL < 0 {
		d.TTL = 0
	}
	d.Session = l.Session
	return d
}

// What follows writes messages in the originals' own words.

type node struct {
	Status  string `json:"status"`
	Type    string `json:"type"`
	Address string `json:"address,omitempty"`
	Port    uint16 `json:"port,omitempty"`
	Bridge  string `json:"bridge"`
}

func encode(v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		return []byte("{}") // never; and harmless to an original
	}
	return text
}

func hello(at netip.AddrPort) []byte {
	return encode(node{"new", "node", at.Addr().String(), at.Port(), mark})
}

func goodbye() []byte { return encode(node{"destroy", "node", "", 0, mark}) }

func greeting(at netip.AddrPort) []byte {
	return encode(node{"new", "greeting", at.Addr().String(), at.Port(), mark})
}

func question() []byte {
	return []byte(`{"status":"new","type":"question","question":"existingSessions","bridge":"` + mark + `"}`)
}

func ended(sid string) []byte {
	out := appendString([]byte(`{"sid":`), sid)
	return append(out, `,"status":"destroy","type":"session","bridge":"`+mark+`"}`...)
}

func appendDataset(out []byte, sid string, value []byte) []byte {
	out = appendString(append(out, `{"sid":`...), sid)
	out = append(out, `,"session":`...)
	return append(append(out, value...), '}')
}

func created(sid string, value []byte) []byte {
	out := appendDataset([]byte(`{"dataset":`), sid, value)
	return append(out, `,"status":"new","type":"session","bridge":"`+mark+`"}`...)
}

// answer is a part of all sessions, being put together.
type answer struct {
	text  []byte
	count int
}

const (
	answerHead = `{"type":"question","status":"answer","question":"existingSessions","bridge":"` + mark + `","sessions":[`
	answerTail = `]}`
)

// add takes another session, or reports false where that belongs into the next one.
func (a *answer) add(sid string, value []byte) bool {
	if a.text == nil {
		a.text = []byte(answerHead)
	}
	before := len(a.text)
	if a.count > 0 {
		a.text = append(a.text, ',')
	}
	a.text = appendDataset(a.text, sid, value)
	if a.count > 0 && (len(a.text)+len(answerTail) > AnswerSize || a.count >= AnswerSessions) {
		a.text = a.text[:before]
		return false
	}
	a.count++
	return true
}

func (a *answer) bytes() []byte { return append(a.text, answerTail...) }
