package cli

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// completeWithin bounds how long a shell waits for names.
const completeWithin = 3 * time.Second

func (a *app) completeStacks(cmd *cobra.Command, args []string, start string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return a.complete(cmd, start, func(ctx context.Context, c *Cluster) []string {
		names, _, _ := c.stacks(ctx)
		return names
	})
}

func (a *app) completeReleases(cmd *cobra.Command, args []string, start string) ([]string, cobra.ShellCompDirective) {
	return a.complete(cmd, start, func(ctx context.Context, c *Cluster) []string {
		stack, err := c.stack(ctx, args)
		if err != nil {
			return nil
		}
		releases, _ := c.releases(ctx, stack)
		var names []string
		for _, r := range releases {
			names = append(names, r.Name)
		}
		return names
	})
}

func (a *app) complete(cmd *cobra.Command, start string, names func(context.Context, *Cluster) []string) ([]string, cobra.ShellCompDirective) {
	ctx, cancel := context.WithTimeout(cmd.Context(), completeWithin)
	defer cancel()
	c, err := a.cluster()
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	var out []string
	for _, name := range names(ctx, c) {
		if strings.HasPrefix(name, start) {
			out = append(out, name)
		}
	}
	return out, cobra.ShellCompDirectiveNoFileComp
}
