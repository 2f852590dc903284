package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/internal/view"
)

// verdict of a check.
type verdict string

const (
	verdictOK   verdict = "ok"
	verdictWarn verdict = "warn"
	verdictFail verdict = "fail"
)

// check is one thing that doctor has looked at.
type check struct {
	Name    string  `json:"name"`
	Verdict verdict `json:"verdict"`
	Message string  `json:"message"`
	Remedy  string  `json:"remedy,omitempty"`
}

func good(name, format string, args ...any) check {
	return check{Name: name, Verdict: verdictOK, Message: fmt.Sprintf(format, args...)}
}

func doubtful(name, message, remedy string) check {
	return check{Name: name, Verdict: verdictWarn, Message: message, Remedy: remedy}
}

func bad(name, message, remedy string) check {
	return check{Name: name, Verdict: verdictFail, Message: message, Remedy: remedy}
}

// unknown is for what could not be looked at.
func unknown(name string, err error) check {
	return doubtful(name, "cannot be looked at: "+oneLine(err), "ask someone with more rights to run kubectl lockstep doctor")
}

func (a *app) doctorCommand() *cobra.Command {
	var o output
	cmd := &cobra.Command{
		Use:   "doctor [STACK]",
		Short: "Look for what is missing: kinds, controller, policy, rights, consent, gateways",
		Long: `Look at everything that a release needs and say what is missing, with what to do about it. With a Stack, its
ServiceAccount, slots and entries are looked at too. Exits with 1 where something fails.`,
		Example: `  kubectl lockstep doctor
  kubectl lockstep doctor shop`,
		Args:              atMostOne,
		ValidArgsFunction: a.completeStacks,
		RunE:              func(cmd *cobra.Command, args []string) error { return a.runDoctor(cmd.Context(), args, o) },
	}
	outputFlag(cmd, &o, outputJSON, outputYAML)
	return cmd
}

func (a *app) runDoctor(ctx context.Context, args []string, o output) error {
	c, err := a.cluster()
	if err != nil {
		return err
	}
	checks := a.clusterChecks(ctx, c)
	if len(args) > 0 {
		stack, err := c.stack(ctx, args)
		if err != nil {
			return err
		}
		checks = append(checks, a.stackChecks(ctx, c, stack)...)
	}
	if err := a.printChecks(checks, o); err != nil {
		return err
	}
	failed := 0
	for _, ch := range checks {
		if ch.Verdict == verdictFail {
			failed++
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d checks failed", failed, len(checks))
	}
	return nil
}

func (a *app) printChecks(checks []check, o output) error {
	if o.structured() {
		return o.encode(a.Out, checks)
	}
	width := 0
	for _, ch := range checks {
		width = max(width, len(ch.Name))
	}
	for _, ch := range checks {
		printf(a.Out, "%-4s  %-*s  %s\n", ch.Verdict, width, ch.Name, view.HarmlessLine(ch.Message))
		if ch.Remedy != "" {
			printf(a.Out, "%s→ %s\n", strings.Repeat(" ", width+8), ch.Remedy)
		}
	}
	return nil
}

func (a *app) clusterChecks(ctx context.Context, c *Cluster) []check {
	var checks []check
	if c.Config != nil {
		checks = append(checks, checkServer(c))
	}
	checks = append(checks, checkKinds(ctx, c)...)
	checks = append(checks, checkController(ctx, c))
	checks = append(checks, checkPolicy(ctx, c)...)
	checks = append(checks, checkMyRights(ctx, c)...)
	return append(checks, checkDeciders(ctx, c))
}

func (a *app) stackChecks(ctx context.Context, c *Cluster, stack *v1alpha1.Stack) []check {
	snapshot, assumed, err := a.Observe(ctx, c, stack)
	if err != nil {
		return []check{bad("observe", "the Stack's surroundings cannot be read: "+oneLine(explain(err)), "ask for the rights of lockstep-viewer and of view in the slots' namespaces")}
	}
	checks := checkServiceAccount(ctx, c, &snapshot.Stack)
	checks = append(checks, checkSlots(ctx, c, snapshot)...)
	checks = append(checks, checkEntries(snapshot)...)
	for _, sentence := range assumed {
		checks = append(checks, doubtful("assumed", sentence, "you may not read this; someone with more rights can look"))
	}
	return checks
}
