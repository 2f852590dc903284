package entry

import (
	"maps"
	"strconv"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

// Write returns the route as it must be for intent to be in force. route is the object as it was read, and is not
// changed; its resourceVersion is kept. A made route that does not exist is nil.
//
// intent.Live empty means: an adopted route goes back to its Origin, a made one has no rule for users.
// Writing what was written changes nothing.
func Write(s Spec, route *unstructured.Unstructured, intent v1alpha1.RouteIntent) (*unstructured.Unstructured, error) {
	intent = s.meant(intent)
	if err := check(s, route, intent); err != nil {
		return nil, err
	}
	if s.isService() {
		return writeService(s, route, intent)
	}
	if !s.Adopted() {
		return build(s, route, intent)
	}
	return edit(s, route, intent)
}

func check(s Spec, route *unstructured.Unstructured, intent v1alpha1.RouteIntent) error {
	for _, slot := range []string{intent.Live, intent.Preview} {
		if slot != "" && s.namespaceOf(slot) == "" {
			return refuse(v1alpha1.ReasonSlotGone,
				"entry %s is meant to point at slot %s, which Stack %s does not have (any more); put it back into spec.slots",
				s.Entry.Name, slot, s.Stack)
		}
	}
	if route == nil {
		return checkMissing(s)
	}
	return checkOwner(s, route)
}

func checkMissing(s Spec) error {
	if !s.Adopted() {
		return nil
	}
	return refuse(v1alpha1.ReasonEntryMissing,
		"%s does not exist, and entry %s adopts it by name; create it, or correct the name and namespace in the Stack", s.where(), s.Entry.Name)
}

func checkOwner(s Spec, route *unstructured.Unstructured) error {
	owner := route.GetAnnotations()[v1alpha1.AnnotationOwner]
	if owner != "" && owner != s.owner() {
		return refuse(v1alpha1.ReasonEntryClaimed,
			"%s belongs to Stack %s (annotation %s); one route can belong to one Stack: take it out of the other one and remove the annotation, or name another route",
			s.where(), owner, v1alpha1.AnnotationOwner)
	}
	if s.Adopted() || owner != "" || labelled(s, route) {
		return nil
	}
	return refuse(v1alpha1.ReasonEntryClaimed,
		"%s exists already and was not made by Lockstep; to adopt it %s in entry %s, to have one made give another name",
		s.where(), s.howToAdopt(), s.Entry.Name)
}

func (s Spec) howToAdopt() string {
	if s.isService() {
		return "set adopt: true"
	}
	return "give its name alone"
}

func labelled(s Spec, route *unstructured.Unstructured) bool {
	labels := route.GetLabels()
	return labels[v1alpha1.LabelStack] == s.Stack.Name && labels[v1alpha1.LabelStackNamespace] == s.Stack.Namespace
}

// edit changes an adopted route: where our destinations point, and the rules that Lockstep inserts.
func edit(s Spec, route *unstructured.Unstructured, intent v1alpha1.RouteIntent) (*unstructured.Unstructured, error) {
	if err := shaped(s, route); err != nil {
		return nil, err
	}
	out := route.DeepCopy()
	removeInserted(s, out)
	all := rules(s, out)
	if !anyOurs(all) {
		return nil, noneOfOurs(s)
	}
	if err := takesTesters(s, out); err != nil {
		return nil, err
	}
	if err := keepOrigin(s, out, all); err != nil {
		return nil, err
	}
	if err := point(s, out, all, intent.Live); err != nil {
		return nil, err
	}
	if s.Inserts() {
		if err := insert(s, out, intent); err != nil {
			return nil, err
		}
	}
	stamp(s, out, intent.Epoch)
	return out, nil
}

func anyOurs(all []rule) bool {
	for _, r := range all {
		if len(r.ours) > 0 {
			return true
		}
	}
	return false
}

func noneOfOurs(s Spec) error {
	return refuse(v1alpha1.ReasonEntryInvalid,
		"%s has no destination in a slot of Stack %s: none of its rules names a Service in %s (a delegate or a DestinationRule's subset alone cannot be moved); name the route that does, or point it at %s in one of those namespaces",
		s.where(), s.Stack, s.namespaces(), s.Entry.Backend.Service)
}

func point(s Spec, route *unstructured.Unstructured, all []rule, slot string) error {
	if slot == "" {
		return restore(s, route, all)
	}
	o, _ := originIn(route) // what cannot be read says nothing of any rule
	found := o.finder()
	for _, r := range all {
		moveWithOrigin(s, r, slot, found.take(s, r))
	}
	return nil
}

// build makes a route, or rewrites the part of it that Lockstep wrote.
func build(s Spec, route *unstructured.Unstructured, intent v1alpha1.RouteIntent) (*unstructured.Unstructured, error) {
	out := route.DeepCopy()
	if out == nil {
		out = &unstructured.Unstructured{Object: object{}}
		out.SetName(s.Key().Name)
		out.SetNamespace(s.Key().Namespace)
	}
	out.SetGroupVersionKind(s.Kind())
	spec := child(out.Object, "spec")
	if spec == nil {
		spec = object{}
		out.Object["spec"] = spec
	}
	d := s.dialect()
	maps.Copy(spec, d.made(s))
	spec[d.lists()[0]] = madeRules(s, intent)
	label(s, out)
	stamp(s, out, intent.Epoch)
	return out, nil
}

func madeRules(s Spec, intent v1alpha1.RouteIntent) []any {
	d := s.dialect()
	all := []any{d.marker(s, intent.Epoch)}
	if rule := madePreview(s, intent); rule != nil {
		all = append(all, rule)
	}
	if intent.Live != "" {
		all = append(all, madeRule(s, "live", d.everything(), intent.Live))
	}
	return all
}

// madePreview cannot fail: the match that it narrows is Lockstep's own.
func madePreview(s Spec, intent v1alpha1.RouteIntent) object {
	if !previews(s, intent) {
		return nil
	}
	d := s.dialect()
	matches, _ := narrow(d, d.everything(), s.conditions())
	if intent.Preview == "" {
		return d.nowhere(previewName, matches)
	}
	return madeRule(s, previewName, matches, intent.Preview)
}

func madeRule(s Spec, name string, matches []any, slot string) object {
	d := s.dialect()
	return object{
		"name":        name,
		d.matchList(): matches,
		d.field():     []any{d.backend(s, s.namespaceOf(slot))},
	}
}

// stamp claims the route and writes the fencing token.
func stamp(s Spec, route *unstructured.Unstructured, epoch int64) {
	annotate(route, v1alpha1.AnnotationEpoch, strconv.FormatInt(epoch, 10))
	annotate(route, v1alpha1.AnnotationOwner, s.owner())
}

func annotate(route *unstructured.Unstructured, key, value string) {
	all := route.GetAnnotations()
	if all == nil {
		all = map[string]string{}
	}
	all[key] = value
	route.SetAnnotations(all)
}

func label(s Spec, o *unstructured.Unstructured) {
	all := o.GetLabels()
	if all == nil {
		all = map[string]string{}
	}
	all[v1alpha1.LabelStack] = s.Stack.Name
	all[v1alpha1.LabelStackNamespace] = s.Stack.Namespace
	o.SetLabels(all)
}

func unlabel(o *unstructured.Unstructured) {
	all := o.GetLabels()
	delete(all, v1alpha1.LabelStack)
	delete(all, v1alpha1.LabelStackNamespace)
	if len(all) == 0 {
		all = nil
	}
	o.SetLabels(all)
}

// Release gives an adopted route back to the team: without the rules and annotations of Lockstep, its traffic as it is.
func Release(s Spec, route *unstructured.Unstructured) *unstructured.Unstructured {
	out := route.DeepCopy()
	if s.isService() {
		unlabel(out)
	} else {
		removeInserted(s, out)
	}
	all := out.GetAnnotations()
	for _, key := range []string{v1alpha1.AnnotationEpoch, v1alpha1.AnnotationOwner, v1alpha1.AnnotationOrigin} {
		delete(all, key)
	}
	if len(all) == 0 {
		all = nil
	}
	out.SetAnnotations(all)
	return out
}
