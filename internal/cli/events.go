package cli

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/internal/view"
)

type eventFlags struct {
	whereFlags
	watch  bool
	output output
}

func (a *app) eventsCommand() *cobra.Command {
	f := &eventFlags{}
	cmd := &cobra.Command{
		Use:   "events [STACK]",
		Short: "Show the events of a release, of the Stack and of all its members",
		Long: `Show what was said of a release, the oldest first: of the Stack and the Release, and of the workloads, Pods and other
objects of its members in the slots, since the release was made. It is the release that is under way, or else the live one;
with --slot, everything in a slot. Clusters forget events after a while, most of them after an hour.

Needs the right to list events in the Stack's namespace and in those of the slots; what may not be read is said.`,
		Example: `  kubectl lockstep events shop
  kubectl lockstep events shop --member cart --watch
  kubectl lockstep events shop -o json | jq '.[] | select(.type == "Warning")'`,
		Args:              atMostOne,
		ValidArgsFunction: a.completeStacks,
		RunE:              func(cmd *cobra.Command, args []string) error { return a.runEvents(cmd.Context(), args, f) },
	}
	a.whereFlags(cmd, &f.whereFlags)
	cmd.Flags().BoolVarP(&f.watch, "watch", "w", false, "go on with what is said from now on")
	outputFlag(cmd, &f.output, outputWide, outputJSON, outputYAML)
	return cmd
}

func (a *app) runEvents(ctx context.Context, args []string, f *eventFlags) error {
	c, err := a.cluster()
	if err != nil {
		return err
	}
	w, err := c.find(ctx, args, &f.whereFlags)
	if err != nil {
		return err
	}
	w.slots = w.held()
	said, unread, err := c.events(ctx, w)
	if err != nil {
		return err
	}
	for _, sentence := range unread {
		printf(a.ErrOut, "warning: %s\n", sentence)
	}
	if f.watch {
		return a.watchEvents(ctx, c, w, f, said)
	}
	if len(said) == 0 && !f.output.structured() {
		printf(a.ErrOut, "there are no events; clusters forget them after a while\n")
		return nil
	}
	return a.printEvents(said, f.output)
}

func (a *app) printEvents(said []view.Event, o output) error {
	if o.structured() {
		return o.encode(a.Out, said)
	}
	head, rows := view.EventRows(said, a.Clock.Now(), o == outputWide)
	return table(a.Out, head, rows)
}

// watchEvents prints what is there, and then each event that comes or is said again.
func (a *app) watchEvents(ctx context.Context, c *Cluster, w *where, f *eventFlags, said []view.Event) error {
	targets := []target{{&corev1.EventList{}, w.stack.Namespace}}
	for _, slot := range w.slots {
		targets = append(targets, target{&corev1.EventList{}, slot.Namespace})
	}
	changed := a.changes(ctx, c, targets...)
	told := map[string]bool{}
	for {
		a.printNew(said, told, f.output)
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
		}
		a.sleep(ctx, settle)
		next, _, err := c.events(ctx, w)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil && !passing(err):
			return err
		case err == nil:
			said = next
		}
	}
}

func (a *app) printNew(said []view.Event, told map[string]bool, o output) {
	for _, e := range said {
		key := fmt.Sprint(e.UID, e.Count, e.Last.Unix())
		if told[key] {
			continue
		}
		told[key] = true
		if o.structured() {
			_ = o.encode(a.Out, e) // a reader that has gone away is no reason to stop
			continue
		}
		printf(a.Out, "%s  %-7s  %s  %s  %s\n", e.Last.UTC().Format(time.RFC3339), e.Type, e.Object, e.Reason, view.HarmlessLine(e.Message))
	}
}

// events of a release or a slot, the oldest first, and what could not be read.
func (c *Cluster) events(ctx context.Context, w *where) (said []view.Event, unread []string, err error) {
	namespaces := []string{w.stack.Namespace}
	for _, slot := range w.slots {
		namespaces = append(namespaces, slot.Namespace)
	}
	others, err := c.ofOthers(ctx, w)
	if err != nil {
		return nil, nil, err
	}
	slices.Sort(namespaces)
	namespaces = slices.Compact(namespaces)
	said = []view.Event{}
	for _, namespace := range namespaces {
		list := &corev1.EventList{}
		err := c.List(ctx, list, client.InNamespace(namespace))
		switch {
		case apierrors.IsForbidden(err):
			unread = append(unread, "you may not list events in namespace "+namespace+"; they are left out")
			continue
		case err != nil:
			return nil, nil, explain(err)
		}
		for i := range list.Items {
			if e := &list.Items[i]; w.about(e) && !others.has(e.InvolvedObject) {
				said = append(said, view.EventOf(e))
			}
		}
	}
	if len(unread) == len(namespaces) {
		return nil, nil, fmt.Errorf("you may not list events in any of the namespaces %s", strings.Join(namespaces, ", "))
	}
	slices.SortStableFunc(said, func(a, b view.Event) int {
		return cmp.Or(a.Last.Compare(b.Last.Time), strings.Compare(a.Object, b.Object), strings.Compare(a.Reason, b.Reason))
	})
	return said, unread, nil
}

// held are the slots that the release is or was in; all of them where that is not known.
func (w *where) held() []v1alpha1.Slot {
	if w.release == nil {
		return w.slots
	}
	name := view.SlotOf(w.stack, w.release)
	i := slices.IndexFunc(w.slots, func(s v1alpha1.Slot) bool { return s.Name == name })
	if i < 0 {
		return w.slots
	}
	return w.slots[i : i+1]
}

// others are the Pods and ReplicaSets in a slot that are of other releases than the one that is looked at: a slot holds one
// after another.
type others struct {
	uids map[types.UID]bool
	// sets are the names of the ReplicaSets, by which Pods that are gone can be told.
	sets map[string]bool
}

func (o others) has(about corev1.ObjectReference) bool {
	set := about.Name
	if about.Kind == "Pod" {
		set = set[:max(strings.LastIndex(set, "-"), 0)]
	}
	return o.uids[about.UID] || (about.Kind == "Pod" || about.Kind == "ReplicaSet") && o.sets[about.Namespace+"/"+set]
}

func (c *Cluster) ofOthers(ctx context.Context, w *where) (others, error) {
	out := others{uids: map[types.UID]bool{}, sets: map[string]bool{}}
	if w.release == nil {
		return out, nil
	}
	for _, slot := range w.slots {
		for _, gvk := range []schema.GroupVersionKind{corev1.SchemeGroupVersion.WithKind("PodList"), appsv1.SchemeGroupVersion.WithKind("ReplicaSetList")} {
			list := &metav1.PartialObjectMetadataList{}
			list.SetGroupVersionKind(gvk)
			if err := c.List(ctx, list, client.InNamespace(slot.Namespace), client.HasLabels{v1alpha1.LabelRelease}); err != nil {
				if apierrors.IsForbidden(err) {
					continue // then their events are shown too
				}
				return out, explain(err)
			}
			for _, o := range list.Items {
				if o.Labels[v1alpha1.LabelRelease] == w.release.Name {
					continue
				}
				out.uids[o.UID] = true
				if gvk.Kind == "ReplicaSetList" {
					out.sets[o.Namespace+"/"+o.Name] = true
				}
			}
		}
	}
	return out, nil
}

// about is whether an event is about the release or the slot, and of its time.
func (w *where) about(e *corev1.Event) bool {
	about := e.InvolvedObject
	if w.release != nil && view.EventOf(e).Last.Time.Before(w.release.CreationTimestamp.Time) {
		return false
	}
	if !slices.ContainsFunc(w.slots, func(s v1alpha1.Slot) bool { return s.Namespace == e.Namespace }) {
		return len(w.members) == 0 && w.aboutHome(about)
	}
	member := w.memberNamed(about.Name)
	if len(w.members) > 0 {
		return slices.Contains(w.members, member)
	}
	return w.release == nil || member != ""
}

func (w *where) aboutHome(about corev1.ObjectReference) bool {
	switch about.Kind {
	case "Stack":
		return about.Name == w.stack.Name
	case "Release":
		return w.release != nil && about.Name == w.release.Name
	case "Decision":
		return w.release != nil && strings.HasPrefix(about.Name, w.release.Name+"-")
	}
	return false
}
