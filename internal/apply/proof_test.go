package apply

import (
	"context"
	"slices"
	"sync/atomic"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/internal/plan"
)

func TestProve(t *testing.T) {
	w, ref := deployed(t, frontend)
	w.s.Releases[0].Status.Started.Members = []v1alpha1.ReleaseMember{{Name: "frontend", Kind: "Deployment", Role: v1alpha1.RoleService, Services: []string{"frontend"}}}
	silent := false
	board := &switchboard{answer: func(_ context.Context, address string) error { return only(!silent, refusal(address)) }}
	w.applier.Dial = board.dial
	proven := func() bool { return w.applier.Prove(w.ctx, &w.s.Stack, &w.s.Releases[0], "green", w.seen()) }

	if proven() {
		t.Error("what was never compared is proven")
	}
	w.ok(plan.VerifyContent{Release: ref, Slot: "green", Attempt: 1})
	if !proven() {
		t.Error("what was compared, and has not changed, is not proven")
	}
	w.edit(w.get("apps/v1", "Deployment", "frontend"), `{"spec":{"replicas":7}}`)
	if !proven() {
		t.Error("a size is no difference")
	}

	silent = true
	if proven() {
		t.Error("a Service that turns callers away is proven")
	}
	silent = false

	w.edit(w.get("v1", "Service", "frontend"), `{"spec":{"selector":{"app":"other"}}}`)
	if proven() {
		t.Error("a Service that was changed is proven")
	}
	w.edit(w.get("v1", "Service", "frontend"), `{"spec":{"selector":{"app":"frontend"}}}`)
	if !proven() {
		t.Error("a Service that was put back is not proven")
	}

	other := w.s.Releases[0].DeepCopy()
	other.UID = "uid-of-another"
	if w.applier.Prove(w.ctx, &w.s.Stack, other, "green", w.seen()) || proven() {
		t.Error("another release is proven by what was compared with the former one, or the former one is remembered")
	}
}

// seen is what an observer would have read in the namespace just now.
func (w *world) seen() []client.Object {
	w.t.Helper()
	namespace := w.s.Stack.Namespace + "-green"
	deployments, services := &appsv1.DeploymentList{}, &corev1.ServiceList{}
	w.must(w.applier.Client.List(w.ctx, deployments, client.InNamespace(namespace)))
	w.must(w.applier.Client.List(w.ctx, services, client.InNamespace(namespace)))
	var all []client.Object
	for i := range deployments.Items {
		all = append(all, &deployments.Items[i])
	}
	for i := range services.Items {
		all = append(all, &services.Items[i])
	}
	return all
}

// TestProveReadsOnlyWhatHasChanged: what was seen at the version that it was compared at is not read again.
func TestProveReadsOnlyWhatHasChanged(t *testing.T) {
	w, ref := deployed(t, frontend)
	w.ok(plan.VerifyContent{Release: ref, Slot: "green", Attempt: 1})
	known := w.applier.proofs.of(&w.s.Stack, "green", &w.s.Releases[0])
	unchanged := func() (count int) {
		versions := w.applier.versionsOf(w.seen())
		for _, key := range known.all() {
			if known.isAt(key, versions[key]) {
				count++
			}
		}
		return count
	}
	if got := unchanged(); got != 2 { // the Deployment and the Service; what is of other kinds was not seen
		t.Errorf("%d objects are known by their version, want 2", got)
	}
	w.edit(w.get("v1", "Service", "frontend"), `{"metadata":{"labels":{"new":"label"}}}`)
	if got := unchanged(); got != 1 {
		t.Errorf("%d objects are known by their version after one of two was changed", got)
	}
}

// TestWhatWasAppliedIsKnown: comparing is applying once more without keeping it; what was just applied need not be compared.
func TestWhatWasAppliedIsKnown(t *testing.T) {
	w, _ := deployed(t, frontend)
	ref := w.release("shop-2", frontend2)
	w.ok(plan.ApplyBase{Release: ref, Slot: "green", Epoch: 7, Attempt: 1})
	w.ok(applyFrontend(ref, 7, 4))
	compares := w.countDryRuns()

	w.ok(plan.VerifyContent{Release: ref, Slot: "green", Attempt: 1})
	if *compares != 0 {
		t.Errorf("%d objects were compared by applying them, though they had just been applied", *compares)
	}
	w.edit(w.get("apps/v1", "Deployment", "frontend"), `{"spec":{"template":{"spec":{"containers":[{"name":"frontend","image":"example.com/other:1"}]}}}}`)
	w.refused(plan.VerifyContent{Release: ref, Slot: "green", Attempt: 1}, v1alpha1.ReasonContentDrifted)
	if *compares != 1 {
		t.Errorf("%d objects were compared, of which one was changed", *compares)
	}
}

// countDryRuns counts what the team applies without keeping it.
func (w *world) countDryRuns() *int32 {
	w.t.Helper()
	user, count := userOf(&w.s.Stack), new(int32)
	base, err := client.NewWithWatch(w.applier.acting(user), client.Options{Scheme: server.Scheme})
	w.must(err)
	w.applier.teams[user] = interceptor.NewClient(base, interceptor.Funcs{
		Apply: func(ctx context.Context, c client.WithWatch, o runtime.ApplyConfiguration, opts ...client.ApplyOption) error {
			if slices.Contains(opts, client.ApplyOption(client.DryRunAll)) {
				atomic.AddInt32(count, 1)
			}
			return c.Apply(ctx, o, opts...)
		},
	})
	return count
}
