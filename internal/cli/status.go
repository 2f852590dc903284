package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"

	"github.com/spf13/cobra"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/internal/view"
)

func (a *app) statusCommand() *cobra.Command {
	var (
		o     output
		watch bool
	)
	cmd := &cobra.Command{
		Use:   "status [STACK]",
		Short: "Show what users are on, what is under way, and what it waits for",
		Long: `Show a Stack: its slots with the members in them, its entries with the weights and the evidence that they are in force,
the active release and its step, what Lockstep waits for and since when, and the command that comes next.`,
		Example: `  kubectl lockstep status shop
  kubectl lockstep status shop --watch
  kubectl lockstep status shop -o json | jq -r .liveSlot`,
		Args:              atMostOne,
		ValidArgsFunction: a.completeStacks,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, stack, err := a.stack(cmd.Context(), args)
			if err != nil {
				return err
			}
			if watch {
				return a.watchStatus(cmd.Context(), c, stack, o)
			}
			return a.printStatus(cmd.Context(), c, stack.Name, o)
		},
	}
	cmd.Flags().BoolVarP(&watch, "watch", "w", false, "show it again whenever it changes; in place on a terminal")
	outputFlag(cmd, &o, outputWide, outputJSON, outputYAML)
	return cmd
}

func (a *app) printStatus(ctx context.Context, c *Cluster, name string, o output) error {
	in, err := a.input(ctx, c, name, true)
	if err != nil {
		return err
	}
	m := view.Stack(in)
	if o.structured() {
		return o.encode(a.Out, m)
	}
	draw(a.Out, view.Tree(m, a.look(o)))
	return nil
}

// look is how text is laid out on whatever Out is.
func (a *app) look(o output) view.Look {
	width, is := a.Screen()
	if !is {
		return view.Look{Wide: o == outputWide}
	}
	return view.Look{Width: width, Color: a.Getenv("NO_COLOR") == "" && a.Getenv("TERM") != "dumb", Wide: o == outputWide}
}

// watcher shows a Stack until it is interrupted.
type watcher struct {
	a     *app
	c     *Cluster
	name  string
	o     output
	place bool
	// seen is what was read last; nil before.
	seen  *view.Input
	shown string
	// lost is since when the cluster cannot be read, and why.
	lost  time.Time
	cause error
}

func (a *app) watchStatus(ctx context.Context, c *Cluster, stack *v1alpha1.Stack, o output) error {
	_, terminal := a.Screen()
	w := &watcher{a: a, c: c, name: stack.Name, o: o, place: terminal && !o.structured()}
	changed := a.changes(ctx, c, statusTargets(stack)...)
	for {
		var tick <-chan time.Time
		if w.place || w.cause != nil {
			tick = a.Clock.After(time.Second)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
			a.sleep(ctx, settle)
			if err := w.read(ctx); err != nil {
				return err
			}
		case <-tick:
			if w.cause != nil {
				_ = w.read(ctx)
			}
		}
		if err := w.show(); err != nil {
			return err
		}
	}
}

func statusTargets(stack *v1alpha1.Stack) []target {
	targets := []target{{&v1alpha1.StackList{}, stack.Namespace}, {&v1alpha1.ReleaseList{}, stack.Namespace}, {&v1alpha1.DecisionList{}, stack.Namespace}}
	for _, slot := range view.Slots(stack) {
		targets = append(targets, target{&appsv1.DeploymentList{}, slot.Namespace}, target{&appsv1.StatefulSetList{}, slot.Namespace})
	}
	return targets
}

// read takes in what is there now. What was shown last stays while the cluster cannot be reached.
func (w *watcher) read(ctx context.Context) error {
	in, err := w.a.input(ctx, w.c, w.name, true)
	switch {
	case ctx.Err() != nil:
		return nil
	case err == nil:
		w.seen, w.cause = &in, nil
	case !passing(err):
		return err
	case w.cause == nil:
		w.cause, w.lost = err, w.a.Clock.Now()
	}
	return nil
}

func (w *watcher) show() error {
	if w.seen == nil {
		return nil
	}
	if w.o.structured() {
		return w.showObject(view.Stack(*w.seen))
	}
	now := w.a.Clock.Now()
	if w.place {
		w.seen.Now = now
	}
	text := view.Tree(view.Stack(*w.seen), w.a.look(w.o)) + w.disconnected(now)
	if text == w.shown {
		return nil
	}
	w.print(text, now)
	w.shown = text
	return nil
}

// showObject prints a document per change; what changes with the time alone is none.
func (w *watcher) showObject(m *view.Model) error {
	timeless := *m
	timeless.Now.Reset()
	key, err := json.Marshal(timeless)
	if err != nil || string(key) == w.shown {
		return err
	}
	w.shown = string(key)
	return w.o.encode(w.a.Out, m)
}

func (w *watcher) disconnected(now time.Time) string {
	if w.cause == nil {
		return ""
	}
	return fmt.Sprintf("\nNOT CONNECTED for %s; this is what was seen last. %s\n", now.Sub(w.lost).Round(time.Second), view.HarmlessLine(w.cause.Error()))
}
