package view

import (
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

// wrongWhen lists the conditions that are a problem, with the status in which they are one. Ready is shown by itself.
var wrongWhen = []struct {
	kind   string
	status metav1.ConditionStatus
}{
	{v1alpha1.ConditionStalled, metav1.ConditionTrue},
	{v1alpha1.ConditionEntriesInForce, metav1.ConditionFalse},
	{v1alpha1.ConditionLiveAsReleased, metav1.ConditionFalse},
	{v1alpha1.ConditionAutoscaling, metav1.ConditionFalse},
}

func problemsOf(in Input, m *Model) []Problem {
	out := wrongConditions(in.Stack.Status.Conditions, m.Waiting)
	for _, look := range []func(Input) *Problem{unwatched, liveDeleted, silent} {
		if problem := look(in); problem != nil {
			out = append(out, *problem)
		}
	}
	return out
}

func wrongConditions(conditions []metav1.Condition, waiting *Waiting) []Problem {
	said := map[string]bool{}
	if waiting != nil {
		said[waiting.Message] = true
	}
	var out []Problem
	for _, w := range wrongWhen {
		c := meta.FindStatusCondition(conditions, w.kind)
		if c == nil || c.Status != w.status || c.Reason == v1alpha1.ReasonNothingReleased || said[c.Message] {
			continue
		}
		said[c.Message] = true
		out = append(out, Problem{About: c.Type, Reason: c.Reason, Message: c.Message, Since: c.LastTransitionTime})
	}
	return out
}

// unwatched is why a watched source cannot be asked.
func unwatched(in Input) *Problem {
	c := meta.FindStatusCondition(in.Stack.Status.Conditions, v1alpha1.ConditionProgressing)
	if c == nil || c.Reason != v1alpha1.ReasonWatchFailed {
		return nil
	}
	return &Problem{About: "Source", Reason: c.Reason, Message: c.Message}
}

// LiveDeleted says, where it is so, that the Release that users are on was deleted, and what mends that.
func LiveDeleted(s *v1alpha1.Stack, releases []v1alpha1.Release) string {
	unit := unitOf(s)
	if unit.LiveRelease == "" || find(releases, unit.LiveRelease) != nil {
		return ""
	}
	return fmt.Sprintf("users are on slot %s with release %s, which was deleted: what it holds is no longer on record, and it cannot be left by a rollback; release anew: kubectl lockstep release %s -n %s%s",
		unit.LiveSlot, unit.LiveRelease, s.Name, s.Namespace, chosen(s))
}

// chosen is the flag that names a version; inline objects have none.
func chosen(s *v1alpha1.Stack) string {
	if s.Spec.Source.Inline != nil {
		return ""
	}
	return " --revision <revision>"
}

func liveDeleted(in Input) *Problem {
	message := LiveDeleted(&in.Stack, in.Releases)
	if message == "" {
		return nil
	}
	return &Problem{About: "LiveRelease", Reason: "ReleaseDeleted", Message: message}
}

// answersWithin is how long the controller takes to answer a Decision, and more.
const answersWithin = 10 * time.Second

// Silent is the problem that the controller has not answered what was decided a while ago: what the status says may have
// been overtaken since. It is nil where there is none.
func Silent(decisions []v1alpha1.Decision, now time.Time) *Problem {
	waiting := undecidedOf(decisions)
	if len(waiting) == 0 || now.Sub(waiting[0].At.Time) < answersWithin {
		return nil
	}
	d := waiting[0]
	message := fmt.Sprintf("the controller has not answered since %s, when the %s of release %s was decided; what is shown is what it saw last, see kubectl lockstep doctor",
		Clock(now, d.At), strings.ToLower(string(d.Verb)), d.Release)
	return &Problem{About: "Controller", Reason: "NoAnswer", Message: message, Since: d.At}
}

func silent(in Input) *Problem { return Silent(in.Decisions, in.Now) }
