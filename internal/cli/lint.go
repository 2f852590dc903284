package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/internal/plan"
)

// Renderer renders the checkout of a Stack for every slot.
type Renderer func(ctx context.Context, stack *v1alpha1.Stack, checkout string) (*Rendered, error)

// Rendered is what a checkout came to.
type Rendered struct {
	Members  []string `json:"members,omitempty"`
	Warnings []string `json:"warnings,omitempty"`
	Problems []string `json:"problems,omitempty"`
}

// finding is what lint has to say of a Stack.
type finding struct {
	File     string   `json:"file"`
	Stack    string   `json:"stack,omitempty"`
	Members  []string `json:"members,omitempty"`
	Notes    []string `json:"notes,omitempty"`
	Warnings []string `json:"warnings,omitempty"`
	Problems []string `json:"problems,omitempty"`
}

func (a *app) lintCommand() *cobra.Command {
	var (
		o        output
		checkout string
	)
	cmd := &cobra.Command{
		Use:   "lint FILE|DIR",
		Short: "Check a Stack and what it renders to, without a cluster",
		Long: `Check every Stack in a file, or below a folder, as the API server and the planner would: the schema with its rules, what
contradicts itself, and, where the repository is at hand, what the source renders to in each slot. Nothing is asked of a
cluster. Exits with 1 where anything is wrong.`,
		Example: `  kubectl lockstep lint stack.yaml
  kubectl lockstep lint stack.yaml --checkout ~/src/shop
  kubectl lockstep lint .`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usagef("name one file or folder; see %s --help", cmd.CommandPath())
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return a.runLint(cmd.Context(), args[0], checkout, o) },
	}
	cmd.Flags().StringVar(&checkout, "checkout", "", "checkout of the Stack's repository (default: the one that the file lies in)")
	outputFlag(cmd, &o, outputJSON, outputYAML)
	return cmd
}

func (a *app) runLint(ctx context.Context, path, checkout string, o output) error {
	if checkout != "" && !exists(checkout) {
		return fmt.Errorf("there is no folder %s", checkout)
	}
	files, err := findStacks(path)
	if err != nil {
		return err
	}
	if len(files) == 0 {
		return fmt.Errorf("there is no Stack in %s; a Stack has kind: Stack and apiVersion: %s", path, v1alpha1.GroupVersion)
	}
	s, err := loadSchema()
	if err != nil {
		return err
	}
	findings := []finding{}
	for _, f := range files {
		findings = append(findings, a.lint(ctx, s, f, checkout))
	}
	return a.report(findings, o)
}

func (a *app) report(findings []finding, o output) error {
	problems := 0
	for _, f := range findings {
		problems += len(f.Problems)
	}
	if o.structured() {
		if err := o.encode(a.Out, findings); err != nil {
			return err
		}
	} else {
		for _, f := range findings {
			f.print(a.Out)
		}
	}
	if problems > 0 {
		return fmt.Errorf("%d problem%s", problems, map[bool]string{true: "", false: "s"}[problems == 1])
	}
	return nil
}

func (a *app) lint(ctx context.Context, s *definition, f stackFile, checkout string) finding {
	out := finding{File: f.path, Stack: f.name()}
	if f.broken != nil {
		out.Problems = append(out.Problems, "the YAML cannot be read: "+oneLine(f.broken))
		if len(f.raw) == 0 {
			return out
		}
	}
	out.Problems = append(out.Problems, s.judge(ctx, f.raw)...)
	stack, err := typed(f.raw)
	if err != nil || len(out.Problems) > 0 {
		return out
	}
	out.Problems = append(out.Problems, plan.Validate(stack)...)
	out.Warnings = append(out.Warnings, plan.Warn(stack)...)
	if len(out.Problems) == 0 {
		a.lintContent(ctx, stack, f.path, checkout, &out)
	}
	return out
}

// typed makes a Stack of a document that the schema has found good.
func typed(raw map[string]any) (*v1alpha1.Stack, error) {
	stack := &v1alpha1.Stack{}
	data, err := json.Marshal(raw)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(data, stack); err != nil {
		return nil, err
	}
	if stack.Namespace == "" {
		stack.Namespace = "default"
	}
	return stack, nil
}

func (a *app) lintContent(ctx context.Context, stack *v1alpha1.Stack, file, checkout string, out *finding) {
	if checkout == "" && stack.Spec.Source.Inline == nil {
		checkout = checkoutOf(file, stack.Spec.Source.Git.Path)
	}
	inline := stack.Spec.Source.Inline != nil
	if a.Render == nil || checkout == "" && !inline {
		out.Notes = append(out.Notes, "not rendered: the repository is not at hand; name its checkout with --checkout")
		return
	}
	rendered, err := a.Render(ctx, stack, checkout)
	if err != nil {
		out.Problems = append(out.Problems, oneLine(err))
		return
	}
	out.Members = rendered.Members
	out.Warnings = append(out.Warnings, rendered.Warnings...)
	out.Problems = append(out.Problems, rendered.Problems...)
}

func oneLine(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }
