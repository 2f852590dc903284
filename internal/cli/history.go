package cli

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lockstep-dev/lockstep/internal/view"
)

func (a *app) historyCommand() *cobra.Command {
	var o output
	cmd := &cobra.Command{
		Use:   "history [STACK]",
		Short: "List the releases of a Stack, the newest first",
		Example: `  kubectl lockstep history shop
  kubectl lockstep history shop -o wide`,
		Args:              atMostOne,
		ValidArgsFunction: a.completeStacks,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.cluster()
			if err != nil {
				return err
			}
			return a.printHistory(cmd.Context(), c, args, o)
		},
	}
	outputFlag(cmd, &o, outputWide, outputJSON, outputYAML)
	return cmd
}

func (a *app) printHistory(ctx context.Context, c *Cluster, args []string, o output) error {
	stack, err := c.stack(ctx, args)
	if err != nil {
		return err
	}
	in, err := a.input(ctx, c, stack.Name, false)
	if err != nil {
		return err
	}
	past := view.History(in)
	switch {
	case o.structured():
		return o.encode(a.Out, past)
	case len(past) == 0:
		printf(a.ErrOut, "Stack %s has no releases yet; make one with kubectl lockstep release %s\n", stack.Name, stack.Name)
		return nil
	}
	return table(a.Out, historyHead(o), historyRows(past, o))
}

func historyHead(o output) []string {
	head := []string{"RELEASE", "VERSION", "OUTCOME", "WHEN", "SLOT", "PROMOTED BY"}
	if o == outputWide {
		head = append(head, "REASON", "COMMIT", "MESSAGE")
	}
	return head
}

func historyRows(past []view.Past, o output) [][]string {
	var rows [][]string
	for _, p := range past {
		row := []string{p.Name, p.Version(), p.State, p.Age, p.Slot, p.By}
		if o == outputWide {
			row = append(row, p.Reason, p.Commit, strings.Join(strings.Fields(p.Message), " "))
		}
		rows = append(rows, row)
	}
	return rows
}
