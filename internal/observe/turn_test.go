package observe

import (
	"context"
	"strings"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/internal/plan"
)

func inGroup(namespace, group string) *v1alpha1.Stack {
	stack := smallestStack()
	stack.Namespace, stack.UID = namespace, types.UID("uid-"+namespace)
	stack.Spec.Queue.Group = group
	stack.Spec.Slots = []v1alpha1.Slot{{Name: "blue", Namespace: namespace + "-blue"}, {Name: "green", Namespace: namespace + "-green"}}
	return stack
}

func madeIn(namespace, name string, at time.Time) *v1alpha1.Release {
	return &v1alpha1.Release{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, UID: types.UID("uid-" + name), CreationTimestamp: metav1.NewTime(at)},
		Spec:       v1alpha1.ReleaseSpec{Stack: "shop"},
	}
}

func heldBy(namespace, release string) *coordinationv1.Lease {
	return &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{
		Namespace: controllerNamespace, Name: plan.TurnName("production"),
		Labels: map[string]string{
			v1alpha1.LabelQueueGroup: "production", v1alpha1.LabelStackNamespace: namespace, v1alpha1.LabelStack: "shop", v1alpha1.LabelRelease: release,
		},
		Annotations: map[string]string{v1alpha1.AnnotationReleaseUID: "uid-" + release, v1alpha1.AnnotationEpoch: "7"},
	}}
}

func TestTurn(t *testing.T) {
	ours, theirs := func() *v1alpha1.Stack { return inGroup("home", "production") }, func() *v1alpha1.Stack { return inGroup("other", "production") }
	ended := madeIn("other", "r1", monday)
	ended.Status.Ended = &v1alpha1.ReleaseEnded{Outcome: v1alpha1.OutcomeLive}
	busy := theirs()
	busy.Status.Units = []v1alpha1.UnitStatus{{Name: "all", ActiveRelease: "r1"}}
	anew := madeIn("other", "r1", monday)
	anew.UID = "uid-another"
	waiting := theirs()
	waiting.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionProgressing, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonWaitingForTurn}}
	suspended := waiting.DeepCopy()
	suspended.Spec.Suspend = true

	for name, test := range map[string]struct {
		objects []client.Object
		want    plan.Turn
	}{
		"nobody ever had it":             {[]client.Object{ours()}, plan.Turn{}},
		"it is ours":                     {[]client.Object{ours(), heldBy("home", "r9")}, plan.Turn{Mine: true, Release: "uid-r9", Epoch: 7}},
		"another Stack has it":           {[]client.Object{ours(), theirs(), madeIn("other", "r1", monday), heldBy("other", "r1")}, plan.Turn{Holder: "release r1 of Stack other/shop"}},
		"its holder's release has ended": {[]client.Object{ours(), theirs(), ended, heldBy("other", "r1")}, plan.Turn{}},
		"has ended, and is active yet":   {[]client.Object{ours(), busy, ended, heldBy("other", "r1")}, plan.Turn{Holder: "release r1 of Stack other/shop"}},
		"its holder's release is gone":   {[]client.Object{ours(), theirs(), heldBy("other", "r1")}, plan.Turn{}},
		"was made anew":                  {[]client.Object{ours(), theirs(), anew, heldBy("other", "r1")}, plan.Turn{}},
		"its holder is gone":             {[]client.Object{ours(), madeIn("other", "r1", monday), heldBy("other", "r1")}, plan.Turn{}},
		"its holder has left the group":  {[]client.Object{ours(), inGroup("other", "staging"), madeIn("other", "r1", monday), heldBy("other", "r1")}, plan.Turn{}},
		"another one waits longer": {
			[]client.Object{ours(), waiting, madeIn("home", "r2", monday.Add(time.Minute)), madeIn("other", "r1", monday)},
			plan.Turn{Ahead: "release r1 of Stack other/shop"},
		},
		"another one has waited less": {[]client.Object{ours(), waiting, madeIn("home", "r2", monday), madeIn("other", "r1", monday.Add(time.Minute))}, plan.Turn{}},
		"one that is suspended":       {[]client.Object{ours(), suspended, madeIn("home", "r2", monday.Add(time.Minute)), madeIn("other", "r1", monday)}, plan.Turn{}},
	} {
		t.Run(name, func(t *testing.T) {
			got := observe(t, cluster(t, interceptor.Funcs{}, test.objects...)).Turn
			test.want.Group, test.want.ResourceVersion = "production", got.ResourceVersion
			if *got != test.want {
				t.Errorf("got %+v, want %+v", *got, test.want)
			}
		})
	}
}

// TestTurnOfTerminating is about a Stack that is being deleted and kept by someone's finalizer: nothing is planned for it.
func TestTurnOfTerminating(t *testing.T) {
	going := inGroup("other", "production")
	now := metav1.NewTime(monday)
	going.DeletionTimestamp, going.Finalizers = &now, []string{"example.com/keep"}
	waiting := going.DeepCopy()
	waiting.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionProgressing, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonWaitingForTurn}}
	for name, objects := range map[string][]client.Object{
		"it has the turn":     {inGroup("home", "production"), going, madeIn("other", "r1", monday), heldBy("other", "r1")},
		"it waits for longer": {inGroup("home", "production"), waiting, madeIn("home", "r2", monday.Add(time.Minute)), madeIn("other", "r1", monday)},
	} {
		t.Run(name, func(t *testing.T) {
			if got := observe(t, cluster(t, interceptor.Funcs{}, objects...)).Turn; got.Holder != "" || got.Ahead != "" {
				t.Errorf("it is waited for: %+v", got)
			}
		})
	}
}

func TestTurnThatMayNotBeRead(t *testing.T) {
	forbid := interceptor.Funcs{Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, obj client.Object, opts ...client.GetOption) error {
		if _, lease := obj.(*coordinationv1.Lease); lease {
			return apierrors.NewForbidden(schema.GroupResource{Resource: "leases"}, key.Name, nil)
		}
		return c.Get(ctx, key, obj, opts...)
	}}
	got := observe(t, cluster(t, forbid, inGroup("home", "production"))).Turn
	if got == nil || got.Problem == nil || !strings.Contains(got.Problem.Message, "queue group production") {
		t.Errorf("got %+v", got)
	}
}
