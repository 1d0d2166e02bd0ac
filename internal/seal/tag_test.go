package seal

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"strings"
	"testing"
)

func TestSessionTagIsTheTruncatedHMAC(t *testing.T) {
	k := ringOf(t, "prod", keyOf(1))
	mac := hmac.New(sha256.New, hkdfOf(t, keyOf(1), "sessioncast derive\x00\x00\x00\x0bsession tagprod", 32))
	mac.Write([]byte("\x05sess:abc"))
	want := strings.ToLower(base32.StdEncoding.EncodeToString(mac.Sum(nil)))[:8]
	if got := k.Tagger().SessionTag(5, "sess:abc"); got != want {
		t.Errorf("tag %q, want %q", got, want)
	}
}

func TestSessionTagsDiffer(t *testing.T) {
	tagger := ringOf(t, "prod", keyOf(1)).Tagger()
	tags := map[string]bool{
		tagger.SessionTag(0, "a"):                               true,
		tagger.SessionTag(0, "b"):                               true,
		tagger.SessionTag(1, "a"):                               true,
		tagger.SessionTag(0, ""):                                true,
		ringOf(t, "prod", keyOf(2)).Tagger().SessionTag(0, "a"): true,
		ringOf(t, "test", keyOf(1)).Tagger().SessionTag(0, "a"): true,
	}
	if len(tags) != 6 {
		t.Errorf("%d different tags of 6", len(tags))
	}
	for tag := range tags {
		if len(tag) != TagLength || strings.Trim(tag, "abcdefghijklmnopqrstuvwxyz234567") != "" {
			t.Errorf("tag %q", tag)
		}
	}
	if ringOf(t, "prod", keyOf(1), keyOf(2)).Tagger().SessionTag(0, "a") != tagger.SessionTag(0, "a") {
		t.Error("a second key changed the tag")
	}
}
