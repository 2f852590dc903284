package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

// deciding are the verbs on releases that a Decision takes.
var deciding = []string{"promote", "abort", "rollback", "retire"}

// checkMyRights says what the user may do in the namespace.
func checkMyRights(ctx context.Context, c *Cluster) []check {
	who, err := c.whoAmI(ctx)
	if err != nil {
		return []check{unknown("you", err)}
	}
	var may, mayNot []string
	for _, verb := range append([]string{"create"}, deciding...) {
		yes, err := c.mayI(ctx, verb, "releases")
		if err != nil {
			return []check{unknown("you", err)}
		}
		if yes {
			may = append(may, verb)
		} else {
			mayNot = append(mayNot, verb)
		}
	}
	message := fmt.Sprintf("%s in namespace %s: may %s", who, c.Namespace, orNothing(may))
	if len(mayNot) == 0 {
		return []check{good("you", "%s", message)}
	}
	return []check{doubtful("you", message+"; may not "+strings.Join(mayNot, ", "), "bind ClusterRole lockstep-pipeline to release, lockstep-decider to decide, if you should")}
}

func orNothing(words []string) string {
	if len(words) == 0 {
		return "do nothing with releases"
	}
	return strings.Join(words, ", ")
}

func (c *Cluster) mayI(ctx context.Context, verb, resource string) (bool, error) {
	review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{
		ResourceAttributes: &authorizationv1.ResourceAttributes{Namespace: c.Namespace, Group: v1alpha1.Group, Resource: resource, Verb: verb},
	}}
	err := c.Create(ctx, review)
	return review.Status.Allowed, err
}

// checkDeciders says who may promote in the namespace, as far as RBAC tells.
func checkDeciders(ctx context.Context, c *Cluster) check {
	who, err := c.deciders(ctx)
	switch {
	case err != nil:
		return unknown("deciders", err)
	case len(who) == 0:
		return doubtful("deciders", "RBAC lets no one promote in namespace "+c.Namespace, fmt.Sprintf("kubectl create rolebinding deciders -n %s --clusterrole=lockstep-decider --group=<group>", c.Namespace))
	}
	return good("deciders", "in namespace %s: %s", c.Namespace, strings.Join(who, ", "))
}

func (c *Cluster) deciders(ctx context.Context) ([]string, error) {
	roles, err := c.promotingRoles(ctx)
	if err != nil {
		return nil, err
	}
	var (
		wide   rbacv1.ClusterRoleBindingList
		narrow rbacv1.RoleBindingList
		who    []string
	)
	if err := c.List(ctx, &wide); err != nil {
		return nil, err
	}
	if err := c.List(ctx, &narrow, client.InNamespace(c.Namespace)); err != nil {
		return nil, err
	}
	for _, b := range wide.Items {
		who = append(who, subjectsOf(roles, b.RoleRef, b.Subjects)...)
	}
	for _, b := range narrow.Items {
		who = append(who, subjectsOf(roles, b.RoleRef, b.Subjects)...)
	}
	slices.Sort(who)
	return slices.Compact(who), nil
}

// promotingRoles are the roles, as kind/name, with the verb promote.
func (c *Cluster) promotingRoles(ctx context.Context) (map[string]bool, error) {
	var (
		wide   rbacv1.ClusterRoleList
		narrow rbacv1.RoleList
	)
	if err := c.List(ctx, &wide); err != nil {
		return nil, err
	}
	if err := c.List(ctx, &narrow, client.InNamespace(c.Namespace)); err != nil {
		return nil, err
	}
	roles := map[string]bool{}
	for _, r := range wide.Items {
		roles["ClusterRole/"+r.Name] = promotes(r.Rules)
	}
	for _, r := range narrow.Items {
		roles["Role/"+r.Name] = promotes(r.Rules)
	}
	return roles, nil
}

func promotes(rules []rbacv1.PolicyRule) bool {
	has := func(all []string, one string) bool { return slices.Contains(all, one) || slices.Contains(all, "*") }
	return slices.ContainsFunc(rules, func(r rbacv1.PolicyRule) bool {
		return has(r.APIGroups, v1alpha1.Group) && has(r.Resources, "releases") && has(r.Verbs, "promote")
	})
}

func subjectsOf(roles map[string]bool, ref rbacv1.RoleRef, subjects []rbacv1.Subject) []string {
	if !roles[ref.Kind+"/"+ref.Name] {
		return nil
	}
	var out []string
	for _, s := range subjects {
		name := s.Name
		if s.Kind == rbacv1.ServiceAccountKind {
			name = s.Namespace + "/" + s.Name
		}
		out = append(out, s.Kind+" "+name)
	}
	return out
}
