package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/util/duration"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

func (a *app) suspendCommand() *cobra.Command {
	return a.suspension(true, cobra.Command{
		Use:   "suspend [STACK]",
		Short: "Keep new releases from starting",
		Long: `Set spec.suspend of a Stack. What is under way goes on, and abort and rollback work as ever. Releases that are made
meanwhile wait; new commits make none. Where the Stack is kept in Git, set it there, or it is taken back.`,
		Example: `  kubectl lockstep suspend shop`,
	})
}

func (a *app) resumeCommand() *cobra.Command {
	return a.suspension(false, cobra.Command{
		Use:     "resume [STACK]",
		Short:   "Let releases start again",
		Example: `  kubectl lockstep resume shop`,
	})
}

func (a *app) suspension(suspend bool, cmd cobra.Command) *cobra.Command {
	cmd.Args, cmd.ValidArgsFunction = atMostOne, a.completeStacks
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, stack, err := a.stack(cmd.Context(), args)
		if err != nil {
			return err
		}
		done, before := "resumed", "was not suspended"
		if suspend {
			done, before = "suspended", "was suspended before"
		}
		if stack.Spec.Suspend == suspend {
			printf(a.Out, "%s %s\n", resource(stack), before)
			return nil
		}
		if err := c.change(cmd.Context(), stack, func(s *v1alpha1.Stack) { s.Spec.Suspend = suspend }); err != nil {
			return err
		}
		printf(a.Out, "%s %s\n", resource(stack), done)
		return nil
	}
	return &cmd
}

// change patches what do changes of a Stack, and nothing else.
func (c *Cluster) change(ctx context.Context, stack *v1alpha1.Stack, do func(*v1alpha1.Stack)) error {
	before := stack.DeepCopy()
	do(stack)
	if err := c.Patch(ctx, stack, client.MergeFrom(before)); err != nil {
		return explain(err)
	}
	return nil
}

func (a *app) reconcileCommand() *cobra.Command {
	var limit time.Duration
	cmd := &cobra.Command{
		Use:   "reconcile [STACK]",
		Short: "Have the controller look at everything now, at a watched source too",
		Long: `Ask the controller for a look at everything, by the annotation ` + v1alpha1.AnnotationReconcileAt + `, and wait until it has
looked. Where commits start releases, the repository is asked at once, and not at its interval.`,
		Example:           `  kubectl lockstep reconcile shop`,
		Args:              atMostOne,
		ValidArgsFunction: a.completeStacks,
		RunE:              func(cmd *cobra.Command, args []string) error { return a.runReconcile(cmd.Context(), args, limit) },
	}
	cmd.Flags().DurationVar(&limit, "timeout", 30*time.Second, "how long to wait for the controller")
	return cmd
}

func (a *app) runReconcile(ctx context.Context, args []string, limit time.Duration) error {
	c, stack, err := a.stack(ctx, args)
	if err != nil {
		return err
	}
	asked := a.Clock.Now().UTC().Format(time.RFC3339Nano)
	err = c.change(ctx, stack, func(s *v1alpha1.Stack) {
		if s.Annotations == nil {
			s.Annotations = map[string]string{}
		}
		s.Annotations[v1alpha1.AnnotationReconcileAt] = asked
	})
	if err != nil {
		return err
	}
	err = a.until(ctx, c, limit, func(ctx context.Context) (done bool, err error) {
		stack, err = c.stack(ctx, []string{stack.Name})
		return err == nil && stack.Status.LastHandledReconcileAt == asked, err
	}, target{&v1alpha1.StackList{}, stack.Namespace})
	if errors.Is(err, errTimeUp) {
		return timedOutf("the controller has not looked at Stack %s within %s; see kubectl lockstep doctor", stack.Name, duration.HumanDuration(limit))
	}
	if err != nil {
		return err
	}
	if why := unwatched(stack); why != "" {
		return fmt.Errorf("%s was looked at, and its source could not be: %s", resource(stack), why)
	}
	printf(a.Out, "%s was looked at: %s\n", resource(stack), summaryOf(stack))
	return nil
}

// unwatched is why the source of a Stack cannot be asked; empty where it can, or need not.
func unwatched(stack *v1alpha1.Stack) string {
	c := meta.FindStatusCondition(stack.Status.Conditions, v1alpha1.ConditionProgressing)
	if c == nil || c.Reason != v1alpha1.ReasonWatchFailed {
		return ""
	}
	return c.Message
}

// summaryOf says in a line what the controller found.
func summaryOf(stack *v1alpha1.Stack) string {
	text := "nothing is released yet"
	if unit := unitOf(stack); unit.LiveSlot != "" {
		text = fmt.Sprintf("live is slot %s", unit.LiveSlot)
		if unit.LiveRelease != "" {
			text += " with " + unit.LiveRelease
		}
	}
	if source := stack.Status.Source; source != nil && source.Commit != "" {
		text += ", the source is at " + source.Commit
	}
	return text
}
