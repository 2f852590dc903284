package view

import (
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

// Side is one of two things that are compared.
type Side struct {
	// What it is, in a few words: release shop-aaa, slot blue, main @ 1a2b3c4.
	What string `json:"what"`
	// Slot that the content is for.
	Slot string `json:"slot,omitempty"`
	// Digest of the content, sizes left out; empty where it is not known.
	Digest string `json:"digest,omitempty"`
	// Images of each member.
	Images map[string][]string `json:"-"`
	// Objects of it; nil where they cannot be read.
	Objects []*unstructured.Unstructured `json:"-"`
	// Names that the side has by being where it is, with what stands for them, so that they are no difference.
	Names map[string]string `json:"-"`
}

// Diff is how one side differs from another.
type Diff struct {
	Stack string `json:"stack"`
	From  Side   `json:"from"`
	To    Side   `json:"to"`
	// Differs is whether anything does, as far as it could be told.
	Differs bool `json:"differs"`
	// Certain is whether what Differs says is known: everything was compared, or a difference was found.
	Certain bool           `json:"certain"`
	Images  []ImageChange  `json:"images"`
	Objects []ObjectChange `json:"objects"`
	// Unknown says what could not be compared, and why.
	Unknown []string `json:"unknown,omitempty"`
}

// Change is what became of something.
type Change string

// What became of something.
const (
	Added   Change = "Added"
	Removed Change = "Removed"
	Changed Change = "Changed"
)

// ImageChange is a member whose images are not the same.
type ImageChange struct {
	Member string   `json:"member"`
	Change Change   `json:"change"`
	From   []string `json:"from,omitempty"`
	To     []string `json:"to,omitempty"`
}

// ObjectChange is an object that is not the same.
type ObjectChange struct {
	Kind   string        `json:"kind"`
	Name   string        `json:"name"`
	Change Change        `json:"change"`
	Fields []FieldChange `json:"fields,omitempty"`
}

// FieldChange is a field that is not the same. Of a Secret only the key is told.
type FieldChange struct {
	Path   string `json:"path"`
	Change Change `json:"change"`
	From   any    `json:"from,omitempty"`
	To     any    `json:"to,omitempty"`
	Hidden bool   `json:"hidden,omitempty"`
}

// Compare tells how two sides differ.
func Compare(stack string, from, to Side, unknown []string) *Diff {
	d := &Diff{Stack: stack, From: from, To: to, Unknown: slices.Compact(unknown), Objects: []ObjectChange{}}
	d.Images = imageChanges(from.Images, to.Images)
	if from.Objects != nil && to.Objects != nil {
		d.Objects = objectChanges(from, to)
	}
	d.Differs = len(d.Images) > 0 || len(d.Objects) > 0 || d.byDigestAlone()
	d.Certain = d.Differs || d.sameDigest() || (from.Objects != nil && to.Objects != nil && len(unknown) == 0)
	return d
}

// byDigestAlone is whether nothing but the digests tell that the sides differ.
func (d *Diff) byDigestAlone() bool {
	unread := d.From.Objects == nil || d.To.Objects == nil
	return unread && d.From.Digest != "" && d.To.Digest != "" && d.From.Slot == d.To.Slot && d.From.Digest != d.To.Digest
}

// sameDigest is whether the digests tell that the sides are the same.
func (d *Diff) sameDigest() bool {
	return d.From.Digest != "" && d.From.Digest == d.To.Digest && d.From.Slot == d.To.Slot
}

// MemberImages are the images that a release gives to each of its members.
func MemberImages(members []v1alpha1.ReleaseMember) map[string][]string {
	out := map[string][]string{}
	for _, m := range members {
		out[m.Name] = m.Images
	}
	return out
}

func imageChanges(from, to map[string][]string) []ImageChange {
	out := []ImageChange{}
	for _, name := range keysOf(from, to) {
		a, before := from[name]
		b, after := to[name]
		switch {
		case !after:
			out = append(out, ImageChange{Member: name, Change: Removed, From: a})
		case !before:
			out = append(out, ImageChange{Member: name, Change: Added, To: b})
		case !slices.Equal(a, b):
			out = append(out, ImageChange{Member: name, Change: Changed, From: a, To: b})
		}
	}
	return out
}

func objectChanges(from, to Side) []ObjectChange {
	a, b := comparable(from), comparable(to)
	out := []ObjectChange{}
	for _, key := range keysOf(a, b) {
		before, after := a[key], b[key]
		kind, name, _ := strings.Cut(key, "/")
		change := ObjectChange{Kind: kind, Name: name}
		switch {
		case after == nil:
			change.Change = Removed
		case before == nil:
			change.Change = Added
		default:
			f := fields{secret: kind == "Secret"}
			f.values("", before, after)
			if change.Change, change.Fields = Changed, f.found; len(f.found) == 0 {
				continue
			}
		}
		out = append(out, change)
	}
	return out
}

// comparable are the objects of a side by kind and name, without what a server fills in and what they are stamped with.
func comparable(side Side) map[string]map[string]any {
	out := map[string]map[string]any{}
	for _, o := range side.Objects {
		plain := rename(withoutServer(o).Object, side.Names).(map[string]any)
		u := unstructured.Unstructured{Object: plain}
		out[u.GetKind()+"/"+u.GetName()] = plain
	}
	return out
}

// rename replaces the names of a side wherever they are words of a text.
func rename(value any, names map[string]string) any {
	switch v := value.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, item := range v {
			out[k] = rename(item, names)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, item := range v {
			out[i] = rename(item, names)
		}
		return out
	case string:
		return renamed(v, names)
	}
	return value
}

func renamed(text string, names map[string]string) string {
	// The longest first: a namespace is often named after its slot.
	ordered := slices.SortedFunc(maps.Keys(names), func(a, b string) int { return len(b) - len(a) })
	for _, name := range ordered {
		text = replaceWord(text, name, names[name])
	}
	return text
}

// replaceWord replaces a name where it is not part of a longer word.
func replaceWord(text, word, with string) string {
	var out strings.Builder
	for word != "" {
		i := strings.Index(text, word)
		if i < 0 {
			break
		}
		end := i + len(word)
		whole := (i == 0 || !wordByte(text[i-1])) && (end == len(text) || !wordByte(text[end]))
		if whole {
			out.WriteString(text[:i] + with)
		} else {
			out.WriteString(text[:end])
		}
		text = text[end:]
	}
	return out.String() + text
}

func wordByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_'
}

func keysOf[V any](a, b map[string]V) []string {
	all := slices.Collect(maps.Keys(a))
	for k := range b {
		if _, both := a[k]; !both {
			all = append(all, k)
		}
	}
	slices.Sort(all)
	return all
}
