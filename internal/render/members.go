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

// membersOf finds the members, which must be the same in every slot, and joins them with what the Stack says of them.
func membersOf(req *Request, slots []rendered) ([]v1alpha1.ReleaseMember, error) {
	var members map[string]v1alpha1.ReleaseMember
	for i, r := range slots {
		found, err := workloads(r)
		if err != nil {
			return nil, err
		}
		if i == 0 {
			members = found
			continue
		}
		if err := sameMembers(members, found, slots[0].slot, r.slot); err != nil {
			return nil, err
		}
		merge(members, found)
	}
	if err := describe(members, req.Members); err != nil {
		return nil, err
	}
	if err := acyclic(members); err != nil {
		return nil, err
	}
	return sortedMembers(members), nil
}

// workloads finds the members of a slot, by name.
func workloads(r rendered) (map[string]v1alpha1.ReleaseMember, error) {
	result := map[string]v1alpha1.ReleaseMember{}
	for _, o := range r.objects {
		if !isWorkload(o.Unstructured) {
			continue
		}
		m := memberOf(o, r.objects)
		if err := acceptable(m, result); err != nil {
			return nil, err
		}
		result[m.Name] = m
	}
	switch {
	case len(result) == 0:
		return nil, refuse(v1alpha1.ReasonNoWorkload, "slot %s: nothing was rendered that runs: no Deployment, StatefulSet, DaemonSet, Job or CronJob; look at source.git.path, the values files and spec.ignore", r.slot.Name)
	case len(result) > maxMembers:
		return nil, refuse(v1alpha1.ReasonContentTooLarge, "slot %s: %d members, where %d are allowed; split the stack", r.slot.Name, len(result), maxMembers)
	}
	return result, nil
}

// acceptable makes sure that a member can be called by its name, on labels too, and fits into a Release.
func acceptable(m v1alpha1.ReleaseMember, others map[string]v1alpha1.ReleaseMember) error {
	if other, taken := others[m.Name]; taken {
		return refuse(v1alpha1.ReasonDuplicateObject, "%s and %s have the same name, and members are told apart by name; rename one of them", other.Kind+"/"+other.Name, m.Kind+"/"+m.Name)
	}
	if wrong := validation.IsValidLabelValue(m.Name); wrong != nil {
		return refuse(v1alpha1.ReasonRenderFailed, "%s/%s cannot be a member: its name is put on labels, and %s; rename it", m.Kind, m.Name, strings.Join(wrong, "; "))
	}
	if len(m.Services) > maxServices {
		return refuse(v1alpha1.ReasonContentTooLarge, "%s/%s is selected by %d Services, where %d are allowed; split it, or remove some", m.Kind, m.Name, len(m.Services), maxServices)
	}
	return nil
}

func memberOf(o object, objects []object) v1alpha1.ReleaseMember {
	m := v1alpha1.ReleaseMember{Name: o.GetName(), Kind: o.GetKind(), Role: v1alpha1.RoleService, Replicas: replicasOf(o), Images: imagesOf(o)}
	if suspends(m.Kind) {
		m.Role = v1alpha1.RoleWorker
	}
	for _, service := range objects {
		if isService(service.Unstructured) && selects(service.Unstructured, o.Unstructured) {
			m.Services = append(m.Services, service.GetName())
		}
	}
	return m
}

func replicasOf(o object) int32 {
	if replicas, ok := child(o.Object, "spec")["replicas"].(int64); ok && scales(o.Unstructured) {
		return int32(min(max(replicas, 0), 1<<30)) //nolint:gosec // bounded
	}
	return 1
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

func sameMembers(one, other map[string]v1alpha1.ReleaseMember, oneSlot, otherSlot v1alpha1.Slot) error {
	if err := covers(one, other, oneSlot, otherSlot); err != nil {
		return err
	}
	return covers(other, one, otherSlot, oneSlot)
}

// covers makes sure that what is in one slot is in the other.
func covers(one, other map[string]v1alpha1.ReleaseMember, oneSlot, otherSlot v1alpha1.Slot) error {
	for _, name := range slices.Sorted(maps.Keys(one)) {
		if other[name].Kind == one[name].Kind {
			continue
		}
		return refuse(v1alpha1.ReasonRenderFailed, "slot %s has %s/%s, and slot %s has not: every slot holds the same members; look for conditions on the slot in templates and values files", oneSlot.Name, one[name].Kind, name, otherSlot.Name)
	}
	return nil
}

// merge takes the largest size that a slot asks for: charts that know slots may render the idle one at zero.
func merge(members, other map[string]v1alpha1.ReleaseMember) {
	for name, m := range members {
		m.Replicas = max(m.Replicas, other[name].Replicas)
		m.Services = slices.Compact(slices.Sorted(slices.Values(append(m.Services, other[name].Services...))))
		members[name] = m
	}
}

// describe adds what the Stack says of members.
func describe(members map[string]v1alpha1.ReleaseMember, spec []v1alpha1.Member) error {
	for _, said := range spec {
		m, exists := members[said.Name]
		if !exists {
			return refuse(v1alpha1.ReasonUnknownMember, "spec.members names %s, which was not rendered; the members are %s; correct or remove it", said.Name, namesOf(members))
		}
		m.Role = roleOf(m, said.Role)
		for _, dependency := range said.DependsOn {
			if _, exists := members[dependency.Name]; !exists {
				return refuse(v1alpha1.ReasonUnknownMember, "spec.members says that %s depends on %s, which was not rendered; the members are %s; correct or remove it", said.Name, dependency.Name, namesOf(members))
			}
			m.DependsOn = append(m.DependsOn, dependency.Name)
		}
		slices.Sort(m.DependsOn)
		m.DependsOn = slices.Compact(m.DependsOn)
		members[said.Name] = m
	}
	return nil
}

// roleOf keeps CronJobs Workers: they act by themselves, and Service may only be the default that the API server wrote.
func roleOf(m v1alpha1.ReleaseMember, said v1alpha1.Role) v1alpha1.Role {
	if said == "" || m.Kind == kindCronJob {
		return m.Role
	}
	return said
}

// acyclic makes sure that members can be deployed in order.
func acyclic(members map[string]v1alpha1.ReleaseMember) error {
	w := &cycles{members: members, done: map[string]bool{}}
	for _, name := range slices.Sorted(maps.Keys(members)) {
		if err := w.visit(name); err != nil {
			return err
		}
	}
	return nil
}

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
		return refuse(v1alpha1.ReasonDependencyCycle, "members depend on each other in a circle: %s; remove one of these from dependsOn in spec.members", strings.Join(circle, " → "))
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

func sortedMembers(members map[string]v1alpha1.ReleaseMember) []v1alpha1.ReleaseMember {
	return slices.SortedFunc(maps.Values(members), func(a, b v1alpha1.ReleaseMember) int {
		return cmp.Compare(a.Name, b.Name)
	})
}

func namesOf(members map[string]v1alpha1.ReleaseMember) string {
	return listed(slices.Sorted(maps.Keys(members)), maxListed)
}

func memberNames(objects []object) string {
	var names []string
	for _, o := range objects {
		if isWorkload(o.Unstructured) {
			names = append(names, o.GetName())
		}
	}
	slices.Sort(names)
	return listed(names, maxListed)
}
