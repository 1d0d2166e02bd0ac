package expresscookie

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestCookiesAreFoundAsByTheCookiePackage(t *testing.T) {
	for _, c := range []struct{ header, want string }{
		{"sid=1", "1"},
		{"a=0; sid=1; b=2", "1"},
		{"a=0;sid=1;b=2", "1"},
		{" \t sid \t=\t 1 \t; b=2", "1"},
		{"sid=1; sid=2", "1"},
		{"sid=; sid=2", ""},
		{"SID=0; xsid=3; sidx=4; sid=1", "1"},
		{"no value; sid=1", "1"},
		{";;; ;sid=1;;", "1"},
		{"flag;other flag;sid=a=b=c", "a=b=c"},
		{`sid="1"`, "1"},
		{`sid=" 1 "`, " 1 "},
		{`sid="`, ""},
		{`sid=""`, ""},
		{`sid="1`, `"1`},
		{"sid=s%3Aa.b", "s:a.b"},
		{"sid=a+b", "a+b"},
		{"sid=%E2%82%AC", "€"},
		{"sid=%zz%41", "%zz%41"},
		{"sid=\xe9", "é"},
		{"sid=\xc3\xa9", "Ã©"},
		{"=x; sid=1", "1"},
		{"sid=1, sid=2", "1, sid=2"},
	} {
		if got, _, found := cookieNamed(c.header, "sid"); !found || got != c.want {
			t.Errorf("%q: %q, %v, want %q", c.header, got, found, c.want)
		}
	}
	for _, header := range []string{"", "s", "sid", "sid;", "=sid", "a=sid=1", "; sid ;", "xsid=1", "si d=1"} {
		if got, _, found := cookieNamed(header, "sid"); found {
			t.Errorf("%q: found %q", header, got)
		}
	}
}

func TestALongHeaderIsReadOnce(t *testing.T) {
	for name, part := range map[string]string{"flags": "a;", "semicolons": ";", "equals": "=", "cookies": "a=b;", "spaces": " "} {
		header := strings.Repeat(part, 1<<20/len(part)) + ";sid=1"
		got, _, found := cookieNamed(header, "sid")
		if !found || got != "1" {
			t.Errorf("%s: %q, %v", name, got, found)
		}
	}
}

func FuzzCookieHeader(f *testing.F) {
	signed, _ := encodeURIComponent(Sign("0123456789abcdefghijklmnopqrstuv", secret))
	for _, seed := range []string{
		"connect.sid=" + signed, `a=b; connect.sid="` + signed + `"`, "connect.sid=s%3A.", "connect.sid=s:x.y; connect.sid=" + signed,
		"connect.sid=%", "connect.sid=%E2%82", "\xff=\xff;connect.sid=\xe9", ";;=;", "connect.sid=" + strings.Repeat("%F0%9F%8D%AA", 400),
	} {
		f.Add(seed, "id", secret)
	}
	f.Add("x; connect.sid=%ZZ", "a.b/ç \x00;,=\"", "other")
	f.Fuzz(func(t *testing.T, header, id, key string) {
		value, raw, found := cookieNamed(header, defaultName)
		if raw > len(header) || !found && value != "" {
			t.Errorf("%d bytes of %d, found %v", raw, len(header), found)
		}
		if !utf8.ValidString(value) {
			t.Errorf("%q is no text", value)
		}
		if got, ok := Unsign(value, secret); ok && Sign(got, secret) != value {
			t.Errorf("%q was taken for signed", value)
		}
		sent, ok := encodeURIComponent(Sign(id, key))
		if ok != utf8.ValidString(id) {
			t.Fatalf("encoding %q: %v", id, ok)
		}
		if !ok {
			return
		}
		// Whatever stands before it, of another name, does not hide it, and whatever comes after does not replace it.
		value, _, found = cookieNamed("other="+strings.ReplaceAll(header, "connect.sid", "x")+"; connect.sid="+sent+"; "+header, defaultName)
		if got, ok := Unsign(value, "wrong", key); !found || !ok || got != id {
			t.Errorf("of %q came %q, %v, %v", id, got, found, ok)
		}
		if len(key) > 0 && key != "wrong" {
			if _, ok := Unsign(value, "wrong"); ok {
				t.Errorf("%q is signed with another secret", value)
			}
		}
	})
}
