package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/lockstep-dev/lockstep/internal/plan"
	"github.com/lockstep-dev/lockstep/internal/view"
)

func (a *app) planCommand() *cobra.Command {
	var o output
	cmd := &cobra.Command{
		Use:   "plan [STACK]",
		Short: "Show every write that Lockstep would make next, and why",
		Long: `Look at the cluster with your own rights, and ask the planner of this build what it would do next. Nothing is written.
The controller asks the same planner: what differs is what you may not read, and what the controller alone knows (results
of checks that are under way, and new commits).`,
		Example: `  kubectl lockstep plan shop
  kubectl lockstep plan shop -o yaml`,
		Args:              atMostOne,
		ValidArgsFunction: a.completeStacks,
		RunE:              func(cmd *cobra.Command, args []string) error { return a.runPlan(cmd.Context(), args, o) },
	}
	outputFlag(cmd, &o, outputJSON, outputYAML)
	return cmd
}

func (a *app) runPlan(ctx context.Context, args []string, o output) error {
	c, stack, err := a.stack(ctx, args)
	if err != nil {
		return err
	}
	snapshot, assumed, err := a.Observe(ctx, c, stack)
	if err != nil {
		return fmt.Errorf("look at the cluster: %w", explain(err))
	}
	now := a.Clock.Now()
	shown := view.NextPlan(stack, plan.Next(*snapshot, now), now, assumed)
	if o.structured() {
		return o.encode(a.Out, shown)
	}
	draw(a.Out, view.PlanText(shown, a.look(o)))
	return nil
}
