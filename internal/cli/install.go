package cli

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"time"

	"github.com/spf13/cobra"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/duration"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lockstep-dev/lockstep/config"
)

// fieldOwner is the field manager of what install applies.
const fieldOwner = client.FieldOwner("kubectl-lockstep")

type installFlags struct {
	place
	print   bool
	wait    bool
	timeout time.Duration
}

func (a *app) installCommand() *cobra.Command {
	f := &installFlags{}
	cmd := &cobra.Command{
		Use:   "install",
		Short: "Install Lockstep, or bring it up to the version of this command",
		Long: `Apply the kinds, the rights, the admission policy and the controller that this command carries, in that order. It can be
repeated, and is how Lockstep is upgraded. Needs the rights of a cluster administrator.

The namespace (lockstep-system, or that of -n) is made where it is missing. One that exists keeps its labels as they are.`,
		Example: `  kubectl lockstep install
  kubectl lockstep install --print > lockstep.yaml               # for Git
  kubectl lockstep install --registry registry.example.com/ops   # with images from a registry of your own
  kubectl lockstep install --registry registry.example.com/ops --digest sha256:…`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.runInstall(cmd.Context(), f) },
	}
	cmd.Flags().StringVar(&f.Registry, "registry", "", "take the images from this registry and path")
	cmd.Flags().StringVar(&f.Registry, "image-prefix", "", "the same as --registry")
	cmd.Flags().StringVar(&f.Tag, "tag", "", "take the images of this tag")
	cmd.Flags().StringVar(&f.Digest, "digest", "", "take the image of this digest (sha256:…), whatever its tags say")
	cmd.Flags().BoolVar(&f.print, "print", false, "print the manifests, and apply nothing")
	cmd.Flags().BoolVar(&f.wait, "wait", true, "wait until the controller runs")
	cmd.Flags().DurationVar(&f.timeout, "timeout", 3*time.Minute, "how long to wait")
	return cmd
}

// digest of an image.
var digest = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)

// system is the namespace of the controller: -n where it is given.
func (a *app) system() string {
	if a.flags.Namespace != nil && *a.flags.Namespace != "" {
		return *a.flags.Namespace
	}
	return config.Namespace
}

func (a *app) runInstall(ctx context.Context, f *installFlags) error {
	f.namespace, f.Version = a.system(), a.Version
	if f.Digest != "" && f.Tag != "" {
		return usagef("give --tag or --digest, not both: a digest is used whatever the tag says")
	}
	if f.Digest != "" && !digest.MatchString(f.Digest) {
		return usagef("--digest %s: give sha256: and 64 hexadecimal digits, as your registry shows them", f.Digest)
	}
	objects, err := f.manifests()
	if err != nil {
		return err
	}
	if f.print {
		return a.printManifests(objects)
	}
	c, err := a.cluster()
	if err != nil {
		return err
	}
	for _, o := range objects {
		done, err := c.install(ctx, o)
		if err != nil {
			return fmt.Errorf("apply %s %s: %w", o.GetKind(), o.GetName(), explain(err))
		}
		printf(a.Out, "%s %s %s\n", o.GetKind(), o.GetName(), done)
	}
	if !f.wait {
		return nil
	}
	return a.waitForController(ctx, c, f)
}

// install applies an object, and says what became of it. A namespace that exists is left as it is: it may be another's, and
// stricter labels would keep what else is in it from running.
func (c *Cluster) install(ctx context.Context, o *unstructured.Unstructured) (string, error) {
	if o.GetKind() == "Namespace" {
		err := c.Get(ctx, client.ObjectKeyFromObject(o), &corev1.Namespace{})
		if err == nil {
			return "is there, and stays as it is", nil
		}
		if !gone(err) {
			return "", err
		}
	}
	return "applied", c.Apply(ctx, client.ApplyConfigurationFromUnstructured(o), fieldOwner, client.ForceOwnership)
}

func (a *app) printManifests(objects []*unstructured.Unstructured) error {
	raw, err := printObjects(objects)
	if err != nil {
		return err
	}
	_, err = a.Out.Write(raw)
	return err
}

func (a *app) waitForController(ctx context.Context, c *Cluster, f *installFlags) error {
	say := &progress{out: a.ErrOut, now: a.Clock.Now, began: a.Clock.Now()}
	err := a.until(ctx, c, f.timeout, func(ctx context.Context) (bool, error) {
		d, err := c.controller(ctx)
		if err != nil || d == nil {
			return false, err
		}
		ready, why := rolledOut(d)
		say.line(why)
		return ready, nil
	}, target{&appsv1.DeploymentList{}, f.namespace})
	if errors.Is(err, errTimeUp) {
		return timedOutf("the controller does not run after %s: %s. See kubectl -n %s get pods, and kubectl lockstep doctor", duration.HumanDuration(f.timeout), say.last, f.namespace)
	}
	return explain(err)
}

// rolledOut reports whether every replica of a Deployment is the present one, and ready.
func rolledOut(d *appsv1.Deployment) (bool, string) {
	want := int32(1)
	if d.Spec.Replicas != nil {
		want = *d.Spec.Replicas
	}
	s := d.Status
	ready := s.ObservedGeneration >= d.Generation && s.UpdatedReplicas >= want && s.AvailableReplicas >= want && s.Replicas == s.UpdatedReplicas
	if ready {
		return true, "the controller runs"
	}
	why := fmt.Sprintf("%d of %d replicas of the controller are ready", min(s.AvailableReplicas, s.UpdatedReplicas), want)
	stuck := slices.IndexFunc(s.Conditions, func(c appsv1.DeploymentCondition) bool {
		return c.Type == appsv1.DeploymentProgressing && c.Status == corev1.ConditionFalse
	})
	if stuck >= 0 {
		why += ": " + s.Conditions[stuck].Message
	}
	return false, why
}
