package cli

import (
	"context"
	"slices"

	"github.com/spf13/cobra"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/internal/view"
)

// completeDiff completes a Stack, and then its releases.
func (a *app) completeDiff(cmd *cobra.Command, args []string, start string) ([]string, cobra.ShellCompDirective) {
	switch {
	case len(args) == 0:
		return a.completeStacks(cmd, args, start)
	case len(args) > 2:
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return a.completeReleases(cmd, args[:1], start)
}

func (a *app) completeSlots(cmd *cobra.Command, args []string, start string) ([]string, cobra.ShellCompDirective) {
	return a.completeOf(cmd, args, start, slotNames)
}

// completeSlotPairs offers each slot, and each pair of slots.
func (a *app) completeSlotPairs(cmd *cobra.Command, args []string, start string) ([]string, cobra.ShellCompDirective) {
	return a.completeOf(cmd, args, start, func(s *v1alpha1.Stack, _ []v1alpha1.Release) []string {
		var pairs []string
		for _, one := range slotNames(s, nil) {
			for _, other := range slotNames(s, nil) {
				if one != other {
					pairs = append(pairs, one+","+other)
				}
			}
		}
		return pairs
	})
}

func (a *app) completeMembers(cmd *cobra.Command, args []string, start string) ([]string, cobra.ShellCompDirective) {
	return a.completeOf(cmd, args, start, memberNames)
}

func (a *app) completeEntries(cmd *cobra.Command, args []string, start string) ([]string, cobra.ShellCompDirective) {
	return a.completeOf(cmd, args, start, func(s *v1alpha1.Stack, _ []v1alpha1.Release) []string {
		var names []string
		for _, e := range s.Spec.Entries {
			names = append(names, e.Name)
		}
		return names
	})
}

// completeOf completes names that a Stack and its releases know.
func (a *app) completeOf(cmd *cobra.Command, args []string, start string, names func(*v1alpha1.Stack, []v1alpha1.Release) []string) ([]string, cobra.ShellCompDirective) {
	return a.complete(cmd, start, func(ctx context.Context, c *Cluster) []string {
		stack, err := c.stack(ctx, args[:min(len(args), 1)])
		if err != nil {
			return nil
		}
		releases, _ := c.releases(ctx, stack)
		return names(stack, releases)
	})
}

func slotNames(s *v1alpha1.Stack, _ []v1alpha1.Release) []string {
	var names []string
	for _, slot := range view.Slots(s) {
		names = append(names, slot.Name)
	}
	return names
}

// memberNames are the members that the Stack or one of its releases knows.
func memberNames(s *v1alpha1.Stack, releases []v1alpha1.Release) []string {
	var names []string
	for _, m := range s.Spec.Members {
		names = append(names, m.Name)
	}
	for _, r := range releases {
		if r.Status.Started == nil {
			continue
		}
		for _, m := range r.Status.Started.Members {
			names = append(names, m.Name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
