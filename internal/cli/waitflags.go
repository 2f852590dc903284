package cli

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// Times that a command waits for where --timeout says nothing.
const (
	answerWithin = 30 * time.Second
	goalWithin   = 30 * time.Minute
)

// goalWords are the goals as people type them.
var goalWords = []string{"hold", "live", "done"}

// waitFlags are --wait and --timeout.
type waitFlags struct {
	goal    goal
	goals   []goal
	timeout time.Duration
}

func (w *waitFlags) add(cmd *cobra.Command, byDefault goal, goals ...goal) {
	w.goals = goals
	cmd.Flags().Var(w, "wait", "wait until it is at "+w.names()+", and say on the way what it waits for")
	cmd.Flags().Lookup("wait").NoOptDefVal = string(byDefault)
	cmd.Flags().DurationVar(&w.timeout, "timeout", 0, "how long to wait (default: 30s for an answer, 30m with --wait)")
	_ = cmd.RegisterFlagCompletionFunc("wait", cobra.FixedCompletions(strings.Split(w.names(), ", "), cobra.ShellCompDirectiveNoFileComp))
}

func (w *waitFlags) names() string {
	var names []string
	for _, g := range w.goals {
		names = append(names, string(g))
	}
	return strings.Join(names, ", ")
}

func (w *waitFlags) String() string { return string(w.goal) }
func (w *waitFlags) Type() string   { return "goal" }

func (w *waitFlags) Set(s string) error {
	i := slices.IndexFunc(w.goals, func(g goal) bool { return strings.EqualFold(string(g), s) })
	if i < 0 {
		return fmt.Errorf("there is no such goal; wait for %s", w.names())
	}
	w.goal = w.goals[i]
	return nil
}

func (w *waitFlags) answer() time.Duration {
	if w.timeout > 0 {
		return w.timeout
	}
	return answerWithin
}

func (w *waitFlags) limit() time.Duration {
	if w.timeout > 0 {
		return w.timeout
	}
	return goalWithin
}
