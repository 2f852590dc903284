package render

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

// Bounds of what a Release can hold, and of what a message lists.
const (
	maxMembers  = 200
	maxServices = 32
	maxImages   = 32
	maxListed   = 20
)

// members finds the workloads of a slot, sorted by name, and joins them with what the Stack says of them.
func members(objects []object, spec []v1alpha1.Member) ([]v1alpha1.ReleaseMember, error) {
	found := map[string]v1alpha1.ReleaseMember{}
	for _, o := range objects {
		if !isWorkload(o.Unstructured) {
			continue
		}
		m := memberOf(o, objects)
		if err := acceptable(m, found); err != nil {
			return nil, err
		}
		found[m.Name] = m
	}
	switch {
	case len(found) == 0:
		return nil, refuse(v1alpha1.ReasonNoWorkload, "nothing was rendered that runs: no Deployment, StatefulSet, DaemonSet, Job or CronJob; look at source.git.path, the values files and spec.ignore")
	case len(found) > maxMembers:
		return nil, refuse(v1alpha1.ReasonContentTooLarge, "the manifests hold %d workloads, where %d are allowed; split the stack", len(found), maxMembers)
	}
	describe(found, spec)
	return slices.SortedFunc(maps.Values(found), func(a, b v1alpha1.ReleaseMember) int {
		return cmp.Compare(a.Name, b.Name)
	}), nil
}

// acceptable makes sure that a member can be called by its name, on labels too, and fits into a Release.
func acceptable(m v1alpha1.ReleaseMember, others map[string]v1alpha1.ReleaseMember) error {
	if other, taken := others[m.Name]; taken {
		return refuse(v1alpha1.ReasonDuplicateObject, "%s/%s and %s/%s have the same name, and members are told apart by name; rename one of them", other.Kind, other.Name, m.Kind, m.Name)
	}
	if wrong := validation.IsValidLabelValue(m.Name); wrong != nil {
		return refuse(v1alpha1.ReasonRenderFailed, "%s/%s cannot be a member, because its name does not fit on a label: %s; rename it", m.Kind, m.Name, strings.Join(wrong, "; "))
	}
	if len(m.Services) > maxServices {
		return refuse(v1alpha1.ReasonContentTooLarge, "%s/%s is selected by %d Services, where %d are allowed; remove some, or split it", m.Kind, m.Name, len(m.Services), maxServices)
	}
	return nil
}

func memberOf(o object, objects []object) v1alpha1.ReleaseMember {
	m := v1alpha1.ReleaseMember{Name: o.GetName(), Kind: o.GetKind(), Role: v1alpha1.RoleService, Replicas: replicasOf(o), Images: imagesOf(o)}
	if suspends(m.Kind) {
		m.Role = v1alpha1.RoleWorker
	}
	m.Autoscaler = autoscalerOf(o, objects)
	for _, service := range objects {
		if isService(service.Unstructured) && selects(service.Unstructured, o.Unstructured) {
			m.Services = append(m.Services, service.GetName())
		}
	}
	return m
}

func replicasOf(o object) int32 {
	if replicas, ok := child(o.Object, "spec")["replicas"].(int64); ok && scales(o.Unstructured) {
		return countOf(replicas)
	}
	return 1
}

// autoscalerOf is what scales the workload; nil where nothing does.
func autoscalerOf(workload object, objects []object) *v1alpha1.ReleaseAutoscaler {
	for _, o := range objects {
		spec := child(o.Object, "spec")
		target := child(spec, "scaleTargetRef")
		if isAutoscaler(o.Unstructured) && target["kind"] == workload.GetKind() && target["name"] == workload.GetName() {
			return &v1alpha1.ReleaseAutoscaler{Name: o.GetName(), MinReplicas: max(countOf(spec["minReplicas"]), 1), MaxReplicas: max(countOf(spec["maxReplicas"]), 1)}
		}
	}
	return nil
}

// countOf is a count as it was rendered; 0 where it is none.
func countOf(value any) int32 {
	count, _ := value.(int64)
	return int32(min(max(count, 0), 1<<30)) //nolint:gosec // bounded
}

func imagesOf(o object) []string {
	var images []string
	for _, container := range containersOf(podSpec(o.Unstructured)) {
		if image, ok := container["image"].(string); ok && !slices.Contains(images, image) && len(images) < maxImages {
			images = append(images, image)
		}
	}
	return images
}

// describe adds what the Stack says of members. What it says of others is told by checkSpec.
func describe(found map[string]v1alpha1.ReleaseMember, spec []v1alpha1.Member) {
	for _, said := range spec {
		m, exists := found[said.Name]
		if !exists {
			continue
		}
		m.Role = roleOf(m, said.Role)
		for _, dependency := range said.DependsOn {
			m.DependsOn = append(m.DependsOn, dependency.Name)
		}
		found[said.Name] = m
	}
}

// roleOf keeps CronJobs Workers: they act by themselves, and Service may only be the default that the API server wrote.
func roleOf(m v1alpha1.ReleaseMember, said v1alpha1.Role) v1alpha1.Role {
	if said == "" || m.Kind == kindCronJob {
		return m.Role
	}
	return said
}

// checkSpec refuses a Stack that names members which are not there, or cannot be deployed in any order.
func checkSpec(spec []v1alpha1.Member, found []v1alpha1.ReleaseMember) error {
	byName := map[string]v1alpha1.ReleaseMember{}
	for _, m := range found {
		byName[m.Name] = m
	}
	names := listed(slices.Sorted(maps.Keys(byName)), maxListed)
	for _, said := range spec {
		if _, exists := byName[said.Name]; !exists {
			return refuse(v1alpha1.ReasonUnknownMember, "spec.members names %s, and no such workload was rendered; the members are %s: correct or remove it", said.Name, names)
		}
		for _, dependency := range said.DependsOn {
			if _, exists := byName[dependency.Name]; !exists {
				return refuse(v1alpha1.ReasonUnknownMember, "in spec.members %s depends on %s, and no such workload was rendered; the members are %s: correct or remove it", said.Name, dependency.Name, names)
			}
		}
	}
	return acyclic(byName)
}

func acyclic(members map[string]v1alpha1.ReleaseMember) error {
	w := &cycles{members: members, done: map[string]bool{}}
	for _, name := range slices.Sorted(maps.Keys(members)) {
		if err := w.visit(name); err != nil {
			return err
		}
	}
	return nil
}

// cycles follows dependencies; trail is the way to where it is.
type cycles struct {
	members map[string]v1alpha1.ReleaseMember
	done    map[string]bool
	trail   []string
}

func (w *cycles) visit(name string) error {
	if w.done[name] {
		return nil
	}
	if i := slices.Index(w.trail, name); i >= 0 {
		circle := append(slices.Clone(w.trail[i:]), name)
		return refuse(v1alpha1.ReasonDependencyCycle, "members depend on each other in a circle: %s; remove one of them from dependsOn in spec.members", strings.Join(circle, " → "))
	}
	w.trail = append(w.trail, name)
	for _, next := range w.members[name].DependsOn {
		if err := w.visit(next); err != nil {
			return err
		}
	}
	w.trail = w.trail[:len(w.trail)-1]
	w.done[name] = true
	return nil
}
