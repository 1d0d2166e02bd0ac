package admin

import "fmt"

// fullFindings say what full memory keeps this node from.
func (r *Reading) fullFindings() (list []Finding) {
	full, pct := r.fullPct(), Percent(r.fullShare())
	switch {
	case !r.Full.Lacks.IsZero():
		list = append(list, Finding{"lacks", fmt.Sprintf(
			"Memory for sessions is %s full: for %s this node has lacked sessions of others, for which it has no room. It answers LOADING to who asks for them, and carries out logouts. Give it as much --max-memory as the others have, and restart it.",
			pct, Ago(r.At.Sub(r.Full.Lacks)))})
	case full >= fullWarn:
		list = append(list, Finding{"full", fmt.Sprintf(
			"Memory for sessions is %s full: new sessions are refused from 95 %% on, and larger ones from 100 %%; logins fail. Raise --max-memory on every node.", pct)})
	case r.Full.Crowded:
		list = append(list, Finding{"full", fmt.Sprintf(
			"Memory for sessions is nearly full on %s of the cluster: new sessions are refused here too. Raise --max-memory on every node.", Count(r.Full.Nearly, "member"))})
	}
	return list
}
