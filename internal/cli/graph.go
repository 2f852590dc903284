package cli

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/internal/observe"
	"github.com/lockstep-dev/lockstep/internal/render"
	"github.com/lockstep-dev/lockstep/internal/view"
)

const (
	outputPlain   output = "text"
	outputDOT     output = "dot"
	outputMermaid output = "mermaid"
)

type graphFlags struct {
	file     string
	checkout string
	release  string
	output   output
}

func (a *app) graphCommand() *cobra.Command {
	f := &graphFlags{}
	cmd := &cobra.Command{
		Use:   "graph [STACK]",
		Short: "Show who calls whom, next to what dependsOn says, with what could be added",
		Long: `Show which member calls which: Service names of the stack that stand as host names in variables, arguments, command lines
and configuration (ConfigMaps and Secrets that are mounted or referenced; of Secrets only where), with or without
namespace and port. Beside each stands whether spec.members[].dependsOn declares it, and below, what could be pasted there.

A name that stands as a value and is not said to be a host is shown as "perhaps", and never suggested. What a program
finds out while it runs is not seen.

With -f nothing is asked of a cluster: the Stacks of the file or folder are rendered from their checkout. Otherwise it is
the frozen content of the live release (or of --release), or, for those who may not read that, what its slot holds.`,
		Example: `  kubectl lockstep graph shop
  kubectl lockstep graph -f . -o mermaid                        # from a checkout, without a cluster
  kubectl lockstep graph shop -o dot | dot -Tsvg > shop.svg
  kubectl lockstep graph shop -o json | jq .suggestions`,
		Args:              atMostOne,
		ValidArgsFunction: a.completeStacks,
		RunE:              func(cmd *cobra.Command, args []string) error { return a.runGraph(cmd.Context(), args, f) },
	}
	cmd.Flags().StringVarP(&f.file, "filename", "f", "", "file or folder with the Stack, instead of a cluster")
	cmd.Flags().StringVar(&f.checkout, "checkout", "", "checkout of the Stack's repository (default with -f: the one that the file lies in)")
	cmd.Flags().StringVar(&f.release, "release", "", "release to look at (default: the live one)")
	_ = cmd.RegisterFlagCompletionFunc("release", a.completeReleases)
	outputFlag(cmd, &f.output, outputPlain, outputWide, outputDOT, outputMermaid, outputJSON, outputYAML)
	return cmd
}

func (a *app) runGraph(ctx context.Context, args []string, f *graphFlags) error {
	if f.release != "" && (f.checkout != "" || f.file != "") {
		return usagef("--release is about a cluster, and -f and --checkout are about files: leave one out")
	}
	if f.file != "" {
		return a.graphFiles(ctx, args, f)
	}
	c, stack, err := a.stack(ctx, args)
	if err != nil {
		return err
	}
	in := view.GraphInput{Stack: *stack}
	if f.checkout != "" {
		err = graphCheckout(ctx, &in, f.checkout)
	} else {
		err = c.graphCluster(ctx, &in, f.release)
	}
	if err != nil {
		return err
	}
	return a.printGraph(view.Calls(in), f.output)
}

// graphFiles shows the Stacks of a file or folder; with a name, the one of that name.
func (a *app) graphFiles(ctx context.Context, args []string, f *graphFlags) error {
	files, err := findStacks(f.file)
	if err != nil {
		return err
	}
	files = slices.DeleteFunc(files, func(s stackFile) bool { return len(args) > 0 && s.name() != args[0] })
	if len(files) == 0 {
		return fmt.Errorf("there is no such Stack in %s; a Stack has kind: Stack and apiVersion: %s", f.file, v1alpha1.GroupVersion)
	}
	for _, file := range files {
		stack, err := typed(file.raw)
		if err != nil {
			return fmt.Errorf("%s cannot be read: %w; see kubectl lockstep lint %s", file.path, err, file.path)
		}
		checkout := f.checkout
		if checkout == "" {
			checkout = fromHere(checkoutOf(file.path, stack.Spec.Source.Git.Path))
		}
		if checkout == "" {
			return fmt.Errorf("the repository of Stack %s is not at hand; name its checkout with --checkout", stack.Name)
		}
		in := view.GraphInput{Stack: *stack}
		if err := graphCheckout(ctx, &in, checkout); err != nil {
			return err
		}
		if err := a.printGraph(view.Calls(in), f.output); err != nil {
			return err
		}
	}
	return nil
}

// fromHere is a path as seen from the working directory, where that is possible.
func fromHere(path string) string {
	here, err := os.Getwd()
	if err != nil || path == "" {
		return path
	}
	relative, err := filepath.Rel(here, path)
	if err != nil || !filepath.IsLocal(relative) {
		return path
	}
	return relative
}

func graphCheckout(ctx context.Context, in *view.GraphInput, checkout string) error {
	stack := observe.WithDefaults(&in.Stack)
	result, err := renderAs(ctx, stack, checkout, stack.Name+"-graph")
	if err != nil {
		return err
	}
	in.From, in.Objects = "as rendered from checkout "+checkout, result.Slots[0].Objects
	return nil
}

// graphCluster takes the frozen content of a release, or else what its slot holds.
func (c *Cluster) graphCluster(ctx context.Context, in *view.GraphInput, name string) error {
	live := unitOf(&in.Stack)
	if name == "" {
		name = live.LiveRelease
	}
	slot := live.LiveSlot
	if name != "" {
		r, err := c.started(ctx, &in.Stack, name)
		if err != nil {
			return err
		}
		slot, err = c.graphRelease(ctx, in, r, slot)
		if err != nil || in.Objects != nil {
			return err
		}
	}
	if slot == "" {
		return fmt.Errorf("nothing of Stack %s is live; name a checkout with --checkout, or a release with --release", in.Stack.Name)
	}
	return c.graphSlot(ctx, in, slot)
}

// graphRelease takes the frozen content, where it can be read; else it returns the slot that holds the release.
func (c *Cluster) graphRelease(ctx context.Context, in *view.GraphInput, r *v1alpha1.Release, preferred string) (string, error) {
	contents := r.Status.Started.Content
	if len(contents) == 0 {
		return c.heldIn(in, r, "it has no content on record")
	}
	content := &contents[0]
	if preferredContent := contentFor(r, preferred); preferredContent != nil {
		content = preferredContent
	}
	objects, err := c.frozen(ctx, content)
	if err != nil {
		return c.heldIn(in, r, err.Error())
	}
	in.From, in.Objects = "as frozen in release "+r.Name, objects
	return content.Slot, nil
}

func (c *Cluster) heldIn(in *view.GraphInput, r *v1alpha1.Release, why string) (string, error) {
	for _, s := range in.Stack.Status.Slots {
		if s.Release == r.Name && s.State != v1alpha1.SlotIdle {
			in.Notes = append(in.Notes, fmt.Sprintf("the content of release %s could not be taken: %s. This is what slot %s holds", r.Name, why, s.Name))
			return s.Name, nil
		}
	}
	return "", fmt.Errorf("the content of release %s cannot be taken, and no slot holds it: %s; name a checkout with --checkout", r.Name, why)
}

func (c *Cluster) graphSlot(ctx context.Context, in *view.GraphInput, name string) error {
	slot, err := slotNamed(&in.Stack, name)
	if err != nil {
		return err
	}
	// Secrets of a slot are not read for this: where a host stands is not worth their values.
	kinds := slices.DeleteFunc(slices.Clone(slotKinds), func(k schema.GroupVersionKind) bool { return k.Kind == "Secret" })
	reading, err := c.readSlot(ctx, slot, kinds...)
	if err != nil {
		return err
	}
	for _, kind := range reading.unread {
		in.Notes = append(in.Notes, fmt.Sprintf("%s were not looked at: it needs the right to list them in namespace %s", kind, slot.Namespace))
	}
	if !slices.ContainsFunc(reading.objects, func(o *unstructured.Unstructured) bool { return render.IsWorkload(o) }) {
		return fmt.Errorf("no workload can be seen in slot %s (namespace %s); name a checkout with --checkout", name, slot.Namespace)
	}
	in.From, in.Objects = "as slot "+name+" holds it", reading.objects
	return nil
}

func (a *app) printGraph(g *view.Graph, o output) error {
	switch {
	case o.structured():
		return o.encode(a.Out, g)
	case o == outputDOT:
		printf(a.Out, "%s", view.GraphDOT(g))
	case o == outputMermaid:
		printf(a.Out, "%s", view.GraphMermaid(g))
	default:
		draw(a.Out, view.GraphText(g, a.look(o)))
	}
	return nil
}
