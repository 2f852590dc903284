package apply

import (
	"context"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/internal/plan"
)

// checkQuotas adds up what the Pods of the content will ask for. The API server checks a quota when a Pod is created,
// and a Deployment that can create none looks like one that is slow.
func (w *slotWork) checkQuotas(ctx context.Context, sizes []plan.Size, at sizeOf, found *problems) error {
	var quotas corev1.ResourceQuotaList
	if err := w.team.List(ctx, &quotas, client.InNamespace(w.slot.Namespace)); err != nil {
		return found.take(asTeam(w.stack, w.slot.Namespace, "slot "+w.slot.Name+": reading ResourceQuotas", err))
	}
	if len(quotas.Items) == 0 {
		return nil
	}
	limits, err := w.limitRanges(ctx)
	if err != nil {
		return found.take(err)
	}
	own, err := w.usedByStack(ctx)
	if err != nil {
		return found.take(err)
	}
	need, err := w.needed(sizes, at, limits)
	if err != nil {
		return err
	}
	for i := range quotas.Items {
		w.checkQuota(&quotas.Items[i], need, own, at, found)
	}
	return nil
}

func (w *slotWork) checkQuota(quota *corev1.ResourceQuota, need, own corev1.ResourceList, at sizeOf, found *problems) {
	if len(quota.Spec.Scopes) > 0 || quota.Spec.ScopeSelector != nil {
		return // which Pods count is more than can be told here; the API server will
	}
	for _, name := range slices.Sorted(maps.Keys(quota.Spec.Hard)) {
		wanted, counted := need[name]
		if !counted || wanted.IsZero() {
			continue
		}
		free := quota.Spec.Hard[name].DeepCopy()
		free.Sub(quota.Status.Used[name])
		free.Add(own[name])
		if wanted.Cmp(free) > 0 {
			found.add(v1alpha1.ReasonQuotaExceeded,
				"ResourceQuota %s/%s has too little %s: %s the release's members together need %s, and %s is free; raise the quota, or ask for less",
				quota.Namespace, quota.Name, name, at.when, wanted.String(), free.String())
		}
	}
}

// sizeOf picks a size of a member, and says when it has it.
type sizeOf struct {
	of   func(plan.Size) int32
	when string
}

var (
	previewSize = sizeOf{func(s plan.Size) int32 { return s.Preview }, "for its preview"}
	liveSize    = sizeOf{func(s plan.Size) int32 { return s.Live }, "with users"}
)

// needed is what the content asks for at a size.
func (w *slotWork) needed(sizes []plan.Size, at sizeOf, limits []corev1.LimitRangeItem) (corev1.ResourceList, error) {
	total := corev1.ResourceList{}
	err := w.eachPodSpec(func(object *unstructured.Unstructured, spec *corev1.PodSpec) {
		addPod(total, withDefaults(spec, limits), podsOf(sizes, at, object))
	})
	return total, err
}

func (w *slotWork) eachPodSpec(do func(*unstructured.Unstructured, *corev1.PodSpec)) error {
	for _, object := range w.objects {
		if !isWorkload(object) {
			continue
		}
		spec, err := podSpecOf(object)
		if err != nil {
			return err
		}
		do(object, spec)
	}
	return nil
}

// podsOf is how many Pods a workload has at a size. A DaemonSet counts as one, because which nodes it finds is not known.
func podsOf(sizes []plan.Size, at sizeOf, o *unstructured.Unstructured) int64 {
	replicas := nestedCount(o, "spec", "replicas")
	for _, s := range sizes {
		if s.Kind == o.GetKind() && s.Name == o.GetName() {
			replicas = int64(at.of(s))
		}
	}
	switch o.GetKind() {
	case kindJob:
		return min(replicas, 1) * nestedCount(o, "spec", "parallelism")
	case kindCronJob:
		return min(replicas, 1) * nestedCount(o, "spec", "jobTemplate", "spec", "parallelism")
	case kindDaemonSet:
		return min(replicas, 1)
	}
	return replicas
}

func nestedCount(o *unstructured.Unstructured, fields ...string) int64 {
	value, found, err := unstructured.NestedFieldNoCopy(o.Object, fields...)
	if err != nil || !found {
		return 1
	}
	switch n := value.(type) {
	case int64:
		return n
	case float64:
		return int64(n)
	}
	return 1
}

func (w *slotWork) limitRanges(ctx context.Context) ([]corev1.LimitRangeItem, error) {
	var ranges corev1.LimitRangeList
	if err := w.team.List(ctx, &ranges, client.InNamespace(w.slot.Namespace)); err != nil {
		return nil, asTeam(w.stack, w.slot.Namespace, "slot "+w.slot.Name+": reading LimitRanges", err)
	}
	var all []corev1.LimitRangeItem
	for _, r := range ranges.Items {
		for _, item := range r.Spec.Limits {
			if item.Type == corev1.LimitTypeContainer {
				all = append(all, item)
			}
		}
	}
	return all, nil
}

// usedByStack is what the Stack's Pods in the slot have of the quotas: another attempt takes their place.
func (w *slotWork) usedByStack(ctx context.Context) (corev1.ResourceList, error) {
	var pods corev1.PodList
	err := w.team.List(ctx, &pods, client.InNamespace(w.slot.Namespace), client.MatchingLabels(stackLabels(w.stack)))
	if err != nil {
		return nil, asTeam(w.stack, w.slot.Namespace, "slot "+w.slot.Name+": reading Pods", err)
	}
	total := corev1.ResourceList{}
	for i := range pods.Items {
		if phase := pods.Items[i].Status.Phase; phase != corev1.PodSucceeded && phase != corev1.PodFailed {
			addPod(total, &pods.Items[i].Spec, 1)
		}
	}
	return total, nil
}

// withDefaults fills in what the API server does: a limit that a container gives is its request, before a LimitRange is
// asked for defaults.
func withDefaults(spec *corev1.PodSpec, limits []corev1.LimitRangeItem) *corev1.PodSpec {
	for _, containers := range [][]corev1.Container{spec.InitContainers, spec.Containers} {
		for i := range containers {
			r := &containers[i].Resources
			r.Requests = filled(r.Requests, r.Limits)
			for _, item := range limits {
				r.Limits = filled(r.Limits, item.Default)
				r.Requests = filled(r.Requests, item.DefaultRequest)
			}
			r.Requests = filled(r.Requests, r.Limits)
		}
	}
	return spec
}

func filled(list, with corev1.ResourceList) corev1.ResourceList {
	result := maps.Clone(with)
	if result == nil {
		result = corev1.ResourceList{}
	}
	maps.Copy(result, list)
	return result
}

// addPod adds count Pods of a kind, under the names that quotas use.
func addPod(total corev1.ResourceList, spec *corev1.PodSpec, count int64) {
	if count == 0 {
		return
	}
	plus(total, corev1.ResourcePods, *resource.NewQuantity(1, resource.DecimalSI), count)
	plus(total, "count/pods", *resource.NewQuantity(1, resource.DecimalSI), count)
	for name, quantity := range podTotal(spec, func(r corev1.ResourceRequirements) corev1.ResourceList { return r.Requests }) {
		plus(total, name, quantity, count)
		plus(total, "requests."+name, quantity, count)
	}
	for name, quantity := range podTotal(spec, func(r corev1.ResourceRequirements) corev1.ResourceList { return r.Limits }) {
		plus(total, "limits."+name, quantity, count)
	}
}

func plus(total corev1.ResourceList, name corev1.ResourceName, quantity resource.Quantity, count int64) {
	// Copies of a Quantity share what they point to.
	sum, many := total[name].DeepCopy(), quantity.DeepCopy()
	many.Mul(count)
	sum.Add(many)
	total[name] = sum
}

// podTotal is the sum over the containers and sidecars of a Pod, or the largest of its other init containers.
func podTotal(spec *corev1.PodSpec, of func(corev1.ResourceRequirements) corev1.ResourceList) corev1.ResourceList {
	total := corev1.ResourceList{}
	for i := range spec.Containers {
		for name, quantity := range of(spec.Containers[i].Resources) {
			plus(total, name, quantity, 1)
		}
	}
	highest := corev1.ResourceList{}
	for i := range spec.InitContainers {
		c := &spec.InitContainers[i]
		sidecar := c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways
		for name, quantity := range of(c.Resources) {
			if sidecar {
				plus(total, name, quantity, 1)
			} else if most := highest[name]; quantity.Cmp(most) > 0 {
				highest[name] = quantity
			}
		}
	}
	for name, quantity := range highest {
		if sum := total[name]; quantity.Cmp(sum) > 0 {
			total[name] = quantity
		}
	}
	for name, quantity := range spec.Overhead {
		plus(total, name, quantity, 1)
	}
	return total
}
