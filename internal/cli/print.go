package cli

import (
	"fmt"
	"io"
)

// printf prints for people. A reader that has gone away is no reason to stop what was asked for.
func printf(w io.Writer, format string, args ...any) { _, _ = fmt.Fprintf(w, format, args...) }
