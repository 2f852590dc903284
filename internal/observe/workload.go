package observe

import (
	"slices"
	"strconv"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/internal/plan"
)

// LabelAsleep is a node label that no node has: a DaemonSet that asks for it runs nowhere.
const LabelAsleep = "lockstep.dev/asleep"

// workload is one workload as it was read, with what its kind calls by a name of its own.
type workload struct {
	plan.Workload
	meta     client.Object
	group    schema.GroupVersion
	selector *metav1.LabelSelector
	template corev1.PodTemplateSpec
	// settled is whether its controller has seen its generation, and each of its replicas is of that one, and ready.
	settled bool
	// finished is whether a Job is done.
	finished bool
	// refusal is why the cluster would not make its Pods.
	refusal string
}

func workloads(found *contents) []*workload {
	var all []*workload
	for i := range found.deployments.Items {
		all = append(all, ofDeployment(&found.deployments.Items[i]))
	}
	for i := range found.statefulSets.Items {
		all = append(all, ofStatefulSet(&found.statefulSets.Items[i]))
	}
	for i := range found.daemonSets.Items {
		all = append(all, ofDaemonSet(&found.daemonSets.Items[i]))
	}
	for i := range found.jobs.Items {
		all = append(all, ofJob(&found.jobs.Items[i]))
	}
	for i := range found.cronJobs.Items {
		all = append(all, ofCronJob(&found.cronJobs.Items[i]))
	}
	return all
}

func newWorkload(kind string, group schema.GroupVersion, meta client.Object, template corev1.PodTemplateSpec, replicas int32) *workload {
	epoch, _ := strconv.ParseInt(meta.GetAnnotations()[v1alpha1.AnnotationEpoch], 10, 64)
	return &workload{
		Workload: plan.Workload{
			Kind:     kind,
			Name:     meta.GetName(),
			Release:  template.Labels[v1alpha1.LabelRelease],
			Epoch:    epoch,
			Replicas: replicas,
		},
		meta:     meta,
		group:    group,
		template: template,
	}
}

func ofDeployment(d *appsv1.Deployment) *workload {
	replicas := ptr.Deref(d.Spec.Replicas, 1)
	w := newWorkload("Deployment", appsv1.SchemeGroupVersion, d, d.Spec.Template, replicas)
	w.selector = d.Spec.Selector
	s := d.Status
	w.settled = s.ObservedGeneration == d.Generation && allEqual(replicas, s.Replicas, s.UpdatedReplicas, s.ReadyReplicas)
	for _, c := range s.Conditions {
		if c.Type == appsv1.DeploymentReplicaFailure && c.Status == corev1.ConditionTrue {
			w.refusal = c.Message
		}
	}
	return w
}

func ofStatefulSet(s *appsv1.StatefulSet) *workload {
	replicas := ptr.Deref(s.Spec.Replicas, 1)
	w := newWorkload("StatefulSet", appsv1.SchemeGroupVersion, s, s.Spec.Template, replicas)
	w.selector = s.Spec.Selector
	w.settled = s.Status.ObservedGeneration == s.Generation &&
		allEqual(replicas, s.Status.Replicas, s.Status.UpdatedReplicas, s.Status.ReadyReplicas)
	return w
}

// ofDaemonSet: a DaemonSet has no replicas; it is awake or asleep.
func ofDaemonSet(d *appsv1.DaemonSet) *workload {
	replicas := int32(1)
	if _, asleep := d.Spec.Template.Spec.NodeSelector[LabelAsleep]; asleep {
		replicas = 0
	}
	w := newWorkload("DaemonSet", appsv1.SchemeGroupVersion, d, d.Spec.Template, replicas)
	w.selector = d.Spec.Selector
	s := d.Status
	w.settled = s.ObservedGeneration == d.Generation &&
		allEqual(s.DesiredNumberScheduled, s.CurrentNumberScheduled, s.UpdatedNumberScheduled, s.NumberReady)
	return w
}

func ofJob(j *batchv1.Job) *workload {
	w := newWorkload("Job", batchv1.SchemeGroupVersion, j, j.Spec.Template, awake(j.Spec.Suspend))
	w.selector, w.settled = j.Spec.Selector, true
	w.finished = slices.ContainsFunc(j.Status.Conditions, func(c batchv1.JobCondition) bool {
		return (c.Type == batchv1.JobComplete || c.Type == batchv1.JobFailed) && c.Status == corev1.ConditionTrue
	})
	return w
}

func ofCronJob(c *batchv1.CronJob) *workload {
	w := newWorkload("CronJob", batchv1.SchemeGroupVersion, c, c.Spec.JobTemplate.Spec.Template, awake(c.Spec.Suspend))
	w.settled = true
	return w
}

func awake(suspend *bool) int32 {
	if ptr.Deref(suspend, false) {
		return 0
	}
	return 1
}

func allEqual(want int32, all ...int32) bool {
	for _, is := range all {
		if is != want {
			return false
		}
	}
	return true
}

// facts of the workload, given the Pods that were seen in its slot.
func (w *workload) facts(pods []seenPod) plan.Workload {
	out := w.Workload
	out.Ready = w.ready()
	if !out.Ready && out.Replicas > 0 {
		out.Problem = w.problem(pods)
	}
	return out
}

func (w *workload) ready() bool {
	return w.Replicas > 0 && w.settled && w.meta.GetDeletionTimestamp() == nil && w.current()
}

// current is what kstatus, which Argo CD, Flux and kubectl users know, calls Current.
func (w *workload) current() bool {
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(w.withoutTemplate())
	if err != nil {
		return false
	}
	u := &unstructured.Unstructured{Object: content}
	u.SetGroupVersionKind(w.group.WithKind(w.Kind))
	result, err := status.Compute(u)
	return err == nil && result.Status == status.CurrentStatus
}

// withoutTemplate is a copy without what kstatus does not look at, and what there is most of.
func (w *workload) withoutTemplate() client.Object {
	switch o := w.meta.(type) {
	case *appsv1.Deployment:
		c := *o
		c.Spec.Template, c.ManagedFields = corev1.PodTemplateSpec{}, nil
		return &c
	case *appsv1.StatefulSet:
		c := *o
		c.Spec.Template, c.ManagedFields = corev1.PodTemplateSpec{}, nil
		return &c
	case *appsv1.DaemonSet:
		c := *o
		c.Spec.Template, c.ManagedFields = corev1.PodTemplateSpec{}, nil
		return &c
	}
	return w.meta
}

// owner is the workload that made this one.
func (w *workload) owner() *metav1.OwnerReference { return metav1.GetControllerOf(w.meta) }

// selects reports whether the workload's selector matches; one without a selector matches nothing.
func (w *workload) selects(set map[string]string) bool {
	if w.selector == nil {
		return false
	}
	selector, err := metav1.LabelSelectorAsSelector(w.selector)
	return err == nil && !selector.Empty() && selector.Matches(labels.Set(set))
}
