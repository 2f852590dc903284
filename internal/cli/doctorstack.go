package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/internal/entry"
	"github.com/lockstep-dev/lockstep/internal/plan"
)

func schemaKind(group, kind string) schema.GroupKind {
	return schema.GroupKind{Group: group, Kind: kind}
}

func accountOf(stack *v1alpha1.Stack) string {
	return "system:serviceaccount:" + stack.Namespace + ":" + stack.Spec.ServiceAccountName
}

// checkServiceAccount looks at the account with whose rights content and routes are applied.
func checkServiceAccount(ctx context.Context, c *Cluster, stack *v1alpha1.Stack) []check {
	name := stack.Spec.ServiceAccountName
	err := c.Get(ctx, client.ObjectKey{Namespace: stack.Namespace, Name: name}, &corev1.ServiceAccount{})
	switch {
	case gone(err):
		return []check{bad("account", fmt.Sprintf("there is no ServiceAccount %s in namespace %s", name, stack.Namespace), fmt.Sprintf("kubectl -n %s create serviceaccount %s", stack.Namespace, name))}
	case err != nil:
		return []check{unknown("account", err)}
	}
	checks := []check{good("account", "ServiceAccount %s/%s is there", stack.Namespace, name)}
	if name != v1alpha1.DefaultServiceAccount {
		checks = append(checks, checkImpersonation(ctx, c, stack))
	}
	return append(checks, checkRouteRights(ctx, c, stack)...)
}

// checkImpersonation asks whether the controller may act as an account that is not the one that it may by default.
func checkImpersonation(ctx context.Context, c *Cluster, stack *v1alpha1.Stack) check {
	name := stack.Spec.ServiceAccountName
	d, err := c.controller(ctx)
	if err != nil || d == nil {
		return doubtful("impersonation", "whether the controller may act as "+name+" is not known", "look at ClusterRole lockstep-controller")
	}
	user := "system:serviceaccount:" + d.Namespace + ":" + d.Spec.Template.Spec.ServiceAccountName
	allowed, err := c.may(ctx, user, authorizationv1.ResourceAttributes{Namespace: stack.Namespace, Resource: "serviceaccounts", Name: name, Verb: "impersonate"})
	switch {
	case err != nil:
		return unknown("impersonation", err)
	case !allowed:
		return bad("impersonation", "the controller may not act as ServiceAccount "+name, "let it: a ClusterRole with impersonate on serviceaccounts named "+name+", bound to "+user+"; or use "+v1alpha1.DefaultServiceAccount)
	}
	return good("impersonation", "the controller may act as %s", name)
}

// checkRouteRights asks for the right on the route of that name: a Role may name it.
func checkRouteRights(ctx context.Context, c *Cluster, stack *v1alpha1.Stack) []check {
	var checks []check
	for _, spec := range entry.Specs(stack) {
		if spec.Testers {
			continue
		}
		route, _ := meta.UnsafeGuessKindToResource(spec.Kind()) // routes and Services are called after their kinds
		checks = append(checks, checkRight(ctx, c, stack, "rights at entry "+spec.Entry.Name, spec.Key().Namespace, authorizationv1.ResourceAttributes{
			Namespace: spec.Key().Namespace, Group: route.Group, Resource: route.Resource, Name: spec.Key().Name, Verb: "update",
		}))
	}
	return checks
}

func checkRight(ctx context.Context, c *Cluster, stack *v1alpha1.Stack, name, namespace string, what authorizationv1.ResourceAttributes) check {
	allowed, err := c.may(ctx, accountOf(stack), what)
	text := fmt.Sprintf("%s %s in namespace %s", what.Verb, what.Resource, namespace)
	switch {
	case err != nil:
		return unknown(name, err)
	case !allowed:
		return bad(name, fmt.Sprintf("ServiceAccount %s may not %s", stack.Spec.ServiceAccountName, text), bindRemedy(stack, namespace))
	}
	return good(name, "%s may %s", stack.Spec.ServiceAccountName, text)
}

func bindRemedy(stack *v1alpha1.Stack, namespace string) string {
	return fmt.Sprintf("kubectl -n %s create rolebinding %s --clusterrole=%s --serviceaccount=%s:%s",
		namespace, v1alpha1.ReleaserClusterRole, v1alpha1.ReleaserClusterRole, stack.Namespace, stack.Spec.ServiceAccountName)
}

// may asks what another user may do. It takes the right to ask.
func (c *Cluster) may(ctx context.Context, user string, what authorizationv1.ResourceAttributes) (bool, error) {
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{User: user, Groups: accountGroups(user), ResourceAttributes: &what}}
	err := c.Create(ctx, review)
	if !apierrors.IsForbidden(err) {
		return review.Status.Allowed, err
	}
	local := &authorizationv1.LocalSubjectAccessReview{Spec: review.Spec}
	local.Namespace = what.Namespace
	err = c.Create(ctx, local)
	return local.Status.Allowed, err
}

// accountGroups are the groups that a ServiceAccount is in.
func accountGroups(user string) []string {
	parts := strings.Split(user, ":")
	return []string{"system:serviceaccounts", "system:serviceaccounts:" + parts[2], "system:authenticated"}
}

func checkSlots(ctx context.Context, c *Cluster, s *plan.Snapshot) []check {
	var checks []check
	for _, slot := range s.Slots {
		checks = append(checks, checkSlot(&s.Stack, slot))
		if slot.Exists && slot.Problem == nil {
			checks = append(checks, checkRight(ctx, c, &s.Stack, "rights in "+slot.Name, slot.Namespace,
				authorizationv1.ResourceAttributes{Namespace: slot.Namespace, Group: "apps", Resource: "deployments", Verb: "create"}))
		}
	}
	return checks
}

func checkSlot(stack *v1alpha1.Stack, slot plan.Slot) check {
	name := "slot " + slot.Name
	consent := fmt.Sprintf("kubectl label namespace %s %s=%s %s=%s", slot.Namespace, v1alpha1.LabelStack, stack.Name, v1alpha1.LabelStackNamespace, stack.Namespace)
	switch {
	case slot.Problem != nil && hidden(slot.Problem):
		return unknown(name, errors.New(slot.Problem.Message))
	case slot.Problem != nil:
		return bad(name, slot.Problem.Reason+": "+slot.Problem.Message, "")
	case !slot.Exists && slot.Creatable:
		return good(name, "namespace %s is made with the first release", slot.Namespace)
	case !slot.Exists:
		return bad(name, "there is no namespace "+slot.Namespace, "kubectl create namespace "+slot.Namespace+" && "+consent)
	case slot.Terminating:
		return bad(name, "namespace "+slot.Namespace+" is being deleted", "wait until it is gone, or find what holds it: kubectl get namespace "+slot.Namespace+" -o yaml")
	case !slot.Consented:
		return bad(name, "namespace "+slot.Namespace+" has not agreed to be a slot of this Stack", consent)
	}
	return good(name, "namespace %s agrees", slot.Namespace)
}

// hidden reports whether a problem is that of whoever looks: they may not read what the controller may.
func hidden(p *plan.Problem) bool {
	return p.Reason == v1alpha1.ReasonForbidden || p.Reason == v1alpha1.ReasonEntryUnreadable
}

func checkEntries(s *plan.Snapshot) []check {
	var checks []check
	for _, e := range s.Entries {
		checks = append(checks, checkEntry(e))
	}
	return checks
}

func checkEntry(e plan.Entry) check {
	name := "entry " + e.Name
	evidence := evidenceOf(e)
	switch {
	case e.Problem != nil && hidden(e.Problem):
		return unknown(name, errors.New(e.Problem.Message))
	case e.Problem != nil:
		return bad(name, e.Problem.Reason+": "+e.Problem.Message, "")
	case !e.Exists:
		return good(name, "its route is made with the first release")
	case e.Epoch == 0:
		return good(name, "the route is there, and Lockstep has not written it yet")
	case e.Require == v1alpha1.EvidenceServed && !e.Served:
		return doubtful(name, fmt.Sprintf("evidence is %s, and Served is asked for. %s", evidence, e.Message), "see whether the gateway's Pods are ready and reachable from the controller; where they cannot be asked, set requireEvidence: Accepted")
	}
	return good(name, "evidence is %s", evidence)
}

func evidenceOf(e plan.Entry) v1alpha1.Evidence {
	switch {
	case e.Served:
		return v1alpha1.EvidenceServed
	case e.Accepted:
		return v1alpha1.EvidenceAccepted
	case e.Epoch > 0:
		return v1alpha1.EvidenceWritten
	}
	return v1alpha1.EvidenceNone
}
