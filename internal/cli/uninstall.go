package cli

import (
	"context"
	"fmt"
	"slices"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

func (a *app) uninstallCommand() *cobra.Command {
	var crds bool
	cmd := &cobra.Command{
		Use:   "uninstall",
		Short: "Remove the controller; traffic and workloads stay as they are",
		Long: `Remove the controller, its rights and the admission policy. Routes and workloads stay as they are, and so do Stacks and
Releases with the frozen content, so that installing it again goes on where it stopped. With --crds the kinds go too, and
every Stack, Release and Decision of the cluster with them; even then traffic and workloads stay.`,
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
	if err := a.warnOfActive(ctx, c); err != nil {
		return err
	}
	slices.Reverse(objects)
	for _, o := range objects {
		if stays(o, crds) {
			continue
		}
		err := c.Delete(ctx, o, client.PropagationPolicy("Background"))
		if gone(err) {
			continue
		}
		if err != nil {
			return fmt.Errorf("delete %s %s: %w", o.GetKind(), o.GetName(), explain(err))
		}
		printf(a.Out, "%s %s deleted\n", o.GetKind(), o.GetName())
	}
	return nil
}

// stays: the kinds, as they hold the Stacks; and the namespace, as it holds the frozen content that a rollback applies.
func stays(o *unstructured.Unstructured, crds bool) bool {
	return !crds && (isOurs(o) || o.GetKind() == "Namespace")
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
