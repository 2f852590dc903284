package controller

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/config"
	"github.com/lockstep-dev/lockstep/internal/observe"
	"github.com/lockstep-dev/lockstep/internal/plan"
)

// Everything is read with the rights that ship, of a Stack with both kinds of routes, a slot that is there and a Release
// whose content is not.
func TestTheShippedRightsAreEnoughToObserve(t *testing.T) {
	server := realServer(t)
	live, err := client.New(asController(server), client.Options{Scheme: server.Scheme})
	mustDo(t, err)
	manifests, err := config.Policy()
	mustDo(t, err)
	policy, err := observe.ShippedPolicy(manifests)
	mustDo(t, err)
	key := types.NamespacedName{Namespace: fresh("rights"), Name: "shop"}
	ours := map[string]string{v1alpha1.LabelStack: "shop", v1alpha1.LabelStackNamespace: key.Namespace}
	ctx := context.Background()
	mustDo(t, server.Client.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: key.Namespace}}))
	mustDo(t, server.Client.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: key.Namespace + "-blue", Labels: ours}}))
	mustDo(t, server.Client.Create(ctx, adoptingStack(key)))
	mustDo(t, server.Client.Create(ctx, frozenRelease(key)))
	release := frozenRelease(key)
	mustDo(t, server.Client.Get(ctx, client.ObjectKeyFromObject(release), release))
	release.Status = frozenRelease(key).Status
	mustDo(t, server.Client.Status().Update(ctx, release))

	observer := observe.New(observe.Options{Live: live, ControllerNamespace: config.Namespace, Policy: policy})
	adopted, err := observer.Observe(ctx, key)
	mustDo(t, err)
	mustDo(t, server.Client.Patch(ctx, adoptingStack(key), client.RawPatch(types.MergePatchType, []byte(
		`{"spec":{"entries":[{"name":"web","httpRoute":{"parentRefs":[{"name":"public"}]},"backend":{"service":"web","port":80}}]}}`))))
	made, err := observer.Observe(ctx, key)
	mustDo(t, err)

	got := []string{adopted.Entries[0].Problem.Reason, made.Entries[0].Problem.Reason}
	if diff := cmp.Diff([]string{v1alpha1.ReasonEntryMissing, v1alpha1.ReasonGatewayMissing}, got); diff != "" {
		t.Errorf("the entries' problems (-want +got):\n%s", diff)
	}
	want := []plan.Slot{
		{Name: "blue", Namespace: key.Namespace + "-blue", Exists: true, Consented: true},
		{Name: "green", Namespace: key.Namespace + "-green", Creatable: true},
	}
	if diff := cmp.Diff(want, made.Slots); diff != "" {
		t.Errorf("slots (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]bool{"r1": false}, made.Content); diff != "" {
		t.Errorf("content (-want +got):\n%s", diff)
	}
}

func frozenRelease(stack types.NamespacedName) *v1alpha1.Release {
	return &v1alpha1.Release{
		ObjectMeta: metav1.ObjectMeta{Namespace: stack.Namespace, Name: "r1"},
		Spec:       v1alpha1.ReleaseSpec{Stack: stack.Name},
		Status: v1alpha1.ReleaseStatus{Started: &v1alpha1.ReleaseStarted{
			At: metav1.NewTime(monday), Digest: "d", StepsSchema: v1alpha1.StepsSchema,
			Steps: []v1alpha1.Step{{Kind: v1alpha1.StepRender}}, Members: []v1alpha1.ReleaseMember{},
			Content: []v1alpha1.SlotContent{{Slot: "blue", Digest: "d", Secrets: []string{"c1"}}},
		}},
	}
}
