package admin

import (
	"fmt"
	"strings"
)

// incompleteFindings say what a donor took with it when it went away while this node joined.
func (r *Reading) incompleteFindings() []Finding {
	if r.Lost.Since.IsZero() {
		return nil
	}
	if r.Lost.Changes == 0 {
		return []Finding{{"incomplete", fmt.Sprintf(
			"Sessions are missing here for %s: %s gave this node its sessions, and lacks some itself, which another took away. Its own status says about how many, and why.",
			Ago(r.At.Sub(r.Lost.Since)), Printable(memberName(&r.Lost.Donor)))}}
	}
	return []Finding{{"incomplete", fmt.Sprintf(
		"Sessions are missing here for %s: %s went away while this node fetched them (%s, up to about %s), and nobody else that is there has them. They come back if it does; else they are lost, and their users log in again.",
		Ago(r.At.Sub(r.Lost.Since)), Printable(memberName(&r.Lost.Donor)), Count(r.Lost.Changes, "change"), Count(r.Lost.Sessions, "session"))}}
}

// impaired says in clauses what is wrong with a node that gets traffic nevertheless.
func (r *Reading) impaired() string {
	var list []string
	if acks := r.degraded(); acks != "" {
		list = append(list, acks)
	}
	if !r.Lost.Since.IsZero() {
		list = append(list, "sessions are missing here for "+Ago(r.At.Sub(r.Lost.Since)))
	}
	return strings.Join(list, "; ")
}
