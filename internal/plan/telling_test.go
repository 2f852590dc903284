package plan

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

func TestTelling(t *testing.T) {
	at := metav1.NewTime(time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC))
	status := func() v1alpha1.StackStatus {
		return v1alpha1.StackStatus{
			Conditions: []metav1.Condition{{Type: v1alpha1.ConditionProgressing, Reason: v1alpha1.ReasonMemberNotReady, Message: "1 of 2"}},
			Slots:      []v1alpha1.SlotStatus{{Name: "blue", State: v1alpha1.SlotLive}, {Name: "green", State: v1alpha1.SlotWarm, LeftAt: &at}},
			Units: []v1alpha1.UnitStatus{{
				Name: UnitAll, Epoch: 3, Route: &v1alpha1.RouteIntent{Epoch: 3, Live: "blue"},
				Step: &v1alpha1.StepStatus{Kind: v1alpha1.StepCheck, Attempt: 1, Since: at, Reason: v1alpha1.ReasonMemberNotReady},
			}},
		}
	}
	reason := func(to string) func(*v1alpha1.StackStatus) {
		return func(s *v1alpha1.StackStatus) { s.Conditions[0].Reason = to }
	}
	for name, test := range map[string]struct {
		change func(*v1alpha1.StackStatus)
		want   bool
	}{
		"nothing":                      {func(*v1alpha1.StackStatus) {}, true},
		"another message":              {func(s *v1alpha1.StackStatus) { s.Conditions[0].Message = "2 of 2" }, true},
		"an ordinary wait for another": {reason(v1alpha1.ReasonNoEndpoints), true},
		"what the step waits for":      {func(s *v1alpha1.StackStatus) { s.Units[0].Step.WaitingFor = "a Pod" }, true},
		"what an entry was seen to do": {func(s *v1alpha1.StackStatus) {
			s.Units[0].Entries = []v1alpha1.EntryStatus{{Name: "web", ObservedEpoch: 3}}
		}, true},
		"a result":                {func(s *v1alpha1.StackStatus) { s.Units[0].Observations = []v1alpha1.Observation{{Key: "base"}} }, true},
		"a slot is left":          {func(s *v1alpha1.StackStatus) { s.Slots[0].LeftAt = &at }, true},
		"a slot is used again":    {func(s *v1alpha1.StackStatus) { s.Slots[1].LeftAt = nil }, false},
		"something is wrong":      {reason(v1alpha1.ReasonEntryEdited), false},
		"someone has to promote":  {reason(v1alpha1.ReasonAwaitingPromotion), false},
		"others wait for it":      {reason(v1alpha1.ReasonWaitingForTurn), false},
		"another step":            {func(s *v1alpha1.StackStatus) { s.Units[0].Step.Kind = v1alpha1.StepHold }, false},
		"another attempt":         {func(s *v1alpha1.StackStatus) { s.Units[0].Step.Attempt = 2 }, false},
		"a new intent":            {func(s *v1alpha1.StackStatus) { s.Units[0].Route.Live = "green" }, false},
		"a slot in another state": {func(s *v1alpha1.StackStatus) { s.Slots[1].State = v1alpha1.SlotDraining }, false},
		"an epoch":                {func(s *v1alpha1.StackStatus) { s.Slots[1].Epoch = 4 }, false},
		"a decision": {func(s *v1alpha1.StackStatus) {
			s.Units[0].Decisions = []v1alpha1.DecisionRecord{{Name: "d"}}
		}, false},
		"a condition that is new": {func(s *v1alpha1.StackStatus) {
			s.Conditions = append(s.Conditions, metav1.Condition{Type: v1alpha1.ConditionReady, Reason: v1alpha1.ReasonLive})
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			is := status()
			test.change(&is)
			if got := Telling(status(), is); got != test.want {
				t.Errorf("got %t", got)
			}
		})
	}
	wrong, right := status(), status()
	wrong.Conditions[0].Reason = v1alpha1.ReasonEntryEdited
	if Telling(wrong, right) {
		t.Error("that something was put right may be said late")
	}
}
