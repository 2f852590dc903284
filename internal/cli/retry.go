package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/internal/plan"
	"github.com/lockstep-dev/lockstep/internal/view"
)

type retryFlags struct {
	release string
	wait    waitFlags
	output  output
}

func (a *app) retryCommand() *cobra.Command {
	f := &retryFlags{}
	cmd := &cobra.Command{
		Use:   "retry [STACK]",
		Short: "Try a release again that failed, was aborted, superseded or rolled back",
		Long: `Make a Release of what the last one that ended badly was made of: the same commit, where it came that far, and the same
images. A revision that ended badly is not released again by itself, by a watched branch neither, until someone says so.`,
		Example: `  kubectl lockstep retry shop --wait=Hold
  kubectl lockstep retry shop --release shop-3f9a1c20b4`,
		Args:              atMostOne,
		ValidArgsFunction: a.completeStacks,
		RunE:              func(cmd *cobra.Command, args []string) error { return a.runRetry(cmd.Context(), f, args) },
	}
	cmd.Flags().StringVar(&f.release, "release", "", "the release to try again (default: the last one that ended badly)")
	_ = cmd.RegisterFlagCompletionFunc("release", a.completeReleases)
	f.wait.add(cmd, goalLive, goalHold, goalLive, goalDone)
	outputFlag(cmd, &f.output, outputJSON, outputYAML, outputName)
	return cmd
}

func (a *app) runRetry(ctx context.Context, f *retryFlags, args []string) error {
	c, stack, err := a.stack(ctx, args)
	if err != nil {
		return err
	}
	all, err := c.releases(ctx, stack)
	if err != nil {
		return err
	}
	failed, err := toRetry(stack, all, f.release)
	if err != nil {
		return err
	}
	if held := plan.InlineRevision(stack.Spec.Source); held != "" && failed.Spec.Revision != held {
		return refusedf("the objects that Stack %s holds are no longer those of release %s, which cannot be tried again; release what it holds now: kubectl lockstep release %s", stack.Name, failed.Name, stack.Name)
	}
	again := releaseFlags{revision: revisionOf(failed), slot: failed.Spec.Slot, retry: true, wait: f.wait, output: f.output}
	return a.releaseAs(ctx, c, stack, &again, failed.Spec.Images)
}

// revisionOf is the commit that was rendered, so that a branch that moved on does not make something else of it.
func revisionOf(r *v1alpha1.Release) string {
	if r.Status.Started != nil && r.Status.Started.Commit != "" {
		return r.Status.Started.Commit
	}
	return r.Spec.Revision
}

func toRetry(stack *v1alpha1.Stack, all []v1alpha1.Release, name string) (*v1alpha1.Release, error) {
	r := lastBad(all)
	if name != "" {
		r = named(all, name)
	}
	switch {
	case r == nil && name != "":
		return nil, refusedf("Stack %s has no release %s; see kubectl lockstep history %s", stack.Name, name, stack.Name)
	case r == nil:
		return nil, refusedf("no release of Stack %s ended badly, so there is nothing to try again; see kubectl lockstep history %s", stack.Name, stack.Name)
	case r.Spec.RollbackOf != "":
		return nil, refusedf("release %s was a rollback to %s; go back to it again with kubectl lockstep rollback %s --to %s", r.Name, r.Spec.RollbackOf, stack.Name, r.Spec.RollbackOf)
	case !view.EndedBadly(r):
		return nil, refusedf("release %s %s, so there is nothing to try again", r.Name, howItIs(r))
	}
	return r, nil
}

func howItIs(r *v1alpha1.Release) string {
	if r.Status.Ended == nil {
		return "has not ended"
	}
	return "is " + string(r.Status.Ended.Outcome)
}

func named(all []v1alpha1.Release, name string) *v1alpha1.Release {
	for i := range all {
		if all[i].Name == name {
			return &all[i]
		}
	}
	return nil
}

// lastBad is the release that ended badly last.
func lastBad(all []v1alpha1.Release) *v1alpha1.Release {
	var last *v1alpha1.Release
	for i := range all {
		r := &all[i]
		if view.EndedBadly(r) && r.Spec.RollbackOf == "" && (last == nil || last.Status.Ended.At.Before(&r.Status.Ended.At)) {
			last = r
		}
	}
	return last
}

// tries finds the last try of a revision, and the counter of the next one.
func tries(spec v1alpha1.ReleaseSpec, all []v1alpha1.Release) (last *v1alpha1.Release, next int32) {
	for ; ; spec.Retry++ {
		r := named(all, plan.ReleaseName(spec))
		if r == nil {
			return last, spec.Retry
		}
		last = r
	}
}
