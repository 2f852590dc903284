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
		Node:        pod.Spec.NodeName,
	}
	if facts.Terminating {
		facts.Due, facts.Finalizers = pod.DeletionTimestamp.Time, pod.Finalizers
	}
	if facts.Member == "" && w != nil {
		facts.Member = w.Name
	}
	return facts
}

// pending stands for Pods that may still come though none is meant to: of a workload that was scaled to zero, which its
// controller has not seen yet, and of a CronJob's Job that is not done. A slot is not empty while there are any.
func pending(all, taken []*workload) []plan.Pod {
	var pods []plan.Pod
	for _, w := range taken {
		if w.Replicas == 0 && !w.settled {
			pods = append(pods, plan.Pod{Name: "(of " + w.Kind + "/" + w.Name + ", which has not stopped yet)", Member: w.Name, Release: w.Release})
		}
	}
	for _, w := range all {
		if owner := w.owner(); w.Kind == "Job" && !w.finished && owner != nil {
			if made := named(taken, owner.Kind, owner.Name); made != nil {
				pods = append(pods, plan.Pod{Name: "(of Job/" + w.Name + ", which is not done)", Member: made.Name, Release: w.Release})
			}
		}
	}
	return pods
}

func named(all []*workload, kind, name string) *workload {
	i := slices.IndexFunc(all, func(w *workload) bool { return w.Kind == kind && w.Name == name })
	if i < 0 {
		return nil
	}
	return all[i]
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
	job := named(all, "Job", name)
	if job == nil || job.owner() == nil {
		return named(taken, "Job", name)
	}
	return named(taken, job.owner().Kind, job.owner().Name)
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
