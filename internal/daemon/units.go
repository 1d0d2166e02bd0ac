package daemon

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// MaxDuration bounds every configured time: ten years, which no session outlives.
const MaxDuration = 3650 * day

// MaxSize bounds every configured size: 1 PiB.
const MaxSize Size = 1 << 50

const day = 24 * time.Hour

// Duration is a time as people write it: Go's notation ("30m", "1h30m", "50ms") and days ("7d", "1d12h").
type Duration time.Duration

// UnmarshalText reads a duration.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := parseDuration(string(text))
	if err != nil {
		return err
	}
	*d = Duration(v)
	return nil
}

// String writes the duration the shortest way that reads back as itself.
func (d Duration) String() string {
	v := time.Duration(d)
	if v == 0 {
		return "0"
	}
	if v%day == 0 {
		return strconv.FormatInt(int64(v/day), 10) + "d"
	}
	s := v.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

func parseDuration(s string) (time.Duration, error) {
	if n, err := strconv.ParseFloat(s, 64); err == nil && n != 0 {
		return 0, fmt.Errorf("%[1]q has no unit: write %[1]sms, %[1]ss, %[1]sm, %[1]sh or %[1]sd", s)
	}
	days, rest, err := cutDays(s)
	if err != nil {
		return 0, err
	}
	total := days
	if rest != "" {
		v, err := time.ParseDuration(rest)
		if err != nil {
			return 0, badDuration(s)
		}
		total += v
	}
	switch {
	case strings.HasPrefix(s, "-") || total < 0:
		return 0, fmt.Errorf("%q is negative: use 0 to %s, as 30s or 12h", s, Duration(MaxDuration))
	case total > MaxDuration:
		return 0, tooLong(s)
	}
	return total, nil
}

// cutDays takes a leading "<number>d" off s.
func cutDays(s string) (time.Duration, string, error) {
	number, rest, found := strings.Cut(s, "d")
	if !found {
		if s == "" {
			return 0, "", badDuration(s)
		}
		return 0, s, nil
	}
	n, err := strconv.ParseFloat(number, 64)
	if err != nil || math.IsNaN(n) {
		return 0, "", badDuration(s)
	}
	if math.Abs(n) > float64(MaxDuration/day) {
		return 0, "", tooLong(s)
	}
	return time.Duration(n * float64(day)), rest, nil
}

func tooLong(s string) error {
	return fmt.Errorf("%q is too long: use %s at most, as 30s or 12h", s, Duration(MaxDuration))
}

func badDuration(s string) error {
	return fmt.Errorf("%q is not a time: write it as 50ms, 30s, 30m, 12h or 7d", s)
}

// Size is a number of bytes as people write it: "512MiB" (powers of 1024), "1GB" (powers of 1000), or plain bytes.
type Size int64

var sizeUnits = []struct {
	name  string
	bytes int64
}{
	{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10},
	{"TB", 1e12}, {"GB", 1e9}, {"MB", 1e6}, {"KB", 1e3}, {"B", 1},
}

var errAmbiguousUnit = errors.New("ambiguous unit")

// UnmarshalText reads a size.
func (z *Size) UnmarshalText(text []byte) error {
	s := strings.TrimSpace(string(text))
	number, unit, err := cutUnit(s)
	if errors.Is(err, errAmbiguousUnit) {
		upper := strings.ToUpper(s)
		return fmt.Errorf("%q could mean two sizes: write %siB (powers of 1024) or %sB (powers of 1000)", s, upper, upper)
	}
	n, perr := strconv.ParseFloat(number, 64)
	if err != nil || perr != nil || math.IsNaN(n) {
		return fmt.Errorf("%q is not a size: write it as 512MiB, 1GB or a number of bytes", s)
	}
	switch bytes := n * float64(unit); {
	case n < 0:
		return fmt.Errorf("%q is negative: write it as 512MiB, 1GB or a number of bytes", s)
	case bytes > float64(MaxSize):
		return fmt.Errorf("%q is too much: use %s at most, as 512MiB or 1GB", s, MaxSize)
	default:
		*z = Size(bytes)
	}
	return nil
}

// cutUnit splits "512 MiB" into its number and the bytes of its unit.
func cutUnit(s string) (string, int64, error) {
	i := strings.LastIndexAny(s, "0123456789.") + 1
	number, unit := s[:i], strings.TrimSpace(s[i:])
	if unit == "" {
		return number, 1, nil
	}
	for _, u := range sizeUnits {
		if strings.EqualFold(u.name, unit) {
			return number, u.bytes, nil
		}
	}
	if len(unit) == 1 && strings.Contains("KMGT", strings.ToUpper(unit)) && number != "" {
		return "", 0, errAmbiguousUnit
	}
	return "", 0, errors.New("unknown unit")
}

// String writes the size in the largest binary unit that divides it, else in bytes.
func (z Size) String() string {
	for _, u := range sizeUnits[:4] {
		if z != 0 && int64(z)%u.bytes == 0 {
			return strconv.FormatInt(int64(z)/u.bytes, 10) + u.name
		}
	}
	return strconv.FormatInt(int64(z), 10)
}
