package main

import (
	"regexp"
	"strings"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"

	"github.com/lockstep-dev/lockstep/config"
)

func TestField(t *testing.T) {
	num := func(f float64) *float64 { return &f }
	n := func(i int64) *int64 { return &i }
	for _, c := range []struct {
		name string
		s    schema
		want string
	}{
		{"plain", schema{Type: "string", Description: "name of\nit."}, "| `f` | string |  | name of it. |"},
		{"default and enum", schema{Type: "string", Default: &apiextensionsv1.JSON{Raw: []byte(`"A"`)}, Enum: values("A", "B")}, "| `f` | string | `A` | One of `A`, `B`. |"},
		{"values of a type, narrowed by the field", schema{Type: "string", AllOf: []schema{{Enum: values("A", "B", "C")}, {Enum: values("B", "C")}}}, "| `f` | string |  | One of `B`, `C`. |"},
		{"numbers", schema{Type: "integer", Minimum: num(1), Maximum: num(65535)}, "| `f` | integer |  | 1 to 65535. |"},
		{"only a minimum", schema{Type: "integer", Minimum: num(0)}, "| `f` | integer |  | At least 0. |"},
		{"exactly", schema{Type: "array", MinItems: n(1), MaxItems: n(1), Items: &apiextensionsv1.JSONSchemaPropsOrArray{Schema: &schema{Type: "string", MaxLength: n(5)}}}, "| `f` | list of string |  | Exactly 1 item. Each: At most 5 characters. |"},
		{"pattern with a bar", schema{Type: "string", Pattern: "^(a|b)$"}, "| `f` | string |  | Pattern `^(a\\|b)$`. |"},
		{"angle brackets", schema{Type: "string", Description: "<stack>-<entry>"}, "| `f` | string |  | &lt;stack>-&lt;entry> |"},
		{"a rule of its own", schema{Type: "string", XValidations: apiextensionsv1.ValidationRules{{Rule: "true", Message: "must be so"}}}, "| `f` | string |  | Rule: must be so. |"},
		{"object", schema{Type: "object", Properties: map[string]schema{"x": {Type: "string"}}}, "| `f` | [object](#kindspecf) |  |  |"},
		{"list of objects", schema{Type: "array", Items: &apiextensionsv1.JSONSchemaPropsOrArray{Schema: &schema{Type: "object", Properties: map[string]schema{"x": {Type: "string"}}}}, XListMapKeys: []string{"x"}}, "| `f` | [list of object](#kindspecf) |  | Unique by `x`. |"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := &printer{}
			p.row("Kind.spec.f", "f", false, &c.s)
			if got := strings.TrimSpace(p.out.String()); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func values(names ...string) []apiextensionsv1.JSON {
	var all []apiextensionsv1.JSON
	for _, name := range names {
		all = append(all, apiextensionsv1.JSON{Raw: []byte(`"` + name + `"`)})
	}
	return all
}

// TestNothingIsLeftOut: each field of each kind has its row, and each link a heading to lead to.
func TestNothingIsLeftOut(t *testing.T) {
	text := generate(t)
	for _, want := range []string{
		"### Stack.spec.entries[].preview.cookie", "### Release.status.started.content[]", "### Decision.spec",
		"| **`backend`** | [object](#stackspecentriesbackend) |", "give each slot a namespace of its own", "a promote is bound to what was seen",
		"| `reason` |", // a field by the name of one that is left out elsewhere
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing", want)
		}
	}
	headings := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(text, -1) {
		if headings[anchor(m[1])] {
			t.Errorf("two headings have the anchor of %s", m[1])
		}
		headings[anchor(m[1])] = true
	}
	for _, m := range regexp.MustCompile(`\(#([^)]*)\)`).FindAllStringSubmatch(text, -1) {
		if !headings[m[1]] {
			t.Errorf("#%s leads nowhere", m[1])
		}
	}
}

// TestFieldsByTheNameOfMeta: a member has a kind, and an Object a name: only the kinds' own are left out.
func TestFieldsByTheNameOfMeta(t *testing.T) {
	text := generate(t)
	_, table, _ := strings.Cut(text, "### Release.status.started.members[]")
	if table, _, _ = strings.Cut(table, "###"); !strings.Contains(table, "| **`kind`** | string |") {
		t.Errorf("the kind of a member is left out:\n%s", table)
	}
}

func TestStable(t *testing.T) {
	if once, again := generate(t), generate(t); once != again {
		t.Error("two runs differ")
	}
}

func generate(t *testing.T) string {
	t.Helper()
	objects, err := config.CRDs()
	if err != nil {
		t.Fatal(err)
	}
	text, err := document(objects)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
