package daemon

import (
	"strings"
	"unicode"
)

// nearest returns the known name most like the unknown one, or "" when none is near enough to be worth a guess. Case,
// underscores and camelCase do not count as differences: who writes multicast_ttl or multicastTTL meant multicast-ttl.
func nearest(unknown string, known []string) string {
	word := kebab(unknown)
	best, bestDistance := "", max(1, min(3, len(word)/3))+1
	for _, name := range known {
		if d := editDistance(word, name); d < bestDistance {
			best, bestDistance = name, d
		}
	}
	if best != "" {
		return best
	}
	return sharesWord(word, known)
}

// sharesWord finds a name by one of its words: "memory" for max-memory, or the other way, "multicast-port" for port.
func sharesWord(word string, known []string) string {
	for _, name := range known {
		for part := range strings.SplitSeq(name, "-") {
			if part == word {
				return name
			}
		}
	}
	for part := range strings.SplitSeq(word, "-") {
		for _, name := range known {
			if part == name {
				return name
			}
		}
	}
	return ""
}

// kebab turns multicastTTL, MULTICAST_TTL and Multicast-TTL into multicast-ttl.
func kebab(s string) string {
	var b strings.Builder
	lower := false
	for _, r := range s {
		switch {
		case r == '_' || r == '-' || r == ' ':
			b.WriteByte('-')
			lower = false
		case unicode.IsUpper(r):
			if lower {
				b.WriteByte('-')
			}
			b.WriteRune(unicode.ToLower(r))
			lower = false
		default:
			b.WriteRune(r)
			lower = true
		}
	}
	return b.String()
}

// editDistance counts insertions, deletions, replacements and swaps of neighbours (optimal string alignment).
func editDistance(a, b string) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			change := 1
			if a[i-1] == b[j-1] {
				change = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+change)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}

// didYouMean is the tail of a message about an unknown name.
func didYouMean(near string) string {
	if near == "" {
		return ""
	}
	return "; did you mean " + near + "?"
}

func hasPrefixOf(s string, prefixes []string) bool {
	for _, p := range prefixes {
		if strings.HasPrefix(s, p) {
			return true
		}
	}
	return false
}
