package view

import (
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

func foundMembers(in memberInput) []Member {
	var out []Member
	add := func(o metav1.ObjectMeta, m Member, spec corev1.PodSpec) {
		if !in.ours(o) {
			return
		}
		m.Name, m.Found, m.Images = o.Name, true, imagesOf(spec)
		if m.Problem == "" && m.Ready < m.Desired {
			m.Problem = podProblem(in.objects.Pods, o.Name)
		}
		out = append(out, m)
	}
	for _, d := range in.objects.Deployments {
		add(d.ObjectMeta, deployment(&d), d.Spec.Template.Spec)
	}
	for _, s := range in.objects.StatefulSets {
		add(s.ObjectMeta, statefulSet(&s), s.Spec.Template.Spec)
	}
	for _, d := range in.objects.DaemonSets {
		add(d.ObjectMeta, daemonSet(&d), d.Spec.Template.Spec)
	}
	for _, c := range in.objects.CronJobs {
		add(c.ObjectMeta, cronJob(&c), c.Spec.JobTemplate.Spec.Template.Spec)
	}
	for _, j := range in.objects.Jobs {
		if metav1.GetControllerOf(&j) == nil {
			add(j.ObjectMeta, job(&j), j.Spec.Template.Spec)
		}
	}
	return out
}

func deployment(d *appsv1.Deployment) Member {
	m := Member{Kind: "Deployment", Desired: orOne(d.Spec.Replicas)}
	if d.Status.ObservedGeneration >= d.Generation {
		m.Ready = min(d.Status.ReadyReplicas, d.Status.UpdatedReplicas)
	}
	for _, c := range d.Status.Conditions {
		if c.Type == appsv1.DeploymentReplicaFailure && c.Status == corev1.ConditionTrue {
			m.Problem = c.Reason + ": " + c.Message
		}
	}
	return m
}

func statefulSet(s *appsv1.StatefulSet) Member {
	m := Member{Kind: "StatefulSet", Desired: orOne(s.Spec.Replicas)}
	if s.Status.ObservedGeneration >= s.Generation {
		m.Ready = min(s.Status.ReadyReplicas, s.Status.UpdatedReplicas)
	}
	return m
}

func daemonSet(d *appsv1.DaemonSet) Member {
	m := Member{Kind: "DaemonSet", Desired: d.Status.DesiredNumberScheduled}
	if d.Status.ObservedGeneration >= d.Generation {
		m.Ready = min(d.Status.NumberReady, d.Status.UpdatedNumberScheduled)
	}
	return m
}

func cronJob(c *batchv1.CronJob) Member {
	if c.Spec.Suspend != nil && *c.Spec.Suspend {
		return Member{Kind: "CronJob"}
	}
	return Member{Kind: "CronJob", Desired: 1, Ready: 1}
}

func job(j *batchv1.Job) Member {
	if j.Spec.Suspend != nil && *j.Spec.Suspend {
		return Member{Kind: "Job"}
	}
	m := Member{Kind: "Job", Desired: orOne(j.Spec.Completions), Ready: j.Status.Succeeded}
	for _, c := range j.Status.Conditions {
		if c.Type == batchv1.JobFailed && c.Status == corev1.ConditionTrue {
			m.Problem = c.Reason + ": " + c.Message
		}
	}
	return m
}

func orOne(n *int32) int32 {
	if n == nil {
		return 1
	}
	return *n
}

func imagesOf(spec corev1.PodSpec) []string {
	var out []string
	for _, c := range spec.Containers {
		out = append(out, c.Image)
	}
	return out
}

// podProblem is the first thing that stands in the way of a member's Pods.
func podProblem(pods []corev1.Pod, member string) string {
	for _, p := range pods {
		if p.Labels[v1alpha1.LabelMember] != member || p.DeletionTimestamp != nil {
			continue
		}
		if problem := containerProblem(&p); problem != "" {
			return problem
		}
	}
	return ""
}

func containerProblem(p *corev1.Pod) string {
	for _, c := range append(p.Status.InitContainerStatuses, p.Status.ContainerStatuses...) {
		w := c.State.Waiting
		if w == nil || w.Reason == "ContainerCreating" || w.Reason == "PodInitializing" {
			continue
		}
		if c.RestartCount > 0 {
			return fmt.Sprintf("%s, %d restarts", w.Reason, c.RestartCount)
		}
		return w.Reason
	}
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse {
			return c.Reason + ": " + c.Message
		}
	}
	return ""
}
