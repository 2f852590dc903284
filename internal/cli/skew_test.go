package cli

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func object(fields ...string) map[string]any {
	properties := map[string]any{"metadata": map[string]any{}}
	for _, f := range fields {
		properties[f] = map[string]any{"type": "array", "items": map[string]any{"properties": map[string]any{"name": map[string]any{}}}}
	}
	return map[string]any{"properties": map[string]any{"spec": map[string]any{"properties": properties}}}
}

// TestSkew: who is older is told by the fields that one side lacks, and nothing is told where only words differ.
func TestSkew(t *testing.T) {
	for name, c := range map[string]struct {
		ours, theirs map[string]any
		want         skew
		says         string
	}{
		"same":  {object("source"), object("source"), skew{}, "with the fields that this command knows"},
		"newer": {object("source", "queue"), object("source"), skew{Missing: []string{"Stack.spec.queue"}}, "this command (v2) is newer than the kinds in the cluster, which lack Stack.spec.queue"},
		"older": {object("source"), object("source", "queue"), skew{Unknown: []string{"Stack.spec.queue"}}, "this command (v2) is older than the kinds in the cluster, which have Stack.spec.queue"},
		"both":  {object("a"), object("b"), skew{Missing: []string{"Stack.spec.a"}, Unknown: []string{"Stack.spec.b"}}, "different versions"},
	} {
		got := skew{}
		got.add("Stack", c.ours, c.theirs)
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if said := got.sentence("v2"); !strings.Contains(said, c.says) {
			t.Errorf("%s: %q does not say %q", name, said, c.says)
		}
	}
}
