package observe

import (
	"context"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

// absent tells the kinds of workloads that cannot belong to a Stack in a slot, so that a pass need not ask for them: users
// wait for it. A workload belongs to a Stack by its label, and those are watched, or as a member of one of its releases. What a
// Release has as members is settled when it starts, so that a release that was ever seen to have started tells it for good;
// that all those are seen that the Stack speaks of is made sure of.
type absent struct {
	pass *pass
	// known is whether the releases' kinds are known; without it everything is asked for.
	known bool
	kinds map[string]bool
}

func (p *pass) absent(ctx context.Context) absent {
	a := absent{pass: p, kinds: map[string]bool{}}
	if p.Watched == nil {
		return a
	}
	var releases v1alpha1.ReleaseList
	if err := p.Watched.List(ctx, &releases, client.InNamespace(p.stack.Namespace), client.UnsafeDisableDeepCopy); err != nil {
		return a
	}
	started := map[string]bool{}
	for i := range releases.Items {
		r := &releases.Items[i]
		if r.Spec.Stack != p.stack.Name || r.Status.Started == nil {
			continue
		}
		started[r.Name] = true
		for _, m := range r.Status.Started.Members {
			a.kinds[m.Kind] = true
		}
	}
	a.known = !slices.ContainsFunc(spokenOf(p.stack), func(name string) bool { return !started[name] })
	return a
}

// spokenOf are the releases that are, or may be, in a slot by what the Stack's status says.
func spokenOf(stack *v1alpha1.Stack) []string {
	var names []string
	for _, unit := range stack.Status.Units {
		names = append(names, unit.ActiveRelease, unit.LiveRelease)
	}
	for _, slot := range stack.Status.Slots {
		names = append(names, slot.Release)
	}
	slices.Sort(names)
	return slices.DeleteFunc(slices.Compact(names), func(name string) bool { return name == "" })
}

// of is whether there is none of a list's kind that could belong to the Stack in a namespace.
func (a absent) of(ctx context.Context, list client.ObjectList, namespace string) bool {
	for _, kind := range kindsBehind(list) {
		if !a.known || a.kinds[kind.Kind] || a.labelled(ctx, kind, namespace) {
			return false
		}
	}
	return len(kindsBehind(list)) > 0
}

// kindsBehind are the kinds of workloads that a list is read for. Jobs are also what CronJobs make.
func kindsBehind(list client.ObjectList) []schema.GroupVersionKind {
	apps, batch := appsv1.SchemeGroupVersion, batchv1.SchemeGroupVersion
	switch list.(type) {
	case *appsv1.DeploymentList:
		return []schema.GroupVersionKind{apps.WithKind("Deployment")}
	case *appsv1.StatefulSetList:
		return []schema.GroupVersionKind{apps.WithKind("StatefulSet")}
	case *appsv1.DaemonSetList:
		return []schema.GroupVersionKind{apps.WithKind("DaemonSet")}
	case *batchv1.CronJobList:
		return []schema.GroupVersionKind{batch.WithKind("CronJob")}
	case *batchv1.JobList:
		return []schema.GroupVersionKind{batch.WithKind("Job"), batch.WithKind("CronJob")}
	}
	return nil
}

// labelled is whether any is watched there; that it cannot be told counts as one.
func (a absent) labelled(ctx context.Context, kind schema.GroupVersionKind, namespace string) bool {
	list := &metav1.PartialObjectMetadataList{}
	list.SetGroupVersionKind(kind.GroupVersion().WithKind(kind.Kind + "List"))
	err := a.pass.Watched.List(ctx, list, client.InNamespace(namespace), client.UnsafeDisableDeepCopy, client.Limit(1))
	return err != nil || len(list.Items) > 0
}
