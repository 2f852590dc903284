package entry

import (
	"encoding/json"
	"fmt"
	"hash/fnv"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

// originLimit bounds the annotation; the API server allows 256 KiB for all annotations of an object.
const originLimit = 64 << 10

// origin is what an adopted route's destinations were before Lockstep first wrote it.
type origin struct {
	// Live is the slot that had most of the traffic: where rules go that were added since.
	Live  string       `json:"live"`
	Rules []originRule `json:"rules"`
}

type originRule struct {
	ID       string          `json:"id"`
	Backends []originBackend `json:"to"`
}

type originBackend struct {
	Service string  `json:"s"`
	Slot    string  `json:"in"`
	Raw     *string `json:"h,omitempty"`
	Weight  *int64  `json:"w,omitempty"`
}

// identify survives a reordering of rules: it is the rule's name, or else a hash of what the rule matches.
func identify(r rule) string {
	if name := named(r.body); name != "" {
		return r.list + "/" + name
	}
	match := r.body["match"]
	if match == nil {
		match = r.body["matches"]
	}
	encoded, _ := json.Marshal(match)
	h := fnv.New64a()
	_, _ = h.Write(encoded)
	return fmt.Sprintf("%s#%x", r.list, h.Sum64())
}

func readOrigin(s Spec, all []rule) origin {
	o := origin{Rules: []originRule{}}
	var ours []backend
	for _, r := range all {
		if len(r.ours) == 0 {
			continue
		}
		ours = append(ours, r.ours...)
		o.Rules = append(o.Rules, originOf(s, r))
	}
	o.Live = heaviest(ours)
	return o
}

func originOf(s Spec, r rule) originRule {
	out := originRule{ID: identify(r)}
	for _, b := range r.ours {
		o := originBackend{Service: b.service, Slot: b.slot, Raw: s.dialect().raw(b.body)}
		if weight, ok := number(b.body["weight"]); ok {
			o.Weight = &weight
		}
		out.Backends = append(out.Backends, o)
	}
	return out
}

// keepOrigin writes the origin once, before the first change.
func keepOrigin(s Spec, route *unstructured.Unstructured, all []rule) error {
	if route.GetAnnotations()[v1alpha1.AnnotationOrigin] != "" {
		return nil
	}
	encoded, err := json.Marshal(readOrigin(s, all))
	if err != nil {
		return refuse(v1alpha1.ReasonEntryInvalid, "%s: its destinations cannot be kept: %v", s.where(), err)
	}
	if len(encoded) > originLimit {
		return refuse(v1alpha1.ReasonEntryInvalid,
			"%s has too many rules: to be able to go back, Lockstep keeps their destinations in an annotation of at most %d bytes, and these take %d; split the route",
			s.where(), originLimit, len(encoded))
	}
	annotate(route, v1alpha1.AnnotationOrigin, string(encoded))
	return nil
}

// restore puts every destination back to what it was. Rules that were added since go to the slot that was live.
func restore(s Spec, route *unstructured.Unstructured, all []rule) error {
	o, err := originIn(route)
	if err != nil || s.namespaceOf(o.Live) == "" {
		return refuse(v1alpha1.ReasonEntryInvalid,
			"%s: its annotation %s no longer says where its destinations pointed before Lockstep; point them by hand and remove the annotation",
			s.where(), v1alpha1.AnnotationOrigin)
	}
	found := o.finder()
	for _, r := range all {
		was := found.take(s, r)
		if was == nil {
			move(s, r, o.Live)
			continue
		}
		for i, b := range r.ours {
			was[i].putBack(s.dialect(), b.body)
		}
	}
	return nil
}

func originIn(route *unstructured.Unstructured) (origin, error) {
	var o origin
	err := json.Unmarshal([]byte(route.GetAnnotations()[v1alpha1.AnnotationOrigin]), &o)
	return o, err
}

// finder has the rules of an origin that are still to be found.
type finder map[string][]originRule

func (o origin) finder() finder {
	left := finder{}
	for _, r := range o.Rules {
		left[r.ID] = append(left[r.ID], r)
	}
	return left
}

// take returns what the rule's destinations were; nil where the team has added the rule, or changed them, since.
func (f finder) take(s Spec, r rule) []originBackend {
	id := identify(r)
	if len(f[id]) == 0 || !f[id][0].fits(s, r) {
		return nil
	}
	was := f[id][0].Backends
	f[id] = f[id][1:]
	return was
}

func (was originRule) fits(s Spec, r rule) bool {
	if len(r.ours) != len(was.Backends) {
		return false
	}
	for i, b := range r.ours {
		if b.service != was.Backends[i].Service || s.namespaceOf(was.Backends[i].Slot) == "" {
			return false
		}
	}
	return true
}

// weight of a destination that was one of n.
func (o originBackend) weight(d dialect, n int) int64 {
	if o.Weight != nil {
		return *o.Weight
	}
	return d.weight(object{}, n)
}

func (o originBackend) putBack(d dialect, body object) {
	d.setRaw(body, o.Raw)
	if o.Weight == nil {
		delete(body, "weight")
		return
	}
	body["weight"] = *o.Weight
}
