package plan

import (
	"reflect"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

// Telling is whether two statuses differ only in what people are told of an ordinary wait, and in what the next observation
// finds out again. Nothing that is done depends on it, so that it may be saved a little later, together with what follows.
func Telling(was, is v1alpha1.StackStatus) bool {
	return !pressing(was.Conditions, is.Conditions) && reflect.DeepEqual(essence(was, was), essence(is, was))
}

// pressing is whether a reason came or went that someone has to act upon, or that other Stacks look at.
func pressing(was, is []metav1.Condition) bool {
	reasons := map[string]string{}
	for _, c := range was {
		reasons[c.Type] = c.Reason
	}
	for _, c := range is {
		before, known := reasons[c.Type]
		if before != c.Reason && (!known || !quiet(before) || !quiet(c.Reason)) {
			return true
		}
	}
	return false
}

// loud are ordinary reasons that someone waits for, or that other Stacks of a queue group look at.
var loud = []string{v1alpha1.ReasonAwaitingPromotion, v1alpha1.ReasonWaitingForTurn, v1alpha1.ReasonWaitingForSlot, v1alpha1.ReasonSuspended, v1alpha1.ReasonNothingReleased}

func quiet(reason string) bool {
	return slices.Contains(ordinary, reason) && !slices.Contains(loud, reason)
}

// essence is a status without what only tells. When new traffic stopped reaching a slot may be recorded late, which keeps the
// slot longer; that it reaches the slot again may not.
func essence(s, was v1alpha1.StackStatus) v1alpha1.StackStatus {
	s = *s.DeepCopy()
	s.Conditions = nil
	for i := range s.Units {
		u := &s.Units[i]
		u.Entries, u.Observations = nil, nil
		if u.Step != nil {
			u.Step.Reason, u.Step.WaitingFor, u.Step.WaitingSince = "", "", nil
		}
	}
	for i := range s.Slots {
		slot := &s.Slots[i]
		slot.Reason, slot.Message = "", ""
		if before := findSlot(was.Slots, slot.Name); before != nil && before.LeftAt == nil {
			slot.LeftAt = nil
		}
	}
	return s
}
