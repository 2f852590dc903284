package observe

import (
	"context"
	"strings"

	"golang.org/x/sync/errgroup"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/internal/plan"
)

// contents is what was read in the namespace of a slot.
type contents struct {
	deployments  appsv1.DeploymentList
	statefulSets appsv1.StatefulSetList
	daemonSets   appsv1.DaemonSetList
	jobs         batchv1.JobList
	cronJobs     batchv1.CronJobList
	pods         corev1.PodList
	services     corev1.ServiceList
	slices       discoveryv1.EndpointSliceList
	autoscalers  autoscalingv2.HorizontalPodAutoscalerList
}

func (c *contents) lists() []client.ObjectList {
	return []client.ObjectList{
		&c.deployments, &c.statefulSets, &c.daemonSets, &c.jobs, &c.cronJobs, &c.pods, &c.services, &c.slices, &c.autoscalers,
	}
}

// readSlot fills in what the namespace itself says, and keeps what is in it until the releases have been read.
func (p *pass) readSlot(ctx context.Context, i int) error {
	spec := p.stack.Spec.Slots[i]
	facts := &p.snapshot.Slots[i]
	*facts = plan.Slot{Name: spec.Name, Namespace: spec.Namespace}
	found := &contents{}
	g, inner := errgroup.WithContext(ctx)
	g.Go(func() error { return p.readNamespace(inner, facts) })
	g.Go(func() (err error) { facts.Bound, err = p.bound(inner, spec.Namespace); return err })
	for _, list := range found.lists() {
		g.Go(func() error {
			if p.none.of(inner, list, spec.Namespace) {
				return nil
			}
			return p.Live.List(inner, list, client.InNamespace(spec.Namespace))
		})
	}
	err := g.Wait()
	switch {
	case err == nil:
		p.contents[i] = found
		return nil
	case !lasting(err):
		return err
	}
	facts.Problem = problem(forbiddenOr(v1alpha1.ReasonSlotUnreadable, err), "slot %s (namespace %s) cannot be read: %v", spec.Name, spec.Namespace, err)
	return nil
}

func (p *pass) readNamespace(ctx context.Context, facts *plan.Slot) error {
	ns := &corev1.Namespace{}
	err := p.Live.Get(ctx, types.NamespacedName{Name: facts.Namespace}, ns)
	switch {
	case apierrors.IsNotFound(err):
		facts.Creatable = homely(p.stack, facts.Namespace)
		return nil
	case err != nil:
		return err
	}
	facts.Exists = true
	facts.Terminating = ns.DeletionTimestamp != nil || ns.Status.Phase == corev1.NamespaceTerminating
	facts.Consented = labelledFor(p.stack, ns.Labels)
	return nil
}

// homely namespaces are named after the Stack's own; the controller may make them, and bind roles in them.
func homely(stack *v1alpha1.Stack, namespace string) bool {
	return strings.HasPrefix(namespace, stack.Namespace+"-")
}

func labelledFor(stack *v1alpha1.Stack, labels map[string]string) bool {
	return labels[v1alpha1.LabelStack] == stack.Name && labels[v1alpha1.LabelStackNamespace] == stack.Namespace
}

// bound takes namespaces that an administrator made as bound: rights there are theirs to give, and the preflight finds
// out which are missing.
func (p *pass) bound(ctx context.Context, namespace string) (bool, error) {
	if !homely(p.stack, namespace) || !p.deploying() {
		return true, nil
	}
	binding := &rbacv1.RoleBinding{}
	err := p.Live.Get(ctx, types.NamespacedName{Namespace: namespace, Name: v1alpha1.ReleaserClusterRole}, binding)
	if err != nil {
		return false, client.IgnoreNotFound(err)
	}
	return binds(binding, p.stack), nil
}

// deploying is whether a slot may have to be made ready; its rights are found out by using them otherwise.
func (p *pass) deploying() bool {
	if len(p.stack.Status.Units) == 0 {
		return true
	}
	step := p.step()
	return step != nil && (step.Kind == v1alpha1.StepRender || step.Kind == v1alpha1.StepDeploy)
}

func binds(b *rbacv1.RoleBinding, stack *v1alpha1.Stack) bool {
	if b.RoleRef.Kind != "ClusterRole" || b.RoleRef.Name != v1alpha1.ReleaserClusterRole {
		return false
	}
	for _, s := range b.Subjects {
		if s.Kind == rbacv1.ServiceAccountKind && s.Name == stack.Spec.ServiceAccountName && s.Namespace == stack.Namespace {
			return true
		}
	}
	return false
}
