package observe

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/internal/plan"
)

// seenPod is a Pod that counts, and the workload of the Stack that made it, if one did.
type seenPod struct {
	pod      *corev1.Pod
	workload *workload
	facts    plan.Pod
}

// finished Pods answer nobody and do nothing any more.
func finished(pod *corev1.Pod) bool {
	return pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
}

func podFacts(pod *corev1.Pod, w *workload) plan.Pod {
	facts := plan.Pod{
		Name:        pod.Name,
		Member:      pod.Labels[v1alpha1.LabelMember],
		Release:     pod.Labels[v1alpha1.LabelRelease],
		Terminating: pod.DeletionTimestamp != nil,
	}
	if facts.Member == "" && w != nil {
		facts.Member = w.Name
	}
	return facts
}

// workloadOf finds which of the taken workloads made a Pod, over the ReplicaSet or the Job between them.
func workloadOf(pod *corev1.Pod, all, taken []*workload) *workload {
	owner := metav1.GetControllerOf(pod)
	if owner != nil && owner.Kind == "Job" {
		return ofJobNamed(owner.Name, all, taken)
	}
	i := slices.IndexFunc(taken, func(w *workload) bool { return w.made(pod, owner) })
	if i < 0 {
		return nil
	}
	return taken[i]
}

func ofJobNamed(name string, all, taken []*workload) *workload {
	key := memberKey{"Job", name}
	if i := slices.IndexFunc(all, func(w *workload) bool { return w.Kind == "Job" && w.Name == name }); i >= 0 {
		if owner := all[i].owner(); owner != nil {
			key = memberKey{owner.Kind, owner.Name}
		}
	}
	i := slices.IndexFunc(taken, func(w *workload) bool { return memberKey{w.Kind, w.Name} == key })
	if i < 0 {
		return nil
	}
	return taken[i]
}

// made takes a Pod without an owner, which the workload is about to adopt, for its own.
func (w *workload) made(pod *corev1.Pod, owner *metav1.OwnerReference) bool {
	switch {
	case owner == nil:
		return w.selects(pod.Labels)
	case owner.Kind == "ReplicaSet":
		return w.Kind == "Deployment" && strings.HasPrefix(owner.Name, w.Name+"-") && w.selects(pod.Labels)
	}
	return owner.Kind == w.Kind && owner.Name == w.Name
}
