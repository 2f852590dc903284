package view_test

import (
	"testing"
	"unicode/utf8"

	"github.com/lockstep-dev/lockstep/internal/view"
)

// TestHarmless: of what a terminal obeys nothing is left, and every character takes the room that it took before.
func TestHarmless(t *testing.T) {
	for text, want := range map[string]struct{ lines, line string }{
		"käse → 🧀":         {"käse → 🧀", "käse → 🧀"},
		"a\x1b[2Jb":        {"a\ufffd[2Jb", "a\ufffd[2Jb"},
		"a\u009b2Jb":       {"a\ufffd2Jb", "a\ufffd2Jb"},
		"a\x9b2Jb":         {"a\ufffd2Jb", "a\ufffd2Jb"}, // not even UTF-8
		"a\r\b\a\x7f\x00b": {"a\ufffd\ufffd\ufffd\ufffd\ufffdb", "a\ufffd\ufffd\ufffd\ufffd\ufffdb"},
		"a\n\tb":           {"a\n\tb", "a  b"},
	} {
		if got := view.Harmless(text); got != want.lines {
			t.Errorf("Harmless(%q) = %q, want %q", text, got, want.lines)
		}
		got := view.HarmlessLine(text)
		if got != want.line {
			t.Errorf("HarmlessLine(%q) = %q, want %q", text, got, want.line)
		}
		if a, b := utf8.RuneCountInString(text), utf8.RuneCountInString(got); a != b {
			t.Errorf("%q has %d characters, and then %d", text, a, b)
		}
	}
}
