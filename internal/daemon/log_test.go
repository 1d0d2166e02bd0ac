package daemon

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"
)

func logged(level LogLevel, say func(*slog.Logger)) string {
	var b bytes.Buffer
	say(newLogger(&b, &Options{LogLevel: level, LogFormat: "text"}))
	return b.String()
}

func TestLogLinesAreForPeople(t *testing.T) {
	line := logged("info", func(l *slog.Logger) {
		l.With("node", "a").WithGroup("peer").Warn("peer silent", "name", "web 2", "for", 3*time.Second+400*time.Microsecond, "error", errors.New("x=y"))
	})
	stamp, rest, _ := strings.Cut(line, " ")
	if _, err := time.Parse("2006-01-02T15:04:05.000Z07:00", stamp); err != nil {
		t.Error(err)
	}
	if want := "WARN  peer silent  node=a peer.name=\"web 2\" peer.for=3s peer.error=\"x=y\"\n"; rest != want {
		t.Errorf("got  %swant %s", rest, want)
	}
}

func TestLogKeepsToOneLineAndItsLevel(t *testing.T) {
	got := logged("warn", func(l *slog.Logger) {
		l.Info("not this")
		l.Error("two\nlines \x1b[2J", "value", "a\nb", slog.Group("g", "k", 1))
	})
	if strings.Count(got, "\n") != 1 || strings.Contains(got, "\x1b") || strings.Contains(got, "not this") {
		t.Errorf("%q", got)
	}
	if !strings.Contains(got, `value="a\nb" g.k=1`) {
		t.Errorf("%q", got)
	}
}

func TestQuietPartsStillWarn(t *testing.T) {
	got := logged("debug", func(l *slog.Logger) {
		q := quietly(l)
		q.Info("chatter")
		q.With("a", 1).Info("chatter")
		q.Warn("trouble")
	})
	if strings.Contains(got, "chatter") || !strings.Contains(got, "trouble") {
		t.Errorf("%q", got)
	}
}
