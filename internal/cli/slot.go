package cli

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/internal/view"
)

// slotFound is what a script may want to know of a slot.
type slotFound struct {
	Slot      string             `json:"slot"`
	Namespace string             `json:"namespace"`
	State     v1alpha1.SlotState `json:"state,omitempty"`
	Release   string             `json:"release,omitempty"`
	// Step of the release that is being prepared in it.
	Step v1alpha1.StepKind `json:"step,omitempty"`
}

const (
	whichLive    = "live"
	whichPreview = "preview"
)

func (a *app) slotCommand() *cobra.Command {
	var o output
	cmd := &cobra.Command{
		Use:   "slot live|preview [STACK]",
		Short: "Print the name of the slot that users are on, or that a release is prepared in",
		Long: `Print the name of a slot, for scripts: the live one, which users are on, or the preview, in which a release is being
prepared. Nothing else is printed on standard output. Where there is no such slot, it says so on standard error and exits
with 1; standard output stays empty. It is what the controller saw last: where that does not answer, standard error says so.`,
		Example: `  SLOT=$(kubectl lockstep slot preview shop) || exit
  kubectl -n "$(kubectl lockstep slot live shop -o json | jq -r .namespace)" get pods`,
		Args:              slotArgs,
		ValidArgsFunction: a.completeWhich,
		RunE:              func(cmd *cobra.Command, args []string) error { return a.runSlot(cmd.Context(), args, o) },
	}
	outputFlag(cmd, &o, outputJSON, outputYAML)
	return cmd
}

func slotArgs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 || len(args) > 2 || !slices.Contains([]string{whichLive, whichPreview}, args[0]) {
		return usagef("say which slot, live or preview, and then the Stack; see %s --help", cmd.CommandPath())
	}
	return nil
}

func (a *app) completeWhich(cmd *cobra.Command, args []string, start string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return a.completeStacks(cmd, args[1:], start)
	}
	return slices.DeleteFunc([]string{whichLive, whichPreview}, func(w string) bool { return !strings.HasPrefix(w, start) }), cobra.ShellCompDirectiveNoFileComp
}

func (a *app) runSlot(ctx context.Context, args []string, o output) error {
	c, stack, err := a.stack(ctx, args[1:])
	if err != nil {
		return err
	}
	find := previewOf
	if args[0] == whichLive {
		find = liveOf
	}
	found, err := find(stack)
	if err != nil {
		return err
	}
	if silent := a.silent(ctx, c, stack); silent != nil {
		printf(a.ErrOut, "warning: %s\n", silent.Message)
	}
	if o.structured() {
		return o.encode(a.Out, found)
	}
	printf(a.Out, "%s\n", found.Slot)
	return nil
}

// silent is why what the status knows may be old, as far as whoever asks may see.
func (a *app) silent(ctx context.Context, c *Cluster, stack *v1alpha1.Stack) *view.Problem {
	releases, err := c.releases(ctx, stack)
	if err != nil {
		return nil
	}
	decisions, err := c.decisions(ctx, stack, releases)
	if err != nil {
		return nil
	}
	return view.Silent(decisions, a.Clock.Now())
}

func liveOf(stack *v1alpha1.Stack) (slotFound, error) {
	unit := unitOf(stack)
	if unit.LiveSlot == "" {
		return slotFound{}, fmt.Errorf("no slot of Stack %s is live%s", stack.Name, held(stack))
	}
	return foundSlot(stack, unit.LiveSlot)
}

func previewOf(stack *v1alpha1.Stack) (slotFound, error) {
	i := slices.IndexFunc(stack.Status.Slots, func(s v1alpha1.SlotStatus) bool { return s.State == v1alpha1.SlotPreview })
	if i < 0 {
		return slotFound{}, fmt.Errorf("no release of Stack %s is in preview; make one with kubectl lockstep release %s", stack.Name, stack.Name)
	}
	found, err := foundSlot(stack, stack.Status.Slots[i].Name)
	if unit := unitOf(stack); unit.ActiveSlot == found.Slot && unit.Step != nil {
		found.Release, found.Step = cmp.Or(unit.ActiveRelease, found.Release), unit.Step.Kind
	}
	return found, err
}

func foundSlot(stack *v1alpha1.Stack, name string) (slotFound, error) {
	slot, err := slotNamed(stack, name)
	if err != nil { // it is live, though the spec has forgotten it
		i := slices.IndexFunc(stack.Status.Slots, func(s v1alpha1.SlotStatus) bool { return s.Name == name })
		if i < 0 {
			return slotFound{}, err
		}
		slot = stack.Status.Slots[i]
	}
	return slotFound{Slot: slot.Name, Namespace: slot.Namespace, State: slot.State, Release: slot.Release}, nil
}
