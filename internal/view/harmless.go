package view

import (
	"strings"
	"unicode"
)

// Harmless is text that others wrote, fit for a terminal: messages of containers, revisions and reasons may hold sequences
// that move the cursor, erase lines or write to the clipboard. Lines and tabs stay.
func Harmless(text string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' {
			return r
		}
		return harmless(r)
	}, text)
}

// HarmlessLine is the same for text that has its place within a line: what would begin another one could pass for ours.
func HarmlessLine(text string) string { return strings.Map(harmless, text) }

// harmless keeps the number of characters, so that columns stay aligned.
func harmless(r rune) rune {
	switch {
	case r == '\n' || r == '\t':
		return ' '
	case unicode.IsControl(r):
		return unicode.ReplacementChar
	}
	return r
}
