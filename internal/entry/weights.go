package entry

import (
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

// weights is the mean of what the rules give to each slot, and whether they all agree. A rule that gives slots nothing
// (everything goes to a foreign destination) says nothing.
func weights(s Spec, all []rule) ([]v1alpha1.SlotWeight, bool) {
	sum := make([]float64, len(s.Slots))
	var first []v1alpha1.SlotWeight
	consistent := true
	for _, r := range all {
		share, ok := shareOf(s, r)
		if !ok {
			continue
		}
		own := percent(s, share)
		if first == nil {
			first = own
		}
		consistent = consistent && slices.Equal(first, own)
		for i := range share {
			sum[i] += share[i]
		}
	}
	return percent(s, sum), consistent
}

// perRule is what each rule gives to each slot.
func perRule(s Spec, route *unstructured.Unstructured) [][]v1alpha1.SlotWeight {
	var all [][]v1alpha1.SlotWeight
	for _, r := range rules(s, route) {
		if share, ok := shareOf(s, r); ok {
			all = append(all, percent(s, share))
		}
	}
	return all
}

// shareOf is the part of the rule's traffic to slots that each slot gets.
func shareOf(s Spec, r rule) ([]float64, bool) {
	share := make([]float64, len(s.Slots))
	total := 0.0
	for _, b := range r.ours {
		total += float64(b.weight)
	}
	if total == 0 {
		return nil, false
	}
	for _, b := range r.ours {
		i := slices.IndexFunc(s.Slots, func(t v1alpha1.Slot) bool { return t.Name == b.slot })
		share[i] += float64(b.weight) / total
	}
	return share, true
}

// percent rounds so that the sum is 100 and a slot that gets anything gets 1 at least: a slot is empty of users at 0
// only. The largest share takes what rounding leaves.
func percent(s Spec, share []float64) []v1alpha1.SlotWeight {
	out := s.none()
	total, largest := 0.0, 0
	for i, v := range share {
		total += v
		if v > share[largest] {
			largest = i
		}
	}
	if total == 0 {
		return out
	}
	left := int32(100)
	for i, v := range share {
		if i == largest || v == 0 {
			continue
		}
		out[i].Weight = max(1, int32(100*v/total+0.5))
		left -= out[i].Weight
	}
	out[largest].Weight = left
	return out
}
