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
	position := map[string]int{}
	for _, b := range ours {
		sums[counterpart(to, b, position[b.slot])] += b.weight
		position[b.slot]++
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

func inSlot(ours []backend, slot string) []backend {
	var all []backend
	for _, b := range ours {
		if b.slot == slot {
			all = append(all, b)
		}
	}
	return all
}

// counterpart is the index in to of the same Service and port, or else of the same position in the list.
func counterpart(to []backend, b backend, position int) int {
	if b.slot == to[0].slot {
		return position
	}
	if i := slices.IndexFunc(to, func(t backend) bool { return t.key == b.key }); i >= 0 {
		return i
	}
	return min(position, len(to)-1)
}

// setWeight leaves a weight that is right as it is written: a default stays unwritten.
func (b backend) setWeight(weight int64) {
	if b.weight != weight {
		b.body["weight"] = weight
	}
}
