package apply

import (
	"slices"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/internal/plan"
)

// scaled is the frontend with an autoscaler of these bounds, and a budget for disruptions.
func scaled(bounds string) string {
	return frontend + `---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: web}
spec: {scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: frontend}, ` + bounds + `}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: web}
spec: {minAvailable: 2, selector: {matchLabels: {app: frontend}}}
`
}

func autoscaled(t *testing.T) (*world, plan.ReleaseRef) {
	t.Helper()
	w := newWorld(t)
	w.prepare("green")
	ref := w.release("shop-1", scaled("minReplicas: 3, maxReplicas: 6"))
	w.ok(plan.ApplyBase{Release: ref, Slot: "green", Epoch: 5, Attempt: 1, Minimums: []plan.Minimum{{Name: "web", Replicas: 1, Held: true}}})
	w.ok(applyFrontend(ref, 5, 1))
	return w, ref
}

func (w *world) autoscaler() *unstructured.Unstructured {
	w.t.Helper()
	return w.get("autoscaling/v2", "HorizontalPodAutoscaler", "web")
}

// wantMinimum checks the minimum, its epoch, and whether Lockstep holds it.
func (w *world) wantMinimum(minimum, epoch int64, held bool) {
	w.t.Helper()
	live := w.autoscaler()
	_, isHeld := live.GetAnnotations()[v1alpha1.AnnotationMinimumHeld]
	if got := field(live, "spec", "minReplicas"); got != minimum || epochOf(live) != epoch || isHeld != held {
		w.t.Errorf("the minimum is %v at epoch %d, held: %v; want %d at %d, held: %v", got, epochOf(live), isHeld, minimum, epoch, held)
	}
}

func ownersOf(t *testing.T, o *unstructured.Unstructured, path ...any) []string {
	t.Helper()
	var managers []string
	for _, e := range o.GetManagedFields() {
		set, err := fieldsOf(e)
		if err != nil {
			t.Fatal(err)
		}
		if set.Has(fieldpath.MakePathOrDie(path...)) {
			managers = append(managers, e.Manager)
		}
	}
	return managers
}

func TestMinimumHasAManagerOfItsOwn(t *testing.T) {
	w, ref := autoscaled(t)
	w.wantMinimum(1, 5, true)
	live := w.autoscaler()
	if got := ownersOf(t, live, "spec", "minReplicas"); !slices.Equal(got, []string{v1alpha1.ManagerScale}) {
		t.Errorf("minReplicas belongs to %v", got)
	}
	if got := ownersOf(t, live, "spec", "maxReplicas"); !slices.Equal(got, []string{v1alpha1.ManagerContent}) {
		t.Errorf("maxReplicas belongs to %v", got)
	}
	w.ok(plan.ScaleMinimum{Slot: "green", Epoch: 5, Name: "web", Minimum: 4, Held: true})
	// The late write of who prepared the preview: the minimum is written once for each epoch.
	w.ok(plan.ApplyBase{Release: ref, Slot: "green", Epoch: 5, Attempt: 1, Minimums: []plan.Minimum{{Name: "web", Replicas: 1, Held: true}}})
	w.wantMinimum(4, 5, true)
	w.ok(plan.ScaleMinimum{Slot: "green", Epoch: 4, Name: "web", Minimum: 2})
	w.wantMinimum(4, 5, true)
	w.ok(plan.VerifyContent{Release: ref, Slot: "green", Attempt: 1})
	w.ok(plan.ScaleMinimum{Slot: "green", Epoch: 6, Name: "web", Minimum: 3})
	w.wantMinimum(3, 6, false)
	w.edit(w.autoscaler(), `{"spec":{"minReplicas":5}}`)
	w.ok(plan.VerifyContent{Release: ref, Slot: "green", Attempt: 1})
	w.edit(w.autoscaler(), `{"spec":{"maxReplicas":9}}`)
	contains(t, w.refused(plan.VerifyContent{Release: ref, Slot: "green", Attempt: 1}, v1alpha1.ReasonContentDrifted),
		"HorizontalPodAutoscaler", "spec.maxReplicas", "kubectl-edit")
	w.ok(plan.ScaleMinimum{Slot: "green", Epoch: 7, Name: "nowhere", Minimum: 3})
}

func TestMinimumOfTheNextRelease(t *testing.T) {
	for name, test := range map[string]struct {
		bounds   string
		minimums []plan.Minimum
		want     int64
		held     bool
	}{
		"as rendered":           {bounds: "minReplicas: 2, maxReplicas: 6", want: 2},
		"none rendered":         {bounds: "maxReplicas: 6", want: 1},
		"small for the preview": {bounds: "minReplicas: 2, maxReplicas: 6", minimums: []plan.Minimum{{Name: "web", Replicas: 1, Held: true}}, want: 1, held: true},
		"over the former bound": {bounds: "minReplicas: 8, maxReplicas: 9", minimums: []plan.Minimum{{Name: "web", Replicas: 8}}, want: 8},
		"bound under the former minimum": {
			bounds: "minReplicas: 2, maxReplicas: 3", minimums: []plan.Minimum{{Name: "web", Replicas: 2}}, want: 2,
		},
	} {
		t.Run(name, func(t *testing.T) {
			w, _ := autoscaled(t)
			w.ok(plan.ScaleMinimum{Slot: "green", Epoch: 6, Name: "web", Minimum: 5, Held: true})
			next := w.release("shop-2", scaled(test.bounds))
			w.ok(plan.Preflight{Release: next, Slot: "green", Attempt: 1})
			w.ok(plan.ApplyBase{Release: next, Slot: "green", Epoch: 9, Attempt: 1, Minimums: test.minimums})
			w.wantMinimum(test.want, 9, test.held)
		})
	}
}

func TestAutoscalersAndBudgetsComeAndGoWithTheContent(t *testing.T) {
	w, _ := autoscaled(t)
	budget := w.get("policy/v1", "PodDisruptionBudget", "web")
	if got := field(budget, "spec", "minAvailable"); got != int64(2) {
		t.Errorf("minAvailable = %v, want 2", got)
	}
	w.ok(plan.Scale{Slot: "green", Epoch: 6, Kind: "Deployment", Name: "frontend", Replicas: new(int32)})
	w.get("policy/v1", "PodDisruptionBudget", "web")
	same := w.release("shop-2", scaled("maxReplicas: 2"))
	w.ok(plan.ApplyBase{Release: same, Slot: "green", Epoch: 7, Attempt: 1})
	if kept := w.get("policy/v1", "PodDisruptionBudget", "web"); kept.GetUID() != budget.GetUID() {
		t.Error("the budget was made again")
	}
	without := w.release("shop-3", frontend)
	w.ok(plan.ApplyBase{Release: without, Slot: "green", Epoch: 8, Attempt: 1})
	for apiVersion, kind := range map[string]string{"policy/v1": "PodDisruptionBudget", "autoscaling/v2": "HorizontalPodAutoscaler"} {
		if w.find(apiVersion, kind, "web") != nil {
			t.Errorf("%s web is still there", kind)
		}
	}
}
