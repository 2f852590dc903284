package observe

import (
	"slices"

	"k8s.io/apimachinery/pkg/labels"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/internal/plan"
)

// view tells what belongs to a Stack from what merely lies in the same namespace.
type view struct {
	stack *v1alpha1.Stack
	// members are the kinds and names of workloads of any of the Stack's releases.
	members map[memberKey]bool
	// services are the names of Services that an entry or a member needs.
	services map[string]bool
	// backends are the names of Services that an entry sends users to.
	backends map[string]bool
}

type memberKey struct{ kind, name string }

func viewOf(stack *v1alpha1.Stack, releases []v1alpha1.Release) view {
	v := view{stack: stack, members: map[memberKey]bool{}, services: map[string]bool{}, backends: map[string]bool{}}
	for _, e := range stack.Spec.Entries {
		v.backends[e.Backend.Service] = true
		v.services[e.Backend.Service] = true
	}
	for i := range releases {
		if started := releases[i].Status.Started; started != nil {
			v.addMembers(started.Members)
		}
	}
	return v
}

func (v view) addMembers(members []v1alpha1.ReleaseMember) {
	for _, m := range members {
		v.members[memberKey{m.Kind, m.Name}] = true
		for _, name := range m.Services {
			v.services[name] = true
		}
	}
}

// fill works out the facts of a slot from what was read in its namespace.
func (v view) fill(slot *plan.Slot, found *contents) {
	all := workloads(found)
	taken := v.workloads(all)
	pods := v.pods(found, all, taken)
	for _, w := range taken {
		facts := w.facts(pods)
		facts.Autoscaler = autoscalerOf(w, found.autoscalers.Items)
		slot.Workloads = append(slot.Workloads, facts)
	}
	for _, pod := range pods {
		slot.Pods = append(slot.Pods, pod.facts)
	}
	slot.Pods = append(slot.Pods, pending(all, taken)...)
	slot.Services = v.serviceFacts(found, pods)
}

// workloads are the Stack's own by label, and others of a member's kind and name. What another workload made (a Job of
// a CronJob) belongs to that one.
func (v view) workloads(all []*workload) []*workload {
	var taken []*workload
	for _, w := range all {
		ours := labelledFor(v.stack, w.meta.GetLabels()) || v.members[memberKey{w.Kind, w.Name}]
		if ours && w.owner() == nil {
			taken = append(taken, w)
		}
	}
	return taken
}

// pods are those of the Stack by label, those of its workloads, and those that an entry may send users to.
func (v view) pods(found *contents, all, taken []*workload) []seenPod {
	entrances := v.entrances(found)
	var seen []seenPod
	for i := range found.pods.Items {
		pod := &found.pods.Items[i]
		if finished(pod) {
			continue
		}
		w := workloadOf(pod, all, taken)
		if w != nil || labelledFor(v.stack, pod.Labels) || matchesAny(entrances, pod.Labels) {
			seen = append(seen, seenPod{pod: pod, workload: w, facts: podFacts(pod, w)})
		}
	}
	return seen
}

// entrances are the selectors of the Services that the entries send users to.
func (v view) entrances(found *contents) []labels.Selector {
	var all []labels.Selector
	for _, s := range found.services.Items {
		if v.backends[s.Name] && len(s.Spec.Selector) > 0 {
			all = append(all, labels.SelectorFromSet(s.Spec.Selector))
		}
	}
	return all
}

func matchesAny(selectors []labels.Selector, set map[string]string) bool {
	return slices.ContainsFunc(selectors, func(s labels.Selector) bool { return s.Matches(labels.Set(set)) })
}
