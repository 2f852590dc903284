package entry

import (
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// rule is one rule of the team's in a route.
type rule struct {
	list string
	body object
	ours []backend
	// others are the destinations that lie outside every slot.
	others []backend
}

// backend is one destination of a rule.
type backend struct {
	body    object
	service string
	// host is how people see it.
	host string
	slot string
	// key tells the Services of a slot apart: name, port and subset.
	key    string
	weight int64
}

// rules returns every rule of the route but those that Lockstep inserted.
func rules(s Spec, route *unstructured.Unstructured) []rule {
	d, spec := s.dialect(), child(route.Object, "spec")
	var all []rule
	for _, field := range d.lists() {
		skip := insertedIn(s, field, items(spec, field))
		for i, item := range items(spec, field) {
			if body, ok := item.(object); ok && !skip[i] {
				all = append(all, readRule(s, field, body))
			}
		}
	}
	return all
}

func insertedIn(s Spec, field string, all []any) []bool {
	d := s.dialect()
	if field != d.lists()[0] {
		return make([]bool, len(all))
	}
	return d.inserted(s, all)
}

func readRule(s Spec, field string, body object) rule {
	r := rule{list: field, body: body}
	d := s.dialect()
	all := objects(body, d.field())
	for _, o := range all {
		b := readBackend(s, o, len(all))
		if b.slot == "" {
			r.others = append(r.others, b)
			continue
		}
		r.ours = append(r.ours, b)
	}
	return r
}

func readBackend(s Spec, o object, n int) backend {
	d := s.dialect()
	h := d.host(o, s.Key().Namespace)
	b := backend{body: o, service: h.service, host: h.service, slot: s.slotIn(h.namespace), weight: d.weight(o, n)}
	b.key = h.service + "|" + h.port
	if h.namespace != "" {
		b.host += "." + h.namespace
	}
	return b
}

// moveWithOrigin is move. But where the slot lists more destinations than the one that users are on, their weights do
// not say how the slot shared them, and what it did before Lockstep first wrote the rule is taken for it.
func moveWithOrigin(s Spec, r rule, slot string, was []originBackend) {
	split := splitOf(s, r, slot, was)
	move(s, r, slot)
	for i, b := range inSlot(readRule(s, r.list, r.body).ours, slot) {
		if split != nil {
			b.setWeight(split[i])
		}
	}
}

// splitOf is nil where the weights as they are say how to share them, or the rule's weights were others.
func splitOf(s Spec, r rule, slot string, was []originBackend) []int64 {
	if len(r.ours) == 0 || was == nil {
		return nil
	}
	on := heaviest(r.ours)
	if on == slot || len(inSlot(r.ours, on)) >= len(inSlot(r.ours, slot)) {
		return nil
	}
	var split []int64
	left := int64(0)
	for i, b := range r.ours {
		left += b.weight
		if b.slot != slot {
			continue
		}
		if was[i].Slot != slot {
			return nil
		}
		weight := was[i].weight(s.dialect(), len(r.ours)+len(r.others))
		split = append(split, weight)
		left -= weight
	}
	if left != 0 {
		return nil
	}
	return split
}

// move gives a slot all the traffic that the rule gives to slots, and nothing else.
//
// Where the rule lists the slot already (blue 100, green 0), weights move and hosts stay. Where it does not (only blue
// is listed), the destinations that carry the traffic are rewritten to the slot: their Services and ports stay.
func move(s Spec, r rule, slot string) {
	if len(r.ours) == 0 {
		return
	}
	carrier := slot
	if !slices.ContainsFunc(r.ours, func(b backend) bool { return b.slot == slot }) {
		carrier = heaviest(r.ours)
	}
	gather(r.ours, carrier)
	if carrier == slot {
		return
	}
	for _, b := range r.ours {
		if b.slot == carrier {
			s.dialect().moveTo(b.body, s.namespaceOf(slot))
		}
	}
}

// heaviest is the slot with most of the weight; the first listed one of equals.
func heaviest(ours []backend) string {
	total := map[string]int64{}
	best := ours[0].slot
	for _, b := range ours {
		total[b.slot] += b.weight
	}
	for _, b := range ours {
		if total[b.slot] > total[best] {
			best = b.slot
		}
	}
	return best
}

// gather moves every weight onto the destinations of one slot. A rule may share its traffic among several Services of
// a slot (web 70, web-next 30): each weight goes to its counterpart.
func gather(ours []backend, slot string) {
	to := inSlot(ours, slot)
	sums := make([]int64, len(to))
	for _, from := range slotsOf(ours) {
		each := inSlot(ours, from)
		for i, at := range counterparts(each, to) {
			sums[at] += each[i].weight
		}
	}
	for _, b := range ours {
		if b.slot != slot {
			b.setWeight(0)
		}
	}
	for i, b := range to {
		b.setWeight(sums[i])
	}
}

func slotsOf(ours []backend) []string {
	var all []string
	for _, b := range ours {
		if !slices.Contains(all, b.slot) {
			all = append(all, b.slot)
		}
	}
	return all
}

func inSlot(ours []backend, slot string) []backend {
	var all []backend
	for _, b := range ours {
		if b.slot == slot {
			all = append(all, b)
		}
	}
	return all
}

// counterparts is, for each destination, the index of another slot's: the same Service and port, the second with the
// second where they are listed twice. Of what is left the first goes with the first, and what is too many with the last.
func counterparts(from, to []backend) []int {
	at, taken := make([]int, len(from)), make([]bool, len(to))
	for i := range at {
		at[i] = firstFree(to, taken, func(b backend) bool { return b.key == from[i].key })
	}
	for i := range at {
		if at[i] < 0 {
			at[i] = firstFree(to, taken, func(backend) bool { return true })
		}
		if at[i] < 0 {
			at[i] = len(to) - 1
		}
	}
	return at
}

// firstFree takes the first destination that fits and is not taken; -1 where there is none.
func firstFree(to []backend, taken []bool, fits func(backend) bool) int {
	for i, b := range to {
		if !taken[i] && fits(b) {
			taken[i] = true
			return i
		}
	}
	return -1
}

// setWeight leaves a weight that is right as it is written: a default stays unwritten.
func (b backend) setWeight(weight int64) {
	if b.weight != weight {
		b.body["weight"] = weight
	}
}
