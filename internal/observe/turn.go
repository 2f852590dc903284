package observe

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/internal/plan"
)

// readTurn reads whose turn it is in the Stack's queue group. The other Stacks have been read.
func (p *pass) readTurn(ctx context.Context) error {
	group := p.stack.Spec.Queue.Group
	if group == "" {
		return nil
	}
	turn := &plan.Turn{Group: group}
	err := p.readHolder(ctx, turn)
	if err == nil {
		err = p.readWaiting(ctx)
	}
	if lasting(err) {
		turn.Problem = problem(forbiddenOr(v1alpha1.ReasonForbidden, err), "whose turn it is in queue group %s cannot be read: %v", group, err)
		err = nil
	}
	p.snapshot.Turn = turn
	return err
}

func (p *pass) readHolder(ctx context.Context, turn *plan.Turn) error {
	lease := &coordinationv1.Lease{}
	err := p.Live.Get(ctx, types.NamespacedName{Namespace: p.ControllerNamespace, Name: plan.TurnName(turn.Group)}, lease)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading the Lease of queue group %s: %w", turn.Group, err)
	}
	turn.ResourceVersion = lease.ResourceVersion
	holder := types.NamespacedName{Namespace: lease.Labels[v1alpha1.LabelStackNamespace], Name: lease.Labels[v1alpha1.LabelStack]}
	switch {
	case holder.Name == "":
		return nil
	case holder == client.ObjectKeyFromObject(p.stack):
		turn.Mine, turn.Release = true, types.UID(lease.Annotations[v1alpha1.AnnotationReleaseUID])
		turn.Epoch, _ = strconv.ParseInt(lease.Annotations[v1alpha1.AnnotationEpoch], 10, 64) // what is no number is of no epoch
		return nil
	}
	over, err := p.isOver(ctx, turn.Group, holder, lease)
	if err == nil && !over {
		turn.Holder = "release " + lease.Labels[v1alpha1.LabelRelease] + " of Stack " + holder.String()
	}
	return err
}

// isOver is whether another Stack has no use for its turn any more and cannot say so: it is gone or going, or has left the
// group, or its Release has ended or is gone, and is not active.
func (p *pass) isOver(ctx context.Context, group string, holder types.NamespacedName, lease *coordinationv1.Lease) (bool, error) {
	i := slices.IndexFunc(p.others, func(s v1alpha1.Stack) bool { return client.ObjectKeyFromObject(&s) == holder })
	if i < 0 || !queues(&p.others[i], group) {
		return true, nil
	}
	name := lease.Labels[v1alpha1.LabelRelease]
	for _, unit := range p.others[i].Status.Units {
		if unit.ActiveRelease == name {
			return false, nil
		}
	}
	release := &v1alpha1.Release{}
	err := p.Live.Get(ctx, types.NamespacedName{Namespace: holder.Namespace, Name: name}, release)
	if apierrors.IsNotFound(err) {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("reading release %s of Stack %s: %w", name, holder, err)
	}
	return string(release.UID) != lease.Annotations[v1alpha1.AnnotationReleaseUID] || release.Status.Ended != nil, nil
}

// queues is whether a Stack is of the group. One that is being deleted starts nothing more, however long its finalizers stay.
func queues(stack *v1alpha1.Stack, group string) bool {
	return stack.Spec.Queue.Group == group && stack.DeletionTimestamp == nil
}

// readWaiting reads the releases with which other Stacks of the group wait for the turn.
func (p *pass) readWaiting(ctx context.Context) error {
	for i := range p.others {
		other := &p.others[i]
		waits := meta.FindStatusCondition(other.Status.Conditions, v1alpha1.ConditionProgressing)
		if !queues(other, p.stack.Spec.Queue.Group) || other.Spec.Suspend || waits == nil || waits.Reason != v1alpha1.ReasonWaitingForTurn {
			continue
		}
		var releases v1alpha1.ReleaseList
		if err := p.Live.List(ctx, &releases, client.InNamespace(other.Namespace)); err != nil {
			return fmt.Errorf("listing the releases of Stack %s: %w", client.ObjectKeyFromObject(other), err)
		}
		p.waiting = append(p.waiting, releasesOf(other.Name, releases.Items)...)
	}
	return nil
}

// whoIsAhead names the oldest release that waits for the turn, where it is older than every one of this Stack's own.
func (p *pass) whoIsAhead() {
	if p.snapshot.Turn == nil {
		return
	}
	theirs, ours := oldest(p.waiting), oldest(p.snapshot.Releases)
	if theirs != nil && (ours == nil || before(theirs, ours)) {
		p.snapshot.Turn.Ahead = fmt.Sprintf("release %s of Stack %s/%s", theirs.Name, theirs.Namespace, theirs.Spec.Stack)
	}
}

// oldest of the releases that have not started.
func oldest(releases []v1alpha1.Release) *v1alpha1.Release {
	var found *v1alpha1.Release
	for i := range releases {
		r := &releases[i]
		if r.Status.Started == nil && r.Status.Ended == nil && r.DeletionTimestamp == nil && r.Spec.RollbackOf == "" && (found == nil || before(r, found)) {
			found = r
		}
	}
	return found
}

// before orders releases of several Stacks; those of the same second by namespace and name.
func before(a, b *v1alpha1.Release) bool {
	if !a.CreationTimestamp.Equal(&b.CreationTimestamp) {
		return a.CreationTimestamp.Before(&b.CreationTimestamp)
	}
	return a.Namespace+"/"+a.Name < b.Namespace+"/"+b.Name
}
