package observe

import (
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/utils/ptr"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/internal/plan"
)

func (v view) serviceFacts(found *contents, pods []seenPod) []plan.Service {
	releases := map[string]string{}
	for _, p := range pods {
		releases[p.pod.Name] = p.facts.Release
	}
	var all []plan.Service
	for i := range found.services.Items {
		s := &found.services.Items[i]
		if !labelledFor(v.stack, s.Labels) && !v.services[s.Name] {
			continue
		}
		all = append(all, serviceFacts(s, found.slices.Items, releases))
	}
	return all
}

func serviceFacts(s *corev1.Service, slices []discoveryv1.EndpointSlice, releases map[string]string) plan.Service {
	facts := plan.Service{Name: s.Name, Release: s.Spec.Selector[v1alpha1.LabelRelease]}
	for _, port := range s.Spec.Ports {
		facts.Ports = append(facts.Ports, port.Port)
	}
	// A Pod of two address families stands in two slices.
	counted := map[string]bool{}
	for i := range slices {
		if slices[i].Labels[discoveryv1.LabelServiceName] != s.Name {
			continue
		}
		for _, e := range slices[i].Endpoints {
			release, seen := releases[podBehind(e)]
			if seen && answers(e) && (facts.Release == "" || release == facts.Release) {
				counted[podBehind(e)] = true
			}
		}
	}
	facts.Endpoints = int32(len(counted))
	return facts
}

// answers: an endpoint is ready in truth. A Service that publishes unready addresses calls all of them ready; whether
// they serve is said apart.
func answers(e discoveryv1.Endpoint) bool {
	return ptr.Deref(e.Conditions.Ready, true) && ptr.Deref(e.Conditions.Serving, true) && !ptr.Deref(e.Conditions.Terminating, false)
}

func podBehind(e discoveryv1.Endpoint) string {
	if e.TargetRef == nil || e.TargetRef.Kind != "Pod" {
		return ""
	}
	return e.TargetRef.Name
}
