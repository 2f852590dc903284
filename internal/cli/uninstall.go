package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/config"
)

func (a *app) uninstallCommand() *cobra.Command {
	var crds bool
	cmd := &cobra.Command{
		Use:   "uninstall",
		Short: "Remove the controller; traffic and workloads stay as they are",
		Long: `Remove the controller, its rights and the admission policy. Routes and workloads stay as they are, and so do Stacks and
Releases with the frozen content, so that installing it again goes on where it stopped. With --crds the kinds go too, and
every Stack, Release and Decision of the cluster with them; even then traffic and workloads stay.

The namespace is never deleted, as other things may be in it; with --crds, the command that removes what is left there is
shown. Where the controller runs in another namespace than -n says, nothing is removed. It can be repeated.`,
		Example: `  kubectl lockstep uninstall
  kubectl lockstep uninstall --crds`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.runUninstall(cmd.Context(), crds) },
	}
	cmd.Flags().BoolVar(&crds, "crds", false, "remove the kinds too, and with them every Stack, Release and Decision")
	return cmd
}

func (a *app) runUninstall(ctx context.Context, crds bool) error {
	objects, err := place{namespace: a.system()}.manifests()
	if err != nil {
		return err
	}
	c, err := a.cluster()
	if err != nil {
		return err
	}
	if err := a.mayUninstall(ctx, c); err != nil {
		return err
	}
	if err := a.warnOfActive(ctx, c); err != nil {
		return err
	}
	slices.Reverse(objects)
	if err := a.deleteAll(ctx, c, slices.DeleteFunc(objects, func(o *unstructured.Unstructured) bool { return stays(o, crds) })); err != nil {
		return err
	}
	if !crds {
		return nil
	}
	return a.tellWhatIsLeft(ctx, c)
}

// mayUninstall refuses where the controller runs elsewhere: the roles, the policy and the kinds are that one's. Where it
// runs nowhere, the uninstall before may have stopped halfway: the controller goes first.
func (a *app) mayUninstall(ctx context.Context, c *Cluster) error {
	list := &appsv1.DeploymentList{}
	if err := c.List(ctx, list, controllerLabels); err != nil {
		return fmt.Errorf("look for the controller: %w", explain(err))
	}
	var elsewhere []string
	for _, d := range list.Items {
		if d.Namespace == a.system() {
			return nil
		}
		elsewhere = append(elsewhere, d.Namespace)
	}
	if len(elsewhere) > 0 {
		return fmt.Errorf("the controller is not in namespace %s, but in %s; nothing was removed. Name its namespace: kubectl lockstep uninstall -n %s",
			a.system(), strings.Join(elsewhere, " and in "), elsewhere[0])
	}
	printf(a.ErrOut, "the cluster has no controller of Lockstep; anything else that is left of it is removed\n")
	return nil
}

func (a *app) deleteAll(ctx context.Context, c *Cluster, objects []*unstructured.Unstructured) error {
	deleted := 0
	for _, o := range objects {
		err := c.Delete(ctx, o, client.PropagationPolicy("Background"))
		if gone(err) {
			continue
		}
		if err != nil {
			return fmt.Errorf("delete %s %s: %w", o.GetKind(), o.GetName(), explain(err))
		}
		deleted++
		printf(a.Out, "%s %s deleted\n", o.GetKind(), o.GetName())
	}
	if deleted == 0 {
		printf(a.Out, "there was nothing to remove\n")
	}
	return nil
}

// stays: the kinds, as they hold the Stacks; and the namespace, as it holds the frozen content that a rollback applies,
// and whatever else its owner keeps there.
func stays(o *unstructured.Unstructured, crds bool) bool {
	return o.GetKind() == "Namespace" || !crds && isOurs(o)
}

// tellWhatIsLeft names the command that removes the frozen content, which is of no use without its Releases.
func (a *app) tellWhatIsLeft(ctx context.Context, c *Cluster) error {
	name := a.system()
	err := c.Get(ctx, client.ObjectKey{Name: name}, &corev1.Namespace{})
	switch {
	case gone(err):
		return nil
	case err != nil:
		return fmt.Errorf("look for namespace %s: %w", name, explain(err))
	case name == config.Namespace:
		printf(a.Out, "Namespace %s stays, with frozen content that nothing needs any more. Unless something else is in it too, remove both with\n  kubectl delete namespace %s\n", name, name)
	default:
		printf(a.Out, "Namespace %s stays. Frozen content in it, which nothing needs any more, is removed with\n  kubectl delete secrets -n %s -l %s\n", name, name, v1alpha1.LabelContent)
	}
	return nil
}

// warnOfActive says which releases are left where they are.
func (a *app) warnOfActive(ctx context.Context, c *Cluster) error {
	list := &v1alpha1.StackList{}
	if err := c.List(ctx, list); err != nil {
		if gone(err) {
			return nil
		}
		printf(a.ErrOut, "warning: Stacks cannot be listed: %v\n", explain(err))
		return nil
	}
	for _, s := range list.Items {
		if active := unitOf(&s).ActiveRelease; active != "" {
			printf(a.ErrOut, "warning: release %s of Stack %s/%s is under way, and is left as it is\n", active, s.Namespace, s.Name)
		}
	}
	return nil
}
