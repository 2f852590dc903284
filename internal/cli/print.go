package cli

import (
	"fmt"
	"io"

	"github.com/lockstep-dev/lockstep/internal/view"
)

// printf prints for people, and nothing that a terminal would obey. A reader that has gone away is no reason to stop what
// was asked for.
func printf(w io.Writer, format string, args ...any) {
	draw(w, view.Harmless(fmt.Sprintf(format, args...)))
}

// draw prints text as it is: colours and movements of the cursor that are our own, around text that was made harmless.
func draw(w io.Writer, text string) { _, _ = io.WriteString(w, text) }
