package apply

import (
	"context"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/internal/plan"
)

// prepareSlot makes the slot's namespace, and binds the Stack's ServiceAccount in it. A namespace that exists is used
// only if it consents, and never changed.
func (a *Applier) prepareSlot(ctx context.Context, s *plan.Snapshot, act plan.PrepareSlot) error {
	slot, err := slotOf(s, act.Slot)
	if err != nil {
		return err
	}
	if err := a.ensureNamespace(ctx, &s.Stack, slot); err != nil {
		return err
	}
	return a.bindReleaser(ctx, &s.Stack, slot.Namespace)
}

func (a *Applier) ensureNamespace(ctx context.Context, stack *v1alpha1.Stack, slot v1alpha1.Slot) error {
	ns := &corev1.Namespace{}
	err := a.Client.Get(ctx, types.NamespacedName{Name: slot.Namespace}, ns)
	if apierrors.IsNotFound(err) {
		return a.createNamespace(ctx, stack, slot)
	}
	if err != nil {
		return fmt.Errorf("reading namespace %s: %w", slot.Namespace, err)
	}
	if !ns.DeletionTimestamp.IsZero() {
		return refuse(v1alpha1.ReasonNamespaceTerminating, "namespace %s is being deleted; wait until it is gone, it is then made again", ns.Name)
	}
	return checkConsent(stack, ns)
}

func (a *Applier) createNamespace(ctx context.Context, stack *v1alpha1.Stack, slot v1alpha1.Slot) error {
	if !strings.HasPrefix(slot.Namespace, stack.Namespace+"-") {
		return refuse(v1alpha1.ReasonNamespaceMissing,
			"namespace %s of slot %s does not exist, and Lockstep makes only namespaces whose name begins with %s-; create it with the labels %s",
			slot.Namespace, slot.Name, stack.Namespace, consentOf(stack))
	}
	labels := stackLabels(stack)
	labels[v1alpha1.LabelSlot] = slot.Name
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: slot.Namespace, Labels: labels}}
	if err := a.Client.Create(ctx, ns, client.FieldOwner(managerSlots)); err != nil {
		return refused("making namespace "+slot.Namespace, err)
	}
	return nil
}

func checkConsent(stack *v1alpha1.Stack, ns *corev1.Namespace) error {
	for key, value := range stackLabels(stack) {
		if ns.Labels[key] != value {
			return refuse(v1alpha1.ReasonNamespaceNoConsent,
				"namespace %s exists and does not consent to be a slot of this Stack; if it may be used, label it: kubectl label namespace %s %s",
				ns.Name, ns.Name, consentOf(stack))
		}
	}
	return nil
}

func consentOf(stack *v1alpha1.Stack) string {
	return fmt.Sprintf("%s=%s %s=%s", v1alpha1.LabelStack, stack.Name, v1alpha1.LabelStackNamespace, stack.Namespace)
}

// bindReleaser gives the Stack's ServiceAccount the rights of lockstep-releaser in the slot. The namespace has consented.
func (a *Applier) bindReleaser(ctx context.Context, stack *v1alpha1.Stack, namespace string) error {
	want := &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: v1alpha1.ReleaserClusterRole, Labels: stackLabels(stack)},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: v1alpha1.ReleaserClusterRole},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: stack.Namespace, Name: serviceAccount(stack)}},
	}
	err := a.Client.Create(ctx, want.DeepCopy(), client.FieldOwner(managerSlots))
	if apierrors.IsAlreadyExists(err) {
		return a.rebindReleaser(ctx, want)
	}
	if err != nil {
		return refused(fmt.Sprintf("binding ServiceAccount %s in namespace %s", serviceAccount(stack), namespace), err)
	}
	return nil
}

// rebindReleaser sets the subjects of a RoleBinding that Lockstep made; one that binds another role is not touched.
func (a *Applier) rebindReleaser(ctx context.Context, want *rbacv1.RoleBinding) error {
	live := &rbacv1.RoleBinding{}
	if err := a.Client.Get(ctx, client.ObjectKeyFromObject(want), live); err != nil {
		return fmt.Errorf("reading RoleBinding %s/%s: %w", want.Namespace, want.Name, err)
	}
	if live.RoleRef != want.RoleRef {
		return refuse(v1alpha1.ReasonForbidden,
			"RoleBinding %s/%s exists and binds %s %s; delete it, Lockstep makes it again for ClusterRole %s",
			live.Namespace, live.Name, live.RoleRef.Kind, live.RoleRef.Name, want.RoleRef.Name)
	}
	if bound(live.Subjects, want.Subjects[0]) {
		return nil
	}
	live.Subjects = want.Subjects
	if err := a.Client.Update(ctx, live, client.FieldOwner(managerSlots)); err != nil {
		return refused(fmt.Sprintf("binding in namespace %s", want.Namespace), err)
	}
	return nil
}

func bound(subjects []rbacv1.Subject, want rbacv1.Subject) bool {
	for _, s := range subjects {
		if s.Kind == want.Kind && s.Namespace == want.Namespace && s.Name == want.Name {
			return true
		}
	}
	return false
}
