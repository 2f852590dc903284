package observe

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/internal/plan"
)

// lastWords bounds what is quoted of a container's last message.
const lastWords = 300

// problem is what stands in the workload's way: the cluster would not make its Pods, or they do not come up.
func (w *workload) problem(pods []seenPod) *plan.Problem {
	if w.refusal != "" {
		return problem(refusalReason(w.refusal), "%s %s: Pods cannot be created: %s", w.Kind, w.Name, w.refusal)
	}
	for _, p := range pods {
		// Pods of an earlier release are on their way out, and prove nothing about this one.
		if p.workload != w || p.facts.Terminating || p.facts.Release != w.Release {
			continue
		}
		if found := podProblem(p.pod); found != nil {
			return found
		}
	}
	return nil
}

func refusalReason(message string) string {
	if strings.Contains(message, "exceeded quota") {
		return v1alpha1.ReasonQuotaExceeded
	}
	return v1alpha1.ReasonAdmissionRefused
}

func podProblem(pod *corev1.Pod) *plan.Problem {
	statuses := append(append([]corev1.ContainerStatus{}, pod.Status.InitContainerStatuses...), pod.Status.ContainerStatuses...)
	for _, c := range statuses {
		if found := containerProblem(pod.Name, c); found != nil {
			return found
		}
	}
	return unschedulable(pod)
}

func containerProblem(pod string, c corev1.ContainerStatus) *plan.Problem {
	if waiting := c.State.Waiting; waiting != nil {
		switch waiting.Reason {
		case "ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "RegistryUnavailable":
			return problem(v1alpha1.ReasonImagePull, "Pod %s: image %s of container %s cannot be pulled: %s", pod, c.Image, c.Name, said(waiting.Reason, waiting.Message))
		case "CreateContainerConfigError":
			return problem(v1alpha1.ReasonReferenceMissing, "Pod %s: container %s cannot be configured: %s", pod, c.Name, said(waiting.Reason, waiting.Message))
		case "CreateContainerError", "RunContainerError":
			return problem(v1alpha1.ReasonCrashing, "Pod %s: container %s cannot be started: %s", pod, c.Name, said(waiting.Reason, waiting.Message))
		}
	}
	return crash(pod, c)
}

// crash tells of a container that ended badly, now or just before it was started again: until it is ready, nobody knows
// whether it will not end once more. One that is ready is given the benefit of the doubt.
func crash(pod string, c corev1.ContainerStatus) *plan.Problem {
	ended, again := c.State.Terminated, ""
	if ended == nil && !c.Ready {
		ended = c.LastTerminationState.Terminated
		if c.State.Running != nil {
			again = ", and was started again"
		}
	}
	if ended == nil || ended.ExitCode == 0 && !loops(c) {
		return nil
	}
	return problem(v1alpha1.ReasonCrashing, "Pod %s: container %s ended with exit code %d%s%s", pod, c.Name, ended.ExitCode, again, detail(ended))
}

// loops: a container that ends well, again and again, is not what a member should do either.
func loops(c corev1.ContainerStatus) bool {
	return c.State.Waiting != nil && c.State.Waiting.Reason == "CrashLoopBackOff"
}

func detail(ended *corev1.ContainerStateTerminated) string {
	words := ended.Message
	if words == "" && ended.Reason != "Error" && ended.Reason != "Completed" {
		words = ended.Reason
	}
	words = strings.TrimSpace(words)
	if words == "" {
		return "; kubectl logs --previous shows what it said"
	}
	if cut := len(words) - lastWords; cut > 0 {
		words = "…" + strings.ToValidUTF8(words[cut:], "")
	}
	return ": " + words
}

func said(reason, message string) string {
	if message == "" {
		return reason
	}
	return fmt.Sprintf("%s (%s)", message, reason)
}

func unschedulable(pod *corev1.Pod) *plan.Problem {
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse && c.Reason == corev1.PodReasonUnschedulable {
			return problem(v1alpha1.ReasonMemberNotReady, "Pod %s cannot be scheduled: %s", pod.Name, c.Message)
		}
	}
	return nil
}
