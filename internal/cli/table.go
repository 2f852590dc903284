package cli

import (
	"io"
	"strings"

	"k8s.io/cli-runtime/pkg/printers"
)

// table prints columns as kubectl does.
func table(w io.Writer, head []string, rows [][]string) error {
	tw := printers.GetNewTabWriter(w)
	printf(tw, "%s\n", strings.Join(head, "\t"))
	for _, r := range rows {
		for i := range r {
			if r[i] == "" {
				r[i] = "-"
			}
		}
		printf(tw, "%s\n", strings.Join(r, "\t"))
	}
	return tw.Flush()
}
