package apply

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// TestDefaultsAreTheAPIServers has the API server fill in what containers leave out, and wants the preflight to count the
// same.
func TestDefaultsAreTheAPIServers(t *testing.T) {
	w := newWorld(t)
	w.prepare("green")
	namespace := w.s.Stack.Namespace + "-green"
	w.make(&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "default"}})
	ranges := &corev1.LimitRange{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "defaults"}}
	ranges.Spec.Limits = []corev1.LimitRangeItem{{
		Type:           corev1.LimitTypeContainer,
		DefaultRequest: amounts("cpu", "100m"),
		Default:        amounts("memory", "256Mi"),
	}}
	w.make(ranges)
	for name, resources := range map[string]corev1.ResourceRequirements{
		"nothing is said":   {},
		"a limit":           {Limits: amounts("cpu", "2")},
		"a limit of memory": {Limits: amounts("memory", "64Mi")},
		"a request":         {Requests: amounts("cpu", "1")},
		"both":              {Requests: amounts("cpu", "1"), Limits: amounts("cpu", "2")},
		"one of each":       {Requests: amounts("memory", "32Mi"), Limits: amounts("cpu", "2")},
	} {
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "p"}}
		pod.Spec.InitContainers = []corev1.Container{{Name: "first", Image: "i", Resources: *resources.DeepCopy()}}
		pod.Spec.Containers = []corev1.Container{{Name: "c", Image: "i", Resources: *resources.DeepCopy()}}
		counted := withDefaults(pod.Spec.DeepCopy(), ranges.Spec.Limits)
		w.must(server.Client.Create(w.ctx, pod, client.DryRunAll))
		for i, c := range append(pod.Spec.InitContainers, pod.Spec.Containers...) {
			got := append(counted.InitContainers, counted.Containers...)[i]
			if diff := cmp.Diff(c.Resources, got.Resources, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("%s: what container %s has, and what is counted (-want +got):\n%s", name, c.Name, diff)
			}
		}
	}
}

func amounts(name corev1.ResourceName, quantity string) corev1.ResourceList {
	return corev1.ResourceList{name: resource.MustParse(quantity)}
}
