package entry_test

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/yaml"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/internal/entry"
)

var update = flag.Bool("update", false, "write what the code says into testdata")

// TestGolden runs each archive of testdata: stack.yaml is the Stack, before.yaml the route as it was found (if any), and
// every further file is an intent, in its name, with the route that is wanted; each intent is written to the result of
// the one before. Files named "edit: …" (lines "old => new") and spec.yaml are what someone changes between two intents.
func TestGolden(t *testing.T) {
	archives, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(archives) == 0 {
		t.Fatalf("no archives: %v", err)
	}
	for _, path := range archives {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) { runArchive(t, path) })
	}
}

func runArchive(t *testing.T, path string) {
	archive, err := txtar.ParseFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var spec entry.Spec
	var route *unstructured.Unstructured
	for i, file := range archive.Files {
		switch {
		case file.Name == "stack.yaml":
			spec = parseStack(t, file.Data)
			continue
		case file.Name == "before.yaml":
			route = parseRoute(t, file.Data)
			continue
		case file.Name == "grants.yaml":
			archive.Files[i].Data = []byte(formatGrants(t, spec))
		case strings.HasPrefix(file.Name, "edit: "):
			route = editRoute(t, route, string(file.Data))
			continue
		case file.Name == "spec.yaml":
			route.Object["spec"] = parseRoute(t, append([]byte("apiVersion: v1\nkind: Any\n"), file.Data...)).Object["spec"]
			continue
		default:
			var got string
			got, route = step(t, spec, route, parseIntent(t, file.Name))
			archive.Files[i].Data = []byte(got)
		}
		if !*update {
			compare(t, file.Name, string(file.Data), string(archive.Files[i].Data))
		}
	}
	if *update {
		if err := os.WriteFile(path, txtar.Format(archive), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func compare(t *testing.T, name, want, got string) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got; -update writes it):\n%s", name, diff)
	}
}

// step writes one intent, and checks on the way what holds for each.
func step(t *testing.T, spec entry.Spec, route *unstructured.Unstructured, intent v1alpha1.RouteIntent) (string, *unstructured.Unstructured) {
	t.Helper()
	before := route.DeepCopy()
	after, err := entry.Write(spec, route, intent)
	if diff := cmp.Diff(before, route); diff != "" {
		t.Errorf("Write changed the route that it was given:\n%s", diff)
	}
	if err != nil {
		if ok, why := entry.AsIntended(spec, route, intent); ok || why != err.Error() {
			t.Errorf("AsIntended says (%v, %q) where Write says %v", ok, why, err)
		}
		return fmt.Sprintf("%s: %v\n", entry.ReasonOf(err), err), route
	}
	again, err := entry.Write(spec, after, intent)
	if err != nil {
		t.Fatalf("writing it again: %v", err)
	}
	if diff := cmp.Diff(after, again); diff != "" {
		t.Errorf("writing it again changed it:\n%s", diff)
	}
	if ok, why := entry.AsIntended(spec, after, intent); !ok {
		t.Errorf("as written, it is not as intended: %s", why)
	}
	return formatRead(entry.Read(spec, after)) + formatYAML(t, after.Object), after
}

func formatRead(o entry.Observed) string {
	var b strings.Builder
	var shares []string
	for _, w := range o.Weights {
		shares = append(shares, fmt.Sprintf("%s %d", w.Slot, w.Weight))
	}
	fmt.Fprintf(&b, "# epoch %d, %s, consistent %v, preview %q, can mark %v\n",
		o.Epoch, strings.Join(shares, ", "), o.Consistent, o.Preview, o.CanMark)
	if len(o.ForeignHosts) > 0 {
		fmt.Fprintf(&b, "# foreign: %s\n", strings.Join(o.ForeignHosts, ", "))
	}
	for _, note := range o.Notes {
		fmt.Fprintf(&b, "# %s\n", note)
	}
	return b.String()
}

func formatGrants(t *testing.T, spec entry.Spec) string {
	t.Helper()
	var all []string
	for _, g := range entry.Grants(spec) {
		all = append(all, formatYAML(t, g.Object))
	}
	return strings.Join(all, "---\n")
}

func formatYAML(t *testing.T, v any) string {
	t.Helper()
	out, err := yaml.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func parseStack(t *testing.T, data []byte) entry.Spec {
	t.Helper()
	var stack v1alpha1.Stack
	if err := yaml.UnmarshalStrict(data, &stack); err != nil {
		t.Fatal(err)
	}
	return entry.Spec{
		Stack: types.NamespacedName{Namespace: stack.Namespace, Name: stack.Name},
		Entry: stack.Spec.Entries[0],
		Slots: stack.Spec.Slots,
	}
}

func parseRoute(t *testing.T, data []byte) *unstructured.Unstructured {
	t.Helper()
	encoded, err := yaml.YAMLToJSON(data)
	if err != nil {
		t.Fatal(err)
	}
	route := &unstructured.Unstructured{}
	if err := route.UnmarshalJSON(encoded); err != nil {
		t.Fatal(err)
	}
	return route
}

// editRoute replaces text in the route's YAML: "old => new" in each line.
func editRoute(t *testing.T, route *unstructured.Unstructured, edits string) *unstructured.Unstructured {
	t.Helper()
	out := formatYAML(t, route.Object)
	for line := range strings.Lines(edits) {
		from, to, ok := strings.Cut(strings.TrimSpace(line), " =>")
		if !ok || !strings.Contains(out, from) {
			t.Fatalf("edit %q: not in\n%s", line, out)
		}
		out = strings.ReplaceAll(out, from, strings.TrimSpace(to))
	}
	return parseRoute(t, []byte(out))
}

// parseIntent reads "epoch=2 live=green preview=blue".
func parseIntent(t *testing.T, name string) v1alpha1.RouteIntent {
	t.Helper()
	values := map[string]string{}
	for word := range strings.FieldsSeq(name) {
		key, value, _ := strings.Cut(word, "=")
		values[key] = value
	}
	for _, key := range slices.Sorted(maps.Keys(values)) {
		if !slices.Contains([]string{"epoch", "live", "preview"}, key) {
			t.Fatalf("%q is no intent", name)
		}
	}
	epoch, err := strconv.ParseInt(values["epoch"], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return v1alpha1.RouteIntent{Epoch: epoch, Live: values["live"], Preview: values["preview"]}
}
