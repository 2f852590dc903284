package entry

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

// Observed is what a route says.
type Observed struct {
	// Found is false where there is no route.
	Found bool
	// ResourceVersion and Generation of the object that was read.
	ResourceVersion string
	Generation      int64
	// Epoch that the whole route carries: the annotation's, and 0 where the marker rule says another one or is missing.
	Epoch int64
	// FenceEpoch is the annotation's epoch alone: the fencing token.
	FenceEpoch int64
	// Owner is the Stack, as namespace/name, that has claimed the route.
	Owner string
	// Weights is the share of each slot in percent of what the route sends to slots, one item for each slot in the
	// order of the Stack; all 0 where it sends them nothing.
	Weights []v1alpha1.SlotWeight
	// Consistent is whether every rule that sends anything to slots gives them these same weights.
	Consistent bool
	// Preview is the slot that every preview rule points at.
	Preview string
	// ForeignHosts are destinations that lie in no slot.
	ForeignHosts []string
	// CanMark is whether the route can carry the epoch marker. Without it evidence ends at Accepted.
	CanMark bool
	// Accepted is whether the control plane took the route at its generation, and AcceptedMessage what it says.
	Accepted        bool
	AcceptedMessage string
	// EditedBy are the field managers, newest first, that have written the spec since Lockstep last did.
	EditedBy []string
	// Notes are what people should know of the route, in whole sentences.
	Notes []string
}

// Live is the slot that gets everything, from every rule; empty where there is no such one.
func (o Observed) Live() string {
	if !o.Consistent {
		return ""
	}
	for _, w := range o.Weights {
		if w.Weight == 100 {
			return w.Slot
		}
	}
	return ""
}

// Read says what a route says; route may be nil.
func Read(s Spec, route *unstructured.Unstructured) Observed {
	if route == nil {
		return Observed{Weights: s.none()}
	}
	if s.isService() {
		return readService(s, route)
	}
	all := rules(s, route)
	o := Observed{
		Found:           true,
		ResourceVersion: route.GetResourceVersion(),
		Generation:      route.GetGeneration(),
		Owner:           route.GetAnnotations()[v1alpha1.AnnotationOwner],
		ForeignHosts:    foreignHosts(all),
		CanMark:         canMark(s, route),
		EditedBy:        editedBy(route),
		Notes:           notes(s, route, all),
	}
	o.FenceEpoch, o.Epoch = epochs(s, route, o.CanMark)
	o.Weights, o.Consistent = weights(s, all)
	o.Preview = previewSlot(previewTargets(s, route))
	o.Accepted, o.AcceptedMessage = s.dialect().accepted(route)
	if s.Testers {
		return asTesters(s, o)
	}
	return o
}

// AsIntended reports whether the route still says what intent says, and if not, what differs and who wrote last. It is
// the same as asking whether Write would move anybody.
func AsIntended(s Spec, route *unstructured.Unstructured, intent v1alpha1.RouteIntent) (bool, string) {
	want, err := Write(s, route, intent)
	if err != nil {
		return false, err.Error()
	}
	if route == nil {
		return false, s.where() + " does not exist"
	}
	is, shall := Read(s, route), Read(s, want)
	differs := differences(is, shall)
	switch {
	case s.isService():
		return verdict(s, append(differs, differsService(route, want)...), is)
	case s.Testers && is.Preview != shall.Preview:
		return verdict(s, append(differs, fmt.Sprintf("testers are sent to %s instead of %s", orNoSlot(is.Preview), orNoSlot(shall.Preview))), is)
	}
	if slices.Equal(is.Weights, shall.Weights) && !slices.EqualFunc(perRule(s, route), perRule(s, want), slices.Equal) {
		differs = append(differs, "its rules have changed places: taken together they send users where they should, one by one they do not")
	}
	if !slices.Equal(previewTargets(s, route), previewTargets(s, want)) {
		differs = append(differs, fmt.Sprintf("its preview rules point at %s instead of %s",
			slots(previewTargets(s, route)), slots(previewTargets(s, want))))
	}
	return verdict(s, differs, is)
}

func verdict(s Spec, differs []string, is Observed) (bool, string) {
	if len(differs) == 0 {
		return true, ""
	}
	return false, s.where() + ": " + strings.Join(differs, "; ") + blame(is.EditedBy)
}

func differences(is, shall Observed) []string {
	var all []string
	if is.Epoch != shall.Epoch || is.FenceEpoch != shall.FenceEpoch {
		all = append(all, fmt.Sprintf("it carries epoch %d instead of %d", is.Epoch, shall.Epoch))
	}
	if is.Owner != shall.Owner {
		all = append(all, fmt.Sprintf("annotation %s is %q instead of %q", v1alpha1.AnnotationOwner, is.Owner, shall.Owner))
	}
	if !slices.Equal(is.Weights, shall.Weights) {
		all = append(all, fmt.Sprintf("users are sent to %s instead of %s", shares(is.Weights), shares(shall.Weights)))
	}
	return all
}

func orNoSlot(name string) string {
	if name == "" {
		return "no slot"
	}
	return name
}

func blame(editors []string) string {
	if len(editors) == 0 {
		return ""
	}
	return "; last written by " + strings.Join(editors, ", ")
}

// shares reads "blue 70 %, green 30 %".
func shares(weights []v1alpha1.SlotWeight) string {
	var all []string
	for _, w := range weights {
		if w.Weight > 0 {
			all = append(all, fmt.Sprintf("%s %d %%", w.Slot, w.Weight))
		}
	}
	if len(all) == 0 {
		return "no slot"
	}
	return strings.Join(all, ", ")
}

func slots(targets []string) string {
	if len(targets) == 0 {
		return "no slot"
	}
	return strings.Join(sorted(slices.Clone(targets)), ", ")
}

func canMark(s Spec, route *unstructured.Unstructured) bool {
	return s.Inserts() && len(items(child(route.Object, "spec"), s.dialect().lists()[0])) > 0
}

// epochs reads the annotation, and the epoch that both the annotation and the marker carry.
func epochs(s Spec, route *unstructured.Unstructured, marks bool) (fence, epoch int64) {
	fence, _ = parseEpoch(route.GetAnnotations()[v1alpha1.AnnotationEpoch])
	if !marks {
		return fence, fence
	}
	d := s.dialect()
	for _, rule := range objects(child(route.Object, "spec"), d.lists()[0]) {
		if marked, ok := d.markerEpoch(s, rule); ok && marked == fence {
			return fence, fence
		}
	}
	return fence, 0
}

// previewTargets is where each preview rule points, in order: a slot, or "error".
func previewTargets(s Spec, route *unstructured.Unstructured) []string {
	d := s.dialect()
	field, spec := d.lists()[0], child(route.Object, "spec")
	all := items(spec, field)
	skip := insertedIn(s, field, all)
	var targets []string
	for i, item := range all {
		body, _ := item.(object)
		if _, marks := d.markerEpoch(s, body); !skip[i] || marks {
			continue
		}
		targets = append(targets, previewTarget(readRule(s, field, body))...)
	}
	return targets
}

// previewTarget is the slots that a rule sends anything to: none where all goes to destinations that are not ours.
func previewTarget(r rule) []string {
	if len(r.ours)+len(r.others) == 0 {
		return []string{"error"}
	}
	var all []string
	for _, b := range r.ours {
		if b.weight > 0 {
			all = append(all, b.slot)
		}
	}
	return sorted(all)
}

func previewSlot(targets []string) string {
	if all := sorted(slices.Clone(targets)); len(all) == 1 && all[0] != "error" {
		return all[0]
	}
	return ""
}

func foreignHosts(all []rule) []string {
	hosts := map[string]bool{}
	for _, r := range all {
		for _, b := range r.others {
			hosts[b.host] = true
		}
	}
	return slices.Sorted(maps.Keys(hosts))
}

func notes(s Spec, route *unstructured.Unstructured, all []rule) []string {
	var out []string
	for _, r := range all {
		if hosts := mirrors(s, r.body); len(hosts) > 0 {
			out = append(out, fmt.Sprintf("Rule %q mirrors requests to %s; mirrors are not moved.", named(r.body), strings.Join(hosts, ", ")))
		}
		if len(r.ours) > 0 && r.list != s.dialect().lists()[0] {
			out = append(out, "Its "+r.list+" rules are moved with the others, but cannot be previewed, nor asked for the epoch.")
		}
	}
	if s.Inserts() && !canMark(s, route) {
		out = append(out, "It has no HTTP rules, so that it cannot carry the epoch marker: evidence ends at Accepted.")
	}
	return slices.Compact(out)
}

// mirrors are the copies of requests that a rule sends into slots.
func mirrors(s Spec, body object) []string {
	var all []object
	if to := child(body, "mirror"); to != nil {
		all = append(all, object{"destination": to})
	}
	all = append(all, objects(body, "mirrors")...)
	for _, filter := range objects(body, "filters") {
		if to := child(filter, "requestMirror", "backendRef"); to != nil {
			all = append(all, to)
		}
	}
	var hosts []string
	for _, o := range all {
		if b := readBackend(s, o, 1); b.slot != "" {
			hosts = append(hosts, b.host)
		}
	}
	return hosts
}

func (s Spec) none() []v1alpha1.SlotWeight {
	out := make([]v1alpha1.SlotWeight, 0, len(s.Slots))
	for _, slot := range s.Slots {
		out = append(out, v1alpha1.SlotWeight{Slot: slot.Name})
	}
	return out
}
