package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/internal/observe"
	"github.com/lockstep-dev/lockstep/internal/view"
)

type diffFlags struct {
	checkout string
	revision string
	slots    []string
	output   output
}

func (a *app) diffCommand() *cobra.Command {
	f := &diffFlags{}
	cmd := &cobra.Command{
		Use:   "diff [STACK [RELEASE [RELEASE]]]",
		Short: "Show what differs: Git and live, two releases, or two slots",
		Long: `Show how the content of a Stack differs, by images and by objects with their fields.

With a Stack alone, it is what releasing the head of its source would change, against what is live. The source is fetched
from here, or is read from a checkout. With one release, it is how that one differs from what is live; with two, how the
second differs from the first. With --slots, it is what two slots hold in the cluster just now; sizes, and the names of
slots, namespaces and releases, are no difference there.

Of a Secret only the keys are shown, never a value.

The content of a release is kept in Secrets in the controller's namespace. Whoever may not read them is told so, and sees
the images; whether the rest differs is told by the digests in the Releases.

Exits with 0 where nothing differs, with 1 where something does, and with 2 where it could not be told.`,
		Example: `  kubectl lockstep diff shop                                     # what a release would change
  kubectl lockstep diff shop --checkout ~/src/shop               # the same, from a checkout
  kubectl lockstep diff shop shop-3f9a1c20b4                     # a release, against what is live
  kubectl lockstep diff shop shop-3f9a1c20b4 shop-77ab01c9d2     # two releases
  kubectl lockstep diff shop --slots blue,green                  # two slots, as they are`,
		Args:              diffArgs,
		ValidArgsFunction: a.completeDiff,
		RunE: func(cmd *cobra.Command, args []string) error {
			return untold(a.runDiff(cmd.Context(), args, f))
		},
	}
	cmd.Flags().StringVar(&f.checkout, "checkout", "", "checkout of the Stack's repository, instead of fetching it")
	cmd.Flags().StringVar(&f.revision, "revision", "", "branch, tag or commit to compare with what is live (default: the Stack's source.git.ref)")
	cmd.Flags().StringSliceVar(&f.slots, "slots", nil, "the two slots to compare, with a comma between them")
	_ = cmd.RegisterFlagCompletionFunc("slots", a.completeSlotPairs)
	_ = cmd.MarkFlagDirname("checkout")
	outputFlag(cmd, &f.output, outputWide, outputJSON, outputYAML)
	return cmd
}

func diffArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 3 {
		return usagef("a Stack and two releases at most, and these are %d: %s; see %s --help", len(args), strings.Join(args, " "), cmd.CommandPath())
	}
	return nil
}

func (f *diffFlags) check(args []string) error {
	git := f.checkout != "" || f.revision != ""
	switch {
	case len(f.slots) > 0 && len(args) > 1:
		return usagef("--slots compares slots: leave the releases out")
	case git && (len(args) > 1 || len(f.slots) > 0):
		return usagef("--checkout and --revision are about the source: leave releases and slots out")
	case f.checkout != "" && f.revision != "":
		return usagef("--checkout takes the files as they are: leave --revision out, and check it out")
	case len(f.slots) > 0 && (len(f.slots) != 2 || f.slots[0] == f.slots[1]):
		return usagef("name two different slots: --slots blue,green")
	}
	return nil
}

// errDiffers makes the exit code 1, and says nothing: what differs was printed.
var errDiffers = &coded{ExitError, errors.New("")}

// untold gives errors of diff an exit code that does not mean that something differs.
func untold(err error) error {
	if c := (*coded)(nil); err == nil || errors.As(err, &c) {
		return err
	}
	return &coded{ExitUnknown, err}
}

func (a *app) runDiff(ctx context.Context, args []string, f *diffFlags) error {
	if err := f.check(args); err != nil {
		return err
	}
	c, stack, err := a.stack(ctx, args[:min(len(args), 1)])
	if err != nil {
		return err
	}
	d, err := a.difference(ctx, c, stack, args, f)
	if err != nil {
		return err
	}
	return a.printDiff(d, f.output)
}

func (a *app) difference(ctx context.Context, c *Cluster, stack *v1alpha1.Stack, args []string, f *diffFlags) (*view.Diff, error) {
	switch {
	case len(f.slots) > 0:
		return c.diffSlots(ctx, stack, f.slots)
	case len(args) > 1:
		return c.diffReleases(ctx, stack, args[1:])
	}
	return a.diffSource(ctx, c, observe.WithDefaults(stack), f)
}

func (a *app) printDiff(d *view.Diff, o output) error {
	if o.structured() {
		if err := o.encode(a.Out, d); err != nil {
			return err
		}
	} else {
		draw(a.Out, view.DiffText(d, a.look(o)))
	}
	switch {
	case d.Differs:
		return errDiffers
	case !d.Certain:
		return errors.New("whether the rest differs cannot be told, for what stands under UNKNOWN")
	}
	return nil
}

// diffReleases compares two releases, or what is live with one.
func (c *Cluster) diffReleases(ctx context.Context, stack *v1alpha1.Stack, names []string) (*view.Diff, error) {
	if len(names) == 1 {
		live, err := liveRelease(stack)
		if err != nil {
			return nil, err
		}
		names = []string{live, names[0]}
	}
	a, err := c.started(ctx, stack, names[0])
	if err != nil {
		return nil, err
	}
	b, err := c.started(ctx, stack, names[1])
	if err != nil {
		return nil, err
	}
	slot, err := commonSlot(stack, a, b)
	if err != nil {
		return nil, err
	}
	var unknown []string
	from, to := c.releaseSide(ctx, a, slot, &unknown), c.releaseSide(ctx, b, slot, &unknown)
	return view.Compare(stack.Name, from, to, unknown), nil
}

func liveRelease(stack *v1alpha1.Stack) (string, error) {
	unit := unitOf(stack)
	switch {
	case unit.LiveRelease != "":
		return unit.LiveRelease, nil
	case unit.LiveSlot != "":
		return "", fmt.Errorf("what is live in slot %s was not released by Lockstep, so that its content is not on record; compare slots with --slots, or two releases", unit.LiveSlot)
	}
	return "", fmt.Errorf("no release of Stack %s is live; name two releases", stack.Name)
}

// started is a release that has content.
func (c *Cluster) started(ctx context.Context, stack *v1alpha1.Stack, name string) (*v1alpha1.Release, error) {
	r, err := c.release(ctx, stack, name)
	if err != nil {
		return nil, err
	}
	if r.Status.Started == nil {
		return nil, fmt.Errorf("release %s has not started, so that it has no content yet; wait for it, or compare the source: kubectl lockstep diff %s", name, stack.Name)
	}
	return r, nil
}

// commonSlot is a slot that both releases were rendered for: the live one where it can be.
func commonSlot(stack *v1alpha1.Stack, a, b *v1alpha1.Release) (string, error) {
	common := ""
	for _, content := range a.Status.Started.Content {
		if contentFor(b, content.Slot) == nil {
			continue
		}
		if common == "" || content.Slot == unitOf(stack).LiveSlot {
			common = content.Slot
		}
	}
	if common == "" && len(a.Status.Started.Content) > 0 && len(b.Status.Started.Content) > 0 {
		return "", fmt.Errorf("releases %s and %s were rendered for different slots, so that they cannot be compared", a.Name, b.Name)
	}
	return common, nil
}
