package cli

import (
	"bufio"
	"bytes"
	"io"
	"os"
	"path/filepath"
)

func newBufferedReader(raw []byte) *bufio.Reader { return bufio.NewReader(bytes.NewReader(raw)) }

// checkoutOf is the repository that file lies in, if it has the Stack's path: the team may keep the Stack elsewhere.
func checkoutOf(file, path string) string {
	at, err := filepath.Abs(filepath.Dir(file))
	if err != nil {
		return ""
	}
	for ; ; at = filepath.Dir(at) {
		if exists(filepath.Join(at, ".git")) {
			if exists(filepath.Join(at, filepath.FromSlash(path))) {
				return at
			}
			return ""
		}
		if filepath.Dir(at) == at {
			return ""
		}
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func (f finding) print(w io.Writer) {
	verdict := "ok"
	if len(f.Problems) > 0 {
		verdict = "wrong"
	}
	printf(w, "%s: Stack %s: %s\n", f.File, f.Stack, verdict)
	for _, group := range []struct {
		label string
		lines []string
	}{{"problem", f.Problems}, {"warning", f.Warnings}, {"note", f.Notes}, {"member", f.Members}} {
		for _, line := range group.lines {
			printf(w, "  %-8s %s\n", group.label, line)
		}
	}
}
