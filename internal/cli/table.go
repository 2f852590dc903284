package cli

import (
	"cmp"
	"io"
	"strings"

	"k8s.io/cli-runtime/pkg/printers"

	"github.com/lockstep-dev/lockstep/internal/view"
)

// table prints columns as kubectl does.
func table(w io.Writer, head []string, rows [][]string) error {
	tw := printers.GetNewTabWriter(w)
	printf(tw, "%s\n", strings.Join(head, "\t"))
	for _, r := range rows {
		cells := make([]string, len(r))
		for i := range r {
			cells[i] = cmp.Or(view.HarmlessLine(r[i]), "-")
		}
		printf(tw, "%s\n", strings.Join(cells, "\t"))
	}
	return tw.Flush()
}
