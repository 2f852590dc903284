package cli

import (
	"context"
	"fmt"
	"regexp"
	"strings"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/internal/plan"
	"github.com/lockstep-dev/lockstep/internal/view"
)

type releaseFlags struct {
	revision string
	images   []string
	slot     string
	retry    bool
	wait     waitFlags
	output   output
}

func (a *app) releaseCommand() *cobra.Command {
	f := &releaseFlags{}
	cmd := &cobra.Command{
		Use:   "release [STACK]",
		Short: "Release a version of the whole stack",
		Long: `Make a Release: one version of the whole stack. It is deployed to a free slot, beside what users are on, proven, and
held until it is promoted (or moved to at once, where the Stack says promotion: Auto).

With --revision, making it twice is making it once: a pipeline can be run again. Without it, or with the Stack's own
branch, the head of the branch is released, and each call makes a release of its own. Inline objects have no revision:
what the Stack holds is released, and once, until it changes.

A pipeline needs the ClusterRole lockstep-pipeline in the Stack's namespace; to promote, abort or roll back, lockstep-decider.`,
		Example: `  kubectl lockstep release shop                                   # the head of the branch
  kubectl lockstep release shop --revision v1.4.2 --wait=Hold     # a tag; wait until it can be tested
  kubectl lockstep release shop --revision v1.4.2 --retry         # once more, after it failed
  kubectl lockstep release shop --image cart=registry/cart:fix    # with another image for a member`,
		Args:              atMostOne,
		ValidArgsFunction: a.completeStacks,
		RunE:              func(cmd *cobra.Command, args []string) error { return a.runRelease(cmd.Context(), f, args) },
	}
	cmd.Flags().StringVar(&f.revision, "revision", "", "branch, tag or commit to release (default: the Stack's source.git.ref)")
	cmd.Flags().StringArrayVar(&f.images, "image", nil, "replace an image: member[/container]=image; may be repeated")
	cmd.Flags().StringVar(&f.slot, "slot", "", "the slot to deploy to; the live one is refused (default: a free one)")
	cmd.Flags().BoolVar(&f.retry, "retry", false, "try a revision again that was aborted, failed or rolled back")
	f.wait.add(cmd, goalLive, goalHold, goalLive, goalDone)
	outputFlag(cmd, &f.output, outputJSON, outputYAML, outputName)
	return cmd
}

func (a *app) runRelease(ctx context.Context, f *releaseFlags, args []string) error {
	images, err := parseImages(f.images)
	if err != nil {
		return err
	}
	c, stack, err := a.stack(ctx, args)
	if err != nil {
		return err
	}
	return a.releaseAs(ctx, c, stack, f, images)
}

// releaseAs makes a Release, and waits for what --wait asks for.
func (a *app) releaseAs(ctx context.Context, c *Cluster, stack *v1alpha1.Stack, f *releaseFlags, images []v1alpha1.ImageOverride) error {
	if err := f.pin(stack); err != nil {
		return err
	}
	r, err := a.makeRelease(ctx, c, stack, f, images)
	if err != nil {
		return err
	}
	if f.output != outputText {
		if err := f.output.object(a.Out, r, c.Scheme()); err != nil {
			return err
		}
	}
	if f.wait.goal == goalNone {
		return nil
	}
	return a.wait(ctx, c, stack, r.Name, f.wait.goal, f.wait.limit())
}

// pin ties a release of inline objects to those that the Stack holds now: they have no revision that people could name.
func (f *releaseFlags) pin(stack *v1alpha1.Stack) error {
	now := plan.InlineRevision(stack.Spec.Source)
	if now == "" {
		return nil
	}
	if f.revision != "" && f.revision != now {
		return usagef("Stack %s has its objects inline, and no repository that could have the revision %s; leave --revision out, and what the Stack holds now is released", stack.Name, f.revision)
	}
	f.revision = now
	return nil
}

func (a *app) makeRelease(ctx context.Context, c *Cluster, stack *v1alpha1.Stack, f *releaseFlags, images []v1alpha1.ImageOverride) (*v1alpha1.Release, error) {
	all, err := c.releases(ctx, stack)
	if err != nil {
		return nil, err
	}
	retry, err := retryCounter(stack, all, f, images)
	if err != nil {
		return nil, err
	}
	spec := v1alpha1.ReleaseSpec{Stack: stack.Name, Revision: f.revision, Images: images, Slot: f.slot, Retry: retry}
	r := &v1alpha1.Release{
		ObjectMeta: metav1.ObjectMeta{
			Name: plan.ReleaseName(spec), Namespace: stack.Namespace,
			Labels: map[string]string{v1alpha1.LabelStack: stack.Name},
		},
		Spec: spec,
	}
	err = c.Create(ctx, r)
	if apierrors.IsAlreadyExists(err) {
		return a.madeBefore(ctx, c, stack, r, f)
	}
	if err != nil {
		return nil, explain(err)
	}
	a.note(f.output, "%s created", resource(r))
	return r, nil
}

func (a *app) madeBefore(ctx context.Context, c *Cluster, stack *v1alpha1.Stack, r *v1alpha1.Release, f *releaseFlags) (*v1alpha1.Release, error) {
	found, err := c.release(ctx, stack, r.Name)
	if err != nil {
		return nil, err
	}
	hint := ""
	if found.Status.Ended != nil {
		hint = ", and ended " + string(found.Status.Ended.Outcome)
	}
	if view.EndedBadly(found) {
		hint += "; --retry tries it again"
	}
	a.note(f.output, "%s was made before%s", resource(found), hint)
	return found, nil
}

// note tells what was done: beside the object where one is printed, and in its place else.
func (a *app) note(o output, format string, args ...any) {
	w := a.Out
	if o != outputText {
		w = a.ErrOut
	}
	printf(w, format+"\n", args...)
}

// retryCounter tells this try of a revision from earlier ones. An explicit revision is tried once, until --retry; a
// branch moves, so that each call is a try of its own.
func retryCounter(stack *v1alpha1.Stack, all []v1alpha1.Release, f *releaseFlags, images []v1alpha1.ImageOverride) (int32, error) {
	moves := f.revision == "" || f.revision == stack.Spec.Source.Git.Ref.Branch
	if !moves && !f.retry {
		return 0, nil
	}
	last, next := tries(v1alpha1.ReleaseSpec{Stack: stack.Name, Revision: f.revision, Images: images, Slot: f.slot}, all)
	return next, mayRetry(last, f, moves)
}

func mayRetry(last *v1alpha1.Release, f *releaseFlags, moves bool) error {
	switch {
	case moves || last == nil:
		return nil
	case last.Status.Ended == nil:
		return fmt.Errorf("release %s of %s has not ended yet; abort it first (kubectl lockstep abort %s), or leave --retry out", last.Name, view.Short(f.revision), last.Spec.Stack)
	case last.Status.Ended.Outcome == v1alpha1.OutcomeLive:
		return fmt.Errorf("release %s of %s is live; there is nothing to try again", last.Name, view.Short(f.revision))
	}
	return nil
}

var imageFlag = regexp.MustCompile(`^([^/=]+)(?:/([^/=]+))?=(.+)$`)

func parseImages(flags []string) ([]v1alpha1.ImageOverride, error) {
	var out []v1alpha1.ImageOverride
	seen := map[string]bool{}
	for _, flag := range flags {
		m := imageFlag.FindStringSubmatch(flag)
		if m == nil {
			return nil, usagef("--image %q is not member=image or member/container=image", flag)
		}
		if seen[m[1]] {
			return nil, usagef("--image names member %s twice; one image per member can be replaced", m[1])
		}
		seen[m[1]] = true
		out = append(out, v1alpha1.ImageOverride{Member: m[1], Container: m[2], Image: strings.TrimSpace(m[3])})
	}
	return out, nil
}
