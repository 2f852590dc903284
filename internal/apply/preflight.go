package apply

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/internal/plan"
	"github.com/lockstep-dev/lockstep/internal/render"
)

// preflight finds out whether the content could be applied, before anything of it is: every object is dry-run with the
// rights of the Stack's ServiceAccount, and what the Pods will ask for is looked up.
func (a *Applier) preflight(ctx context.Context, s *plan.Snapshot, act plan.Preflight) (looked, error) {
	if err := a.checkServiceAccount(ctx, &s.Stack); err != nil {
		return looked{}, err
	}
	w, err := a.openSlot(ctx, s, act.Release, act.Slot)
	if err != nil {
		return looked{}, err
	}
	var found problems
	for _, look := range []func(context.Context, *problems) error{
		w.dryRun,
		w.checkReferences,
		func(ctx context.Context, found *problems) error {
			return w.checkQuotas(ctx, act.Sizes, previewSize, found)
		},
	} {
		if err := look(ctx, &found); err != nil {
			return looked{}, err
		}
	}
	if len(found) > 0 {
		return looked{}, a.unlessNew(ctx, w, found.refusal())
	}
	seen, err := a.checkCapacity(ctx, w, act, &found)
	if err != nil {
		return looked{}, err
	}
	return seen, found.refusal()
}

// rightsGrace is how long the API server may take to know of a RoleBinding.
const rightsGrace = 15 * time.Second

// unlessNew keeps a slot whose RoleBinding was only just made from being refused for want of rights.
func (a *Applier) unlessNew(ctx context.Context, w *slotWork, err error) error {
	if reasonOf(err) != v1alpha1.ReasonForbidden {
		return err
	}
	binding := &metav1.PartialObjectMetadata{}
	binding.SetGroupVersionKind(rbacv1.SchemeGroupVersion.WithKind("RoleBinding"))
	key := types.NamespacedName{Namespace: w.slot.Namespace, Name: v1alpha1.ReleaserClusterRole}
	if a.Client.Get(ctx, key, binding) != nil {
		return err
	}
	if age := a.Clock().Sub(binding.CreationTimestamp.Time); age.Abs() < rightsGrace {
		return fmt.Errorf("slot %s: the rights were granted only %s ago, and are not in force yet (%s)", w.slot.Name, age.Round(time.Second), err.Error())
	}
	return err
}

func (a *Applier) checkServiceAccount(ctx context.Context, stack *v1alpha1.Stack) error {
	account := &metav1.PartialObjectMetadata{}
	account.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("ServiceAccount"))
	key := types.NamespacedName{Namespace: stack.Namespace, Name: serviceAccount(stack)}
	err := a.Client.Get(ctx, key, account)
	if apierrors.IsNotFound(err) {
		return refuse(v1alpha1.ReasonServiceAccountMissing,
			"ServiceAccount %s, with whose rights the release is applied, does not exist; make it and give it its rights: %s && %s",
			key, createAccountCommand(stack), grantCommand(stack, stack.Namespace))
	}
	if err != nil {
		return fmt.Errorf("reading ServiceAccount %s: %w", key, err)
	}
	return nil
}

// ranks orders the reasons: what must be put right first hides what would only follow from it.
var ranks = []string{
	v1alpha1.ReasonForbidden,
	v1alpha1.ReasonNamespaceTerminating,
	v1alpha1.ReasonClusterScoped,
	v1alpha1.ReasonAdmissionRefused,
	v1alpha1.ReasonReferenceMissing,
	v1alpha1.ReasonQuotaExceeded,
	v1alpha1.ReasonCapacityShort,
}

// maxProblems bounds how many problems of a kind are listed.
const maxProblems = 10

// problems are the messages that were found, by reason.
type problems map[string][]string

func (p *problems) add(reason, format string, args ...any) {
	if *p == nil {
		*p = problems{}
	}
	message := fmt.Sprintf(format, args...)
	if !slices.Contains((*p)[reason], message) {
		(*p)[reason] = append((*p)[reason], message)
	}
}

// take adds a Refusal, and returns any other error.
func (p *problems) take(err error) error {
	reason := reasonOf(err)
	if reason == "" {
		return err
	}
	p.add(reason, "%s", err.Error())
	return nil
}

// refusal lists the problems of the highest rank; nil where there are none.
func (p *problems) refusal() error {
	for _, reason := range ranks {
		if all := (*p)[reason]; len(all) > 0 {
			return refuse(reason, "%s", listed(all, maxProblems))
		}
	}
	for reason, all := range *p {
		return refuse(reason, "%s", listed(all, maxProblems))
	}
	return nil
}

// dryRun tries all objects at once, and says what was found in their order.
func (w *slotWork) dryRun(ctx context.Context, found *problems) error {
	tried := make([]error, len(w.objects))
	group := errgroup.Group{}
	group.SetLimit(applyAtOnce)
	for i, object := range w.objects {
		if w.isUnfit(object, found) {
			continue
		}
		group.Go(func() error {
			tried[i] = w.tryApply(ctx, object)
			return nil
		})
	}
	_ = group.Wait()
	for _, err := range tried {
		if err := found.take(err); err != nil {
			return err
		}
	}
	return nil
}

// isUnfit is whether this cluster knows that the object's kind cannot be part of a slot: rendering knows no cluster.
func (w *slotWork) isUnfit(object *unstructured.Unstructured, found *problems) bool {
	gvk := object.GroupVersionKind()
	mapping, err := w.team.RESTMapper().RESTMapping(gvk.GroupKind(), gvk.Version)
	if meta.IsNoMatchError(err) {
		found.add(v1alpha1.ReasonAdmissionRefused,
			"this cluster does not know %s %s (%s); install what defines it, or list it in spec.ignore", gvk.Kind, object.GetName(), gvk.GroupVersion())
		return true
	}
	if err == nil && mapping.Scope.Name() != meta.RESTScopeNameNamespace {
		found.add(v1alpha1.ReasonClusterScoped,
			"%s %s is cluster-scoped, and would be shared by all slots; install it apart from the stack, or list it in spec.ignore", gvk.Kind, object.GetName())
		return true
	}
	return false
}

func (w *slotWork) tryApply(ctx context.Context, want *unstructured.Unstructured) error {
	object := want.DeepCopy()
	if isWorkload(want) {
		object = render.WithoutReplicas(want)
	}
	err := w.team.Apply(ctx, client.ApplyConfigurationFromUnstructured(object),
		client.DryRunAll, client.ForceOwnership, client.FieldOwner(v1alpha1.ManagerContent))
	if isUnchangeable(err) && isWorkload(want) {
		return nil // it is made again
	}
	if isUnchangeable(err) {
		return refuse(v1alpha1.ReasonAdmissionRefused,
			"slot %s: %s exists there with a field that cannot be changed (%s); delete it, the slot is not live: kubectl delete %s %s --namespace %s",
			w.slot.Name, nameOf(want), said(err), strings.ToLower(want.GetKind()), want.GetName(), w.slot.Namespace)
	}
	return w.refused("applying (dry-run)", want, err)
}
