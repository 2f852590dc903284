package observe

import (
	"context"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

// looker counts how often it was asked.
type looker struct{ asked []string }

func (l *looker) Prove(_ context.Context, _ *v1alpha1.Stack, release *v1alpha1.Release, slot string, _ []client.Object) bool {
	l.asked = append(l.asked, release.Name+" in "+slot)
	return true
}

func TestASlotIsProvenWhenUsersMayBeSentThere(t *testing.T) {
	active := startedRelease()
	active.Name, active.UID = "r2", "uid-r2"
	promote := &v1alpha1.Decision{
		ObjectMeta: metav1.ObjectMeta{Namespace: "home", Name: "d"},
		Spec:       v1alpha1.DecisionSpec{Release: "r2", Verb: v1alpha1.VerbPromote},
	}
	abort := promote.DeepCopy()
	abort.Spec.Verb = v1alpha1.VerbAbort
	for name, test := range map[string]struct {
		step     v1alpha1.StepKind
		route    string
		decision *v1alpha1.Decision
		steps    []v1alpha1.Step
		want     bool
	}{
		"at the hold":               {step: v1alpha1.StepHold},
		"at the hold, promoted":     {step: v1alpha1.StepHold, decision: promote, want: true},
		"at the hold, aborted":      {step: v1alpha1.StepHold, decision: abort},
		"while members deploy":      {step: v1alpha1.StepDeploy, decision: promote},
		"while the last get ready":  {step: v1alpha1.StepCheck, steps: []v1alpha1.Step{{Kind: v1alpha1.StepCheck}, {Kind: v1alpha1.StepSwitch}}, want: true},
		"before the hold":           {step: v1alpha1.StepCheck, steps: []v1alpha1.Step{{Kind: v1alpha1.StepCheck}, {Kind: v1alpha1.StepHold}, {Kind: v1alpha1.StepSwitch}}},
		"before the switch":         {step: v1alpha1.StepSwitch, want: true},
		"while the switch goes on":  {step: v1alpha1.StepSwitch, route: "green"},
		"while it is being aborted": {step: v1alpha1.StepAbort, decision: promote},
	} {
		t.Run(name, func(t *testing.T) {
			stack := smallestStack()
			stack.Status.Units = []v1alpha1.UnitStatus{{
				Name: "all", ActiveRelease: "r2", ActiveSlot: "green", Step: &v1alpha1.StepStatus{Kind: test.step, Attempt: 1},
				Route: &v1alpha1.RouteIntent{Live: test.route},
			}}
			release := active.DeepCopy()
			release.Status.Started.Steps = test.steps
			objects := []client.Object{stack, release}
			if test.decision != nil {
				objects = append(objects, test.decision.DeepCopy())
			}
			l, d := &looker{}, &drifter{}
			s, err := New(Options{Live: cluster(t, interceptor.Funcs{}, objects...), ControllerNamespace: controllerNamespace, Proof: l, Drift: d}).Observe(t.Context(), shop)
			if err != nil {
				t.Fatal(err)
			}
			if got := len(l.asked) == 1 && l.asked[0] == "r2 in green"; got != test.want {
				t.Errorf("asked for %v", l.asked)
			}
			if compared := test.step == v1alpha1.StepCheck && test.want; (d.asked == 1) != compared {
				t.Errorf("compared %v", d.asked)
			}
			if got := s.Slots[1].Proven == "uid-r2"; got != test.want || s.Slots[0].Proven != "" {
				t.Errorf("proven: %q, %q", s.Slots[0].Proven, s.Slots[1].Proven)
			}
		})
	}
}
