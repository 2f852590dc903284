package apply

import (
	"context"
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/config"
	"github.com/lockstep-dev/lockstep/internal/plan"
)

// hungry are two members that only run on nodes of the room.
func hungry(room string) string {
	const member = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: %s}
spec:
  selector: {matchLabels: {app: %[1]s}}
  template:
    metadata: {labels: {app: %[1]s}}
    spec: {nodeSelector: {room: %s}, containers: [{name: c, image: i, resources: {requests: {cpu: 500m, memory: 100Mi}}}]}
`
	return fmt.Sprintf(member+"---"+member, "one", room, "two", room)
}

func sizes(preview, live int32) []plan.Size {
	return []plan.Size{
		{Kind: "Deployment", Name: "one", Preview: preview, Live: live},
		{Kind: "Deployment", Name: "two", Preview: preview, Live: live},
	}
}

// node of the Stack's room has two cpus, and a Pod on it that takes half of one.
func (w *world) node(name string, change func(*corev1.Node)) {
	w.t.Helper()
	n := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: w.s.Stack.Namespace + "-" + name, Labels: map[string]string{"room": w.s.Stack.Namespace}}}
	if change != nil {
		change(n)
	}
	ready, taints := n.Status.Conditions == nil, n.Spec.Taints
	w.make(n)
	n.Spec.Taints = taints // the API server adds that it is not ready
	w.must(server.Client.Update(w.ctx, n))
	n.Status.Allocatable = corev1.ResourceList{"cpu": resource.MustParse("2"), "memory": resource.MustParse("1Gi"), "pods": resource.MustParse("10")}
	n.Status.Capacity = n.Status.Allocatable
	n.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}
	if !ready {
		n.Status.Conditions[0].Status = corev1.ConditionFalse
	}
	w.must(server.Client.Status().Update(w.ctx, n))
	w.t.Cleanup(func() { w.must(server.Client.Delete(context.Background(), n)) })
}

func (w *world) pod(namespace, name, node string, labels map[string]string) {
	w.t.Helper()
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: labels}}
	pod.Spec.NodeName = node
	pod.Spec.Containers = []corev1.Container{{Name: "c", Image: "i", Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{"cpu": resource.MustParse("500m")}}}}
	server.Client.Create(w.ctx, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "default"}}) //nolint:errcheck // it may be there
	w.make(pod)
}

func TestCapacity(t *testing.T) {
	for name, test := range map[string]struct {
		preview, live int32
		capacity      v1alpha1.Capacity
		set           func(w *world)
		reason        string
		want          []string
	}{
		"room enough": {preview: 1, live: 1},
		"short with users": {
			preview: 1, live: 2, reason: v1alpha1.ReasonCapacityShort,
			want: []string{"with users the release needs 2 of cpu", "1 nodes have 1500m free", "goes on"},
		},
		"short for the preview": {
			preview: 2, live: 2, reason: v1alpha1.ReasonCapacityShort, want: []string{"for its preview the release needs 2 of cpu"},
		},
		"short, and required": {
			preview: 2, live: 2, capacity: v1alpha1.CapacityRequire, reason: v1alpha1.ReasonCapacityShort,
			want: []string{"needs 2 of cpu", "1500m free", "take spec.strategy.blueGreen.capacity: Require away"},
		},
		"more nodes": {preview: 2, live: 2, set: func(w *world) { w.node("b", nil) }},
		"more nodes that take no Pods": {
			preview: 2, live: 2, reason: v1alpha1.ReasonCapacityShort, want: []string{"1 nodes have 1500m free"},
			set: func(w *world) {
				w.node("cordoned", func(n *corev1.Node) { n.Spec.Unschedulable = true })
				w.node("tainted", func(n *corev1.Node) {
					n.Spec.Taints = []corev1.Taint{{Key: "only", Value: "others", Effect: corev1.TaintEffectNoSchedule}}
				})
				w.node("down", func(n *corev1.Node) { n.Status.Conditions = []corev1.NodeCondition{{}} })
				w.node("elsewhere", func(n *corev1.Node) { n.Labels["room"] = "another" })
			},
		},
		"what the slot has already takes no more room": {
			preview: 1, live: 1,
			set: func(w *world) {
				slot := w.s.Stack.Namespace + "-green"
				labels := map[string]string{v1alpha1.LabelStack: "shop", v1alpha1.LabelStackNamespace: w.s.Stack.Namespace}
				for _, pod := range []string{"one", "two"} {
					w.pod(slot, pod, w.s.Stack.Namespace+"-a", labels)
				}
			},
		},
		"quota with users": {
			preview: 1, live: 1, reason: "", set: func(w *world) { w.quota("2") },
		},
		"quota too small with users": {
			preview: 1, live: 2, reason: v1alpha1.ReasonCapacityShort, set: func(w *world) { w.quota("1500m"); w.node("b", nil) },
			want: []string{"ResourceQuota", "with users the release's members together need 2", "1500m is free"},
		},
		"quota too small for the preview": {
			preview: 2, live: 2, reason: v1alpha1.ReasonQuotaExceeded, set: func(w *world) { w.quota("1500m"); w.node("b", nil) },
			want: []string{"ResourceQuota", "for its preview the release's members together need 2", "1500m is free"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.prepare("green")
			w.s.Stack.Spec.Strategy.BlueGreen.Capacity = test.capacity
			w.node("a", nil)
			w.pod(w.s.Stack.Namespace, "other", w.s.Stack.Namespace+"-a", nil)
			if test.set != nil {
				test.set(w)
			}
			ref := w.release("shop-1", hungry(w.s.Stack.Namespace))
			act := plan.Preflight{Release: ref, Slot: "green", Attempt: 1, Sizes: sizes(test.preview, test.live)}
			if blocks := test.capacity == v1alpha1.CapacityRequire || test.reason == v1alpha1.ReasonQuotaExceeded; blocks {
				contains(t, w.refused(act, test.reason), test.want...)
				return
			}
			w.wantSeen(act, test.reason, test.want...)
		})
	}
}

func (w *world) wantSeen(act plan.Preflight, reason string, want ...string) {
	w.t.Helper()
	result, err := w.applier.Do(w.ctx, w.s, act)
	w.must(err)
	if len(result) != 1 || !result[0].OK || result[0].Reason != reason {
		w.t.Fatalf("got %+v, want %q and to go on", result, reason)
	}
	contains(w.t, result[0].Message, want...)
}

func (w *world) quota(cpu string) {
	w.t.Helper()
	quota := &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Namespace: w.s.Stack.Namespace + "-green", Name: "small"}}
	quota.Spec.Hard = corev1.ResourceList{"requests.cpu": resource.MustParse(cpu)}
	w.make(quota)
}

// TestCapacityWithoutTheRight is an install in some namespaces only.
func TestCapacityWithoutTheRight(t *testing.T) {
	w := newWorld(t)
	w.prepare("green")
	ref := w.release("shop-1", hungry(w.s.Stack.Namespace))
	role := &rbacv1.ClusterRole{}
	w.must(server.Client.Get(w.ctx, client.ObjectKey{Name: config.Controller}, role))
	full := role.DeepCopy()
	for i := range role.Rules {
		if strings.Join(role.Rules[i].Resources, "") == "nodes" {
			role.Rules[i].Resources = []string{"nothing"}
		}
	}
	w.must(server.Client.Update(w.ctx, role))
	t.Cleanup(func() {
		full.ResourceVersion = ""
		if err := server.Client.Update(context.Background(), full); err != nil {
			t.Error(err)
		}
	})
	act := plan.Preflight{Release: ref, Slot: "green", Attempt: 1, Sizes: sizes(1, 1)}
	for range 100 { // the authorizer takes a moment
		if result, err := w.applier.Do(w.ctx, w.s, act); err != nil || result[0].Reason == v1alpha1.ReasonCapacityUnknown {
			break
		}
	}
	w.wantSeen(act, v1alpha1.ReasonCapacityUnknown, "may not list nodes")
}
