package view

import (
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

// Past is a release in the history of a Stack.
type Past struct {
	Release
	// State is how it ended, or what it is doing: Active, Queued.
	State string `json:"state"`
	// Slot that it is in, or was deployed to.
	Slot string `json:"slot,omitempty"`
	// When it came to this state.
	When metav1.Time `json:"when,omitzero"`
	// By is who promoted it, as far as Decisions are still there to tell.
	By string `json:"promotedBy,omitempty"`
	// Age of When, in words.
	Age string `json:"-"`
}

// History lists the releases of a Stack, the newest first.
func History(in Input) []Past {
	unit := unitOf(&in.Stack)
	out := make([]Past, 0, len(in.Releases))
	for _, r := range newestFirst(in.Releases) {
		p := Past{Release: releaseOf(&r), By: promoter(in.Decisions, &r)}
		p.State, p.When = stateInHistory(p.Release, unit)
		p.Slot = SlotOf(&in.Stack, &r)
		p.Age = Age(in.Now, p.When)
		out = append(out, p)
	}
	return out
}

// Version says which version a past release is, in a few words.
func (p Past) Version() string { return revisionOf(p.Release) }

func stateInHistory(r Release, unit v1alpha1.UnitStatus) (string, metav1.Time) {
	switch {
	case r.Ended != nil:
		return string(r.Outcome), *r.Ended
	case r.Name == unit.ActiveRelease && unit.Step != nil:
		return "Active: " + string(unit.Step.Kind), unit.Step.Since
	case r.Name == unit.ActiveRelease:
		return "Active", r.Created
	}
	return "Queued", r.Created
}

// SlotOf is the slot that a release is in, or was deployed to; empty where that is not known.
func SlotOf(s *v1alpha1.Stack, r *v1alpha1.Release) string {
	unit := unitOf(s)
	switch {
	case r.Status.Ended != nil && r.Status.Ended.Slot != "":
		return r.Status.Ended.Slot
	case r.Name == unit.ActiveRelease:
		return unit.ActiveSlot
	}
	i := slices.IndexFunc(s.Status.Slots, func(st v1alpha1.SlotStatus) bool { return st.Release == r.Name })
	if i < 0 {
		return ""
	}
	return s.Status.Slots[i].Name
}

func promoter(decisions []v1alpha1.Decision, r *v1alpha1.Release) string {
	for _, d := range decisions {
		if d.Spec.Verb == v1alpha1.VerbPromote && d.Spec.ReleaseUID == string(r.UID) && d.Status.Result == v1alpha1.DecisionAccepted {
			return d.Spec.By
		}
	}
	return ""
}
