package apply

import (
	"context"
	"strings"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/internal/plan"
)

// several has users come in through an HTTPRoute and a Service.
func several(t *testing.T) *world {
	w := routed(t)
	w.s.Stack.Spec.Entries = append(w.s.Stack.Spec.Entries, v1alpha1.Entry{
		Name: "internal", Service: &v1alpha1.ServiceEntry{Name: "storefront"}, RequireEvidence: v1alpha1.EvidenceWritten,
		Backend: v1alpha1.Backend{Service: "frontend", Port: 80},
	})
	for _, name := range []string{"web", "internal"} {
		w.ok(plan.WriteEntry{Entry: name, Intent: v1alpha1.RouteIntent{Epoch: 1, Live: "blue"}})
	}
	return w
}

var there = plan.TryEntries{Attempt: 1, There: v1alpha1.RouteIntent{Epoch: 2, Live: "green"}, Back: v1alpha1.RouteIntent{Epoch: 3, Live: "blue"}}

// versions are the resourceVersions of both entries.
func (w *world) versions() string {
	w.t.Helper()
	var all []string
	for _, name := range []string{"web", "internal"} {
		r, err := w.applier.openRoute(w.ctx, w.s, name)
		w.must(err)
		all = append(all, r.live.GetResourceVersion())
	}
	return strings.Join(all, " ")
}

func TestServiceEntryIsMadeAndMoved(t *testing.T) {
	w := several(t)
	r, err := w.applier.openRoute(w.ctx, w.s, "internal")
	w.must(err)
	w.ok(plan.WriteEntry{Entry: "internal", ResourceVersion: r.live.GetResourceVersion(), Intent: v1alpha1.RouteIntent{Epoch: 2, Live: "green"}})
	r, err = w.applier.openRoute(w.ctx, w.s, "internal")
	w.must(err)
	if got, want := field(r.live, "spec", "externalName"), "frontend."+w.s.Stack.Namespace+"-green.svc.cluster.local"; got != want {
		t.Errorf("callers are sent to %v, want %v", got, want)
	}
}

func TestTryingEntriesChangesNothing(t *testing.T) {
	w := several(t)
	before := w.versions()
	w.ok(there)
	if after := w.versions(); after != before {
		t.Errorf("resourceVersions were %s and are %s", before, after)
	}
}

func TestOneEntryOfTwoIsRefusedByAdmission(t *testing.T) {
	w := several(t)
	before := w.versions()
	w.forbid(w.s.Stack.Namespace)
	message := w.refused(there, v1alpha1.ReasonEntryRefused)
	contains(t, message, "no entry is written", "entry internal", "taking back by dry-run", "nobody goes back to blue")
	if strings.Contains(message, "entry web") {
		t.Errorf("the entry that is not refused is named: %s", message)
	}
	if after := w.versions(); after != before {
		t.Errorf("resourceVersions were %s and are %s", before, after)
	}
}

// forbid has admission refuse, not that users go to green, but that they come back: the inverse is tried too.
func (w *world) forbid(namespace string) {
	w.t.Helper()
	name := namespace + "-no-way-back"
	policy := &admissionv1.ValidatingAdmissionPolicy{ObjectMeta: metav1.ObjectMeta{Name: name}}
	policy.Spec.MatchConstraints = &admissionv1.MatchResources{
		NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"kubernetes.io/metadata.name": namespace}},
		ResourceRules: []admissionv1.NamedRuleWithOperations{{RuleWithOperations: admissionv1.RuleWithOperations{
			Operations: []admissionv1.OperationType{admissionv1.Update},
			Rule:       admissionv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"services"}},
		}}},
	}
	policy.Spec.Validations = []admissionv1.Validation{{
		Expression: `!(object.spec.externalName.contains("-blue.") && object.metadata.annotations["lockstep.dev/epoch"] == "3")`,
		Message:    "nobody goes back to blue",
	}}
	w.make(policy)
	w.make(&admissionv1.ValidatingAdmissionPolicyBinding{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec:       admissionv1.ValidatingAdmissionPolicyBindingSpec{PolicyName: name, ValidationActions: []admissionv1.ValidationAction{admissionv1.Deny}},
	})
	w.must(wait.PollUntilContextTimeout(w.ctx, 50*time.Millisecond, 20*time.Second, true, func(ctx context.Context) (bool, error) {
		found, err := w.applier.Do(ctx, w.s, there)
		return err == nil && len(found) == 1 && !found[0].OK, err
	}))
}
