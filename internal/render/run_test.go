package render

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

// chartWith is a chart whose one template is text.
func chartWith(t *testing.T, text string) string {
	t.Helper()
	return checkoutOf(t, "-- c/Chart.yaml --\napiVersion: v2\nname: c\nversion: 1.0.0\n-- c/templates/t.yaml --\n"+text+"\n")
}

// noRenderersLeft fails where a child of this process is still there.
func noRenderersLeft(t *testing.T) {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		stat, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended meanwhile
		}
		_, rest, _ := strings.Cut(string(stat), ") ")
		if fields := strings.Fields(rest); len(fields) > 1 && fields[1] == fmt.Sprint(os.Getpid()) {
			t.Errorf("still there: %s", stat)
		}
	}
}

const endless = `{{ range $a := until 30000 }}{{ range $b := until 30000 }}{{ range $c := until 30000 }}{{ end }}{{ end }}{{ end }}`

func TestTemplateThatNeverEnds(t *testing.T) {
	req := helmRequest(chartWith(t, endless), "c")
	req.Limits.Timeout = time.Second
	began := time.Now()
	_, err := Run(t.Context(), req)
	wantRefusal(t, err, v1alpha1.ReasonRenderTimeout, "1s", "loops")
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("it took %s", took)
	}
	noRenderersLeft(t)
}

func TestDeadlineOfTheCaller(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	_, err := Run(ctx, helmRequest(chartWith(t, endless), "c"))
	wantRefusal(t, err, v1alpha1.ReasonRenderTimeout)
	noRenderersLeft(t)
}

// That the caller gives up is nothing that the team must change.
func TestCallerGivesUp(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(300*time.Millisecond, cancel)
	_, err := Run(ctx, helmRequest(chartWith(t, endless), "c"))
	if !errors.Is(err, context.Canceled) || ReasonOf(err) != "" {
		t.Errorf("want context.Canceled, got %v", err)
	}
	noRenderersLeft(t)
}

func TestTemplateThatTakesAllMemory(t *testing.T) {
	tests := map[string]string{
		"text":     `{{ $a := "0123456789" }}{{ range until 40 }}{{ $a = printf "%s%s" $a $a }}{{ end }}`,
		"repeated": `{{ repeat 1000000000000 "a" }}`,
		"list":     `{{ $a := list }}{{ range until 30000 }}{{ $a = append $a (until 30000) }}{{ end }}`,
	}
	for name, template := range tests {
		t.Run(name, func(t *testing.T) {
			req := helmRequest(chartWith(t, template), "c")
			req.Limits = Limits{Memory: 256 << 20, Timeout: 30 * time.Second}
			_, err := Run(t.Context(), req)
			wantRefusal(t, err, v1alpha1.ReasonRenderFailed, "256 MiB of memory", "look for")
			noRenderersLeft(t)
		})
	}
}

func TestTemplateThatIncludesItself(t *testing.T) {
	for _, call := range []string{`template "a" .`, `include "a" .`} {
		_, err := Run(t.Context(), helmRequest(chartWith(t, `{{ define "a" }}{{ `+call+` }}{{ end }}{{ `+call+` }}`), "c"))
		wantRefusal(t, err, v1alpha1.ReasonRenderFailed)
		noRenderersLeft(t)
	}
}

func TestChildHasNothingOfTheParent(t *testing.T) {
	t.Setenv("LOCKSTEP_TEST_SECRET", "hunter2")
	template := web + `---
apiVersion: v1
kind: ConfigMap
metadata: {name: seen}
data: {address: {{ getHostByName "localhost" | quote }}, value: {{ tpl "{{ .Values.x }}" . | quote }}}
`
	result, err := Run(t.Context(), helmRequest(chartWith(t, template), "c"))
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range result.Slots[0].Objects {
		if text := fmt.Sprint(o.Object); strings.Contains(text, "127.0.0.1") || strings.Contains(text, "hunter2") {
			t.Errorf("a template saw more than it should: %s", text)
		}
	}
	_, err = Run(t.Context(), helmRequest(chartWith(t, `{{ env "LOCKSTEP_TEST_SECRET" }}`), "c"))
	wantRefusal(t, err, v1alpha1.ReasonRenderFailed, `function "env" not defined`)
}

func TestOutputOverTheLimit(t *testing.T) {
	template := web + "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: big}\ndata: {text: {{ repeat 200000 \"a\" }}}\n"
	req := helmRequest(chartWith(t, template), "c")
	for _, limit := range []int64{100_000, 300_000} { // one slot is too large; both are
		req.Limits.Output = limit
		_, err := Run(t.Context(), req)
		wantRefusal(t, err, v1alpha1.ReasonContentTooLarge)
	}
}

func TestTooManyObjects(t *testing.T) {
	req := plainRequest(checkoutOf(t, "-- web.yaml --\n"+web+"-- x.yaml --\n{apiVersion: v1, kind: ConfigMap, metadata: {name: x}}\n"))
	req.Limits.Objects = 1
	_, err := renderAll(&req)
	wantRefusal(t, err, v1alpha1.ReasonContentTooLarge, "2 objects", "1 are allowed")
}

func TestCheckoutThatIsNotThere(t *testing.T) {
	_, err := Run(t.Context(), plainRequest(filepath.Join(t.TempDir(), "gone")))
	if err == nil || ReasonOf(err) != "" {
		t.Errorf("want an error of the machine, got %v", err)
	}
}
