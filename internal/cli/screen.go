package cli

import (
	"strings"
	"time"
)

// What a terminal understands: go to the top, clear to the end of the line, clear what is below.
const (
	ansiTop       = "\x1b[H"
	ansiClearLine = "\x1b[K"
	ansiClearRest = "\x1b[J"
	ansiClearAll  = "\x1b[2J"
)

// print draws over what was shown on a terminal, line by line so that nothing flickers; elsewhere each change is printed
// below the one before, with its time.
func (w *watcher) print(text string, now time.Time) {
	if !w.place {
		draw(w.a.Out, "--- "+now.UTC().Format(time.RFC3339)+"\n"+text+"\n")
		return
	}
	start := ansiTop
	if w.shown == "" {
		start = ansiClearAll + ansiTop
	}
	draw(w.a.Out, start+strings.ReplaceAll(text, "\n", ansiClearLine+"\n")+ansiClearRest)
}
