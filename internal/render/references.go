package render

import (
	"encoding/base64"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

// crossReferences refuses content for one slot that names the namespace of another: its Services would be called across
// releases.
func crossReferences(objects []object, slot v1alpha1.Slot, all []v1alpha1.Slot) error {
	for _, other := range all {
		if other.Namespace == slot.Namespace {
			continue
		}
		finder := newFinder(other.Namespace)
		for _, o := range objects {
			if at, value := finder.find(o); at != "" {
				return refuse(v1alpha1.ReasonCrossSlotReference, "slot %s: %s names namespace %s, which is slot %s, in %s%s; call Services of the stack by their short names (http://catalog), or by the slot's own namespace (in a chart: .Release.Namespace), so that a release only meets itself",
					slot.Name, o, other.Namespace, other.Name, at, value)
			}
		}
	}
	return nil
}

// finder finds a namespace as a whole DNS label: `shop` is not in `shop-green`.
type finder struct {
	namespace string
	host      *regexp.Regexp
}

// newFinder matches the namespace where it can be the second label of a Service's name (catalog.shop-green,
// catalog.shop-green.svc.cluster.local, but not catalog.shop-green.example.com), or is said to be a namespace.
func newFinder(namespace string) *finder {
	name := regexp.QuoteMeta(namespace)
	return &finder{namespace, regexp.MustCompile(`(?i)` +
		`(?:^|[^a-z0-9-])` + name + `\.svc(?:$|[^a-z0-9-])|` +
		`[a-z0-9]\.` + name + `\.?(?:$|[^a-z0-9.-])|` +
		`namespace["']?\s*[:=]\s*["']?` + name + `(?:$|[^a-z0-9-])`)}
}

// find returns where the namespace is named, and the value as it is shown to people. Of a Secret nothing is shown: what it
// holds can stand in an annotation too.
func (f *finder) find(o object) (at, shown string) {
	secret := o.GetKind() == "Secret"
	for _, field := range slices.Sorted(maps.Keys(o.Object)) {
		if field == "apiVersion" || field == "kind" {
			continue
		}
		value := o.Object[field]
		if secret && field == "data" {
			value = decoded(value)
		}
		at, text := f.within(field, value)
		switch {
		case at != "" && secret:
			return at, ""
		case at != "":
			return at, fmt.Sprintf(": %q", around(text, f.namespace))
		}
	}
	return "", ""
}

// names are fields whose value is a name in the slot's own namespace, where it may be that of another slot by chance.
var names = []string{"name", "labels", "matchLabels", "selector", "image", "app"}

func (f *finder) within(at string, value any) (where, text string) {
	switch value := value.(type) {
	case string:
		if value == f.namespace || f.host.MatchString(value) {
			return at, value
		}
	case []any:
		for i, item := range value {
			if where, text := f.within(fmt.Sprintf("%s[%d]", at, i), item); where != "" {
				return where, text
			}
		}
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(value)) {
			if slices.Contains(names, name) && !hasText(value[name], f.host) {
				continue
			}
			if where, text := f.within(at+"."+name, value[name]); where != "" {
				return where, text
			}
		}
	}
	return "", ""
}

// hasText is whether a text looks like a host, wherever it stands.
func hasText(value any, host *regexp.Regexp) bool {
	text, ok := value.(string)
	return ok && host.MatchString(text)
}

// decoded returns the data of a Secret in clear.
func decoded(data any) map[string]any {
	fields, _ := data.(map[string]any)
	result := map[string]any{}
	for name, value := range fields {
		text, _ := value.(string)
		if clear, err := base64.StdEncoding.DecodeString(text); err == nil {
			result[name] = string(clear)
		}
	}
	return result
}

// around shows the part of a long text that holds a word.
func around(text, word string) string {
	const margin = 60
	at := max(strings.Index(strings.ToLower(text), word), 0)
	from, to := max(at-margin, 0), min(at+len(word)+margin, len(text))
	return strings.ToValidUTF8(text[from:to], "")
}
