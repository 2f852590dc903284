package cli

import (
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/internal/view"
)

// input reads what a view of a Stack is made of. What runs in the slots is left out where it may not be read.
func (a *app) input(ctx context.Context, c *Cluster, name string, members bool) (view.Input, error) {
	in := view.Input{Namespace: c.Default, Objects: map[string]view.SlotObjects{}}
	stack, err := c.stack(ctx, []string{name})
	if err != nil {
		return in, err
	}
	in.Stack = *stack
	if in.Releases, err = c.releases(ctx, stack); err != nil {
		return in, err
	}
	if in.Decisions, err = c.decisions(ctx, stack, in.Releases); err != nil {
		return in, err
	}
	if members {
		for _, slot := range view.Slots(stack) {
			in.Objects[slot.Name] = c.slotObjects(ctx, slot)
		}
	}
	in.Now = a.Clock.Now()
	return in, nil
}

func (c *Cluster) slotObjects(ctx context.Context, slot v1alpha1.Slot) view.SlotObjects {
	var (
		deployments  appsv1.DeploymentList
		statefulSets appsv1.StatefulSetList
		daemonSets   appsv1.DaemonSetList
		cronJobs     batchv1.CronJobList
		jobs         batchv1.JobList
		pods         corev1.PodList
	)
	for _, list := range []client.ObjectList{&deployments, &statefulSets, &daemonSets, &cronJobs, &jobs} {
		if err := c.List(ctx, list, client.InNamespace(slot.Namespace)); err != nil {
			return view.SlotObjects{Problem: unreadable(slot, err)}
		}
	}
	// Pods only say more about what is not ready; a reader without the right to them sees the rest.
	_ = c.List(ctx, &pods, client.InNamespace(slot.Namespace), client.HasLabels{v1alpha1.LabelMember})
	return view.SlotObjects{
		Deployments: deployments.Items, StatefulSets: statefulSets.Items, DaemonSets: daemonSets.Items,
		CronJobs: cronJobs.Items, Jobs: jobs.Items, Pods: pods.Items,
	}
}

func unreadable(slot v1alpha1.Slot, err error) string {
	if apierrors.IsForbidden(err) {
		return fmt.Sprintf("you may not read workloads in namespace %s; members are shown as released", slot.Namespace)
	}
	return fmt.Sprintf("namespace %s cannot be read: %v", slot.Namespace, err)
}
