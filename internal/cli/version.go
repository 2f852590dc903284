package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
	appsv1 "k8s.io/api/apps/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lockstep-dev/lockstep/config"
)

type versions struct {
	Client     string `json:"client"`
	Controller string `json:"controller,omitempty"`
	// Installed is the version of the command that installed the controller.
	Installed string `json:"installed,omitempty"`
	Problem   string `json:"problem,omitempty"`
	Kinds     *skew  `json:"kinds,omitempty"`
}

func (a *app) versionCommand() *cobra.Command {
	var (
		o          output
		clientOnly bool
	)
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Show the version of this command, and of the controller in the cluster",
		Long: `Show the version of this command, of the controller in the cluster, and whether both know the same fields. Every command
that works with Stacks warns where they do not.`,
		Example: `  kubectl lockstep version --client`,
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			v := versions{Client: a.Version}
			if !clientOnly {
				a.serverVersions(cmd.Context(), &v)
			}
			return a.printVersions(v, o)
		},
	}
	cmd.Flags().BoolVar(&clientOnly, "client", false, "this command alone")
	outputFlag(cmd, &o, outputJSON, outputYAML)
	return cmd
}

func (a *app) printVersions(v versions, o output) error {
	if o.structured() {
		return o.encode(a.Out, v)
	}
	printf(a.Out, "client:     %s\n", v.Client)
	if v.Controller != "" {
		printf(a.Out, "controller: %s\n", v.Controller)
	}
	if v.Installed != "" {
		printf(a.Out, "installed:  %s\n", v.Installed)
	}
	if v.Problem != "" {
		printf(a.Out, "controller: %s\n", v.Problem)
	}
	if v.Kinds != nil {
		printf(a.Out, "kinds:      %s\n", v.Kinds.sentence(a.Version))
	}
	return nil
}

// serverVersions finds out what the cluster has.
func (a *app) serverVersions(ctx context.Context, v *versions) {
	c, err := a.cluster()
	if err != nil {
		v.Problem = err.Error()
		return
	}
	d, err := c.controller(ctx)
	switch {
	case err != nil:
		v.Problem = explain(err).Error()
	case d == nil:
		v.Problem = "not found; install it with kubectl lockstep install"
	default:
		v.Controller = fmt.Sprintf("%s (%s/%s)", d.Spec.Template.Spec.Containers[0].Image, d.Namespace, d.Name)
		v.Installed = d.Annotations[config.AnnotationVersion]
	}
	if found, err := c.skew(ctx); err == nil {
		v.Kinds = found
	}
}

// controllerLabels are on the controller's Deployment.
var controllerLabels = client.MatchingLabels{"app.kubernetes.io/name": "lockstep", "app.kubernetes.io/component": "controller"}

// controller finds the Deployment of the controller, in whatever namespace it runs; nil where there is none.
func (c *Cluster) controller(ctx context.Context) (*appsv1.Deployment, error) {
	list := &appsv1.DeploymentList{}
	if err := c.List(ctx, list, controllerLabels); err != nil {
		return nil, err
	}
	if len(list.Items) == 0 || len(list.Items[0].Spec.Template.Spec.Containers) == 0 {
		return nil, nil
	}
	return &list.Items[0], nil
}
