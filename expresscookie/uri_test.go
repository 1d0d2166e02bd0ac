package expresscookie

import "testing"

func TestURIComponentsAreJavaScripts(t *testing.T) {
	for decoded, encoded := range map[string]string{
		"":                   "",
		"aZ09-_.!~*'()":      "aZ09-_.!~*'()",
		"s:a.b+c/d=":         "s%3Aa.b%2Bc%2Fd%3D",
		" %;,\"\\\x00\x7f":   "%20%25%3B%2C%22%5C%00%7F",
		"é\u0800€\U0001F36A": "%C3%A9%E0%A0%80%E2%82%AC%F0%9F%8D%AA",
		"\uFFFD":             "%EF%BF%BD",
		"\U0010FFFF":         "%F4%8F%BF%BF",
	} {
		if got, ok := encodeURIComponent(decoded); !ok || got != encoded {
			t.Errorf("encode %q: %q, %v, want %q", decoded, got, ok, encoded)
		}
		if got, ok := decodeURIComponent(encoded); !ok || got != decoded {
			t.Errorf("decode %q: %q, %v, want %q", encoded, got, ok, decoded)
		}
	}
	if got, ok := decodeURIComponent("é+%c3%A9%41"); !ok || got != "é+éA" {
		t.Errorf("what is not escaped stays, digits are of either case: %q, %v", got, ok)
	}
	if _, ok := encodeURIComponent("a\xff"); ok {
		t.Error("encoded what is no text")
	}
}

func TestWhatJavaScriptRefusesToDecode(t *testing.T) {
	for name, s := range map[string]string{
		"no digits":                  "%",
		"one digit":                  "a%4",
		"no hexadecimal digit":       "%4g",
		"a byte that continues":      "%80",
		"a byte that is never there": "%FF",
		"a character cut short":      "%E2%82",
		"continued unescaped":        "%C3\xa9",
		"continued by a letter":      "%C3%41",
		"an overlong slash":          "%C0%AF",
		"an overlong character":      "%E0%80%AF",
		"half a surrogate pair":      "%ED%A0%80",
		"beyond Unicode":             "%F4%90%80%80",
		"five bytes":                 "%F8%88%80%80%80",
	} {
		if got, ok := decodeURIComponent(s); ok {
			t.Errorf("%s: %q decodes to %q", name, s, got)
		}
	}
}
