package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
	appsv1 "k8s.io/api/apps/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

type versions struct {
	Client     string `json:"client"`
	Controller string `json:"controller,omitempty"`
	Problem    string `json:"problem,omitempty"`
}

func (a *app) versionCommand() *cobra.Command {
	var (
		o          output
		clientOnly bool
	)
	cmd := &cobra.Command{
		Use:     "version",
		Short:   "Show the version of this command, and of the controller in the cluster",
		Example: `  kubectl lockstep version --client`,
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			v := versions{Client: a.Version}
			if !clientOnly {
				v.Controller, v.Problem = a.controllerVersion(cmd.Context())
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
	if v.Problem != "" {
		printf(a.Out, "controller: %s\n", v.Problem)
	}
	return nil
}

func (a *app) controllerVersion(ctx context.Context) (image, problem string) {
	c, err := a.cluster()
	if err != nil {
		return "", err.Error()
	}
	d, err := c.controller(ctx)
	switch {
	case err != nil:
		return "", explain(err).Error()
	case d == nil:
		return "", "not found; install it with kubectl lockstep install"
	}
	return fmt.Sprintf("%s (%s/%s)", d.Spec.Template.Spec.Containers[0].Image, d.Namespace, d.Name), ""
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
