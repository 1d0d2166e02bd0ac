package daemon

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestDurationsReadAsPeopleWriteThem(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"0": 0, "0s": 0, "50ms": 50 * time.Millisecond, "30m": 30 * time.Minute, "1h30m": 90 * time.Minute,
		"7d": 168 * time.Hour, "1.5d": 36 * time.Hour, "1d12h": 36 * time.Hour, "0d": 0, "3650d": MaxDuration,
	} {
		var d Duration
		if err := d.UnmarshalText([]byte(text)); err != nil || time.Duration(d) != want {
			t.Errorf("%q: %v, %v; want %v", text, time.Duration(d), err, want)
		}
	}
	for _, text := range []string{"", " ", "d", "5", "1.5", "-1s", "-1d", "-0.5d12h", "1w", "3651d", "1d3650d", "1d-25h", "87601h", "NaNd", "Inf", "1e400d", "9999999999h"} {
		var d Duration
		if err := d.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q reads as %v", text, d)
		}
	}
}

func TestSizesReadAsPeopleWriteThem(t *testing.T) {
	for text, want := range map[string]Size{
		"0": 0, "1": 1, "512MiB": 512 << 20, "1GB": 1e9, "1gib": 1 << 30, "64 KiB": 64 << 10, "1.5KiB": 1536, "7B": 7, "2TB": 2e12, "1TiB": 1 << 40,
	} {
		var z Size
		if err := z.UnmarshalText([]byte(text)); err != nil || z != want {
			t.Errorf("%q: %d, %v; want %d", text, z, err, want)
		}
	}
	for _, text := range []string{"", "MiB", "K", "1K", "1g", "1XB", "1.2.3MB", "-1", "1e99", "Inf", "0x10", "1025TiB", "1MiBB"} {
		var z Size
		if err := z.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q reads as %v", text, z)
		}
	}
}

func TestUnitsReadBackWhatTheyWrite(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := Duration(rapid.Int64Range(0, int64(MaxDuration)).Draw(t, "duration"))
		d -= d % Duration(rapid.SampledFrom([]time.Duration{1, time.Millisecond, time.Second, time.Minute, time.Hour, day}).Draw(t, "grain"))
		var back Duration
		if err := back.UnmarshalText([]byte(d.String())); err != nil || back != d {
			t.Fatalf("%d writes %q and reads %d, %v", d, d, back, err)
		}
		z := Size(rapid.Int64Range(0, int64(MaxSize)).Draw(t, "size"))
		z -= z % Size(rapid.SampledFrom([]int64{1, 1 << 10, 1 << 20, 1 << 30}).Draw(t, "unit"))
		var size Size
		if err := size.UnmarshalText([]byte(z.String())); err != nil || size != z {
			t.Fatalf("%d writes %q and reads %d, %v", z, z, size, err)
		}
	})
}

func FuzzUnits(f *testing.F) {
	for _, text := range []string{"1d12h", "512MiB", "-1", "1e9d", "0x1p4", "d", "_1"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var d Duration
		if err := d.UnmarshalText([]byte(text)); err == nil && (d < 0 || time.Duration(d) > MaxDuration) {
			t.Fatalf("%q reads as %d", text, d)
		}
		var z Size
		if err := z.UnmarshalText([]byte(text)); err == nil && (z < 0 || z > MaxSize) {
			t.Fatalf("%q reads as %d", text, z)
		}
	})
}
