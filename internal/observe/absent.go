package observe

import (
	"context"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
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

func (p *pass) absent() absent {
	a := absent{pass: p, kinds: map[string]bool{}}
	if p.Watched == nil || p.remembered.noReleases != nil {
		return a
	}
	started := map[string]bool{}
	for i := range p.remembered.releases {
		if r := &p.remembered.releases[i]; r.Status.Started != nil {
			started[r.Name] = true
			for _, m := range r.Status.Started.Members {
				a.kinds[m.Kind] = true
			}
		}
	}
	a.known = !slices.ContainsFunc(spokenOf(p.stack), func(name string) bool { return !started[name] })
	return a
}

// of is whether there is none of a list's kind that could belong to the Stack in a namespace.
func (a absent) of(ctx context.Context, list client.ObjectList, namespace string) bool {
	kinds := kindsBehind(list)
	for _, kind := range kinds {
		if !a.known || a.kinds[kind.Kind] || a.labelled(ctx, kind, namespace) {
			return false
		}
	}
	return len(kinds) > 0
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
