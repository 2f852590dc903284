package apply

import (
	"context"
	"fmt"
	"slices"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/internal/plan"
)

// looked is what a preflight found out that need not keep the release.
type looked struct{ reason, message string }

// checkCapacity looks for room on the nodes, and in quotas for the size with users. It is no more than a sum: which Pods
// fit on which node, the scheduler knows.
func (a *Applier) checkCapacity(ctx context.Context, w *slotWork, act plan.Preflight, found *problems) (looked, error) {
	short, err := w.shortOfQuota(ctx, act.Sizes)
	if err != nil {
		return looked{}, err
	}
	onNodes, unknown, err := a.shortOfNodes(ctx, w, act.Sizes)
	if err != nil {
		return looked{}, err
	}
	short = append(short, onNodes...)
	switch {
	case len(short) == 0:
		return unknown, nil
	case w.stack.Spec.Strategy.BlueGreen.Capacity == v1alpha1.CapacityRequire:
		found.add(v1alpha1.ReasonCapacityShort, "%s; make room, or take spec.strategy.blueGreen.capacity: Require away", listed(short, maxProblems))
		return looked{}, nil
	}
	return looked{v1alpha1.ReasonCapacityShort, listed(short, maxProblems) + "; the release goes on, and its Pods wait for room"}, nil
}

func (w *slotWork) shortOfQuota(ctx context.Context, sizes []plan.Size) ([]string, error) {
	var found problems
	if err := w.checkQuotas(ctx, sizes, liveSize, &found); err != nil {
		return nil, err
	}
	return found[v1alpha1.ReasonQuotaExceeded], nil
}

// countedOnNodes are the resources that are compared with the nodes' room.
var countedOnNodes = []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory, corev1.ResourcePods}

// shortOfNodes says what the nodes have too little of, or that it could not be found out.
func (a *Applier) shortOfNodes(ctx context.Context, w *slotWork, sizes []plan.Size) ([]string, looked, error) {
	nodes, err := a.nodes(ctx)
	if apierrors.IsForbidden(err) {
		return nil, looked{v1alpha1.ReasonCapacityUnknown, "room on the nodes was not looked for: the controller may not list nodes"}, nil
	}
	if err != nil {
		return nil, looked{}, err
	}
	limits, err := w.limitRanges(ctx)
	if err != nil {
		return nil, looked{}, err
	}
	var specs []*corev1.PodSpec
	if err := w.eachPodSpec(func(_ *unstructured.Unstructured, spec *corev1.PodSpec) { specs = append(specs, spec) }); err != nil {
		return nil, looked{}, err
	}
	free, count, err := a.freeOn(ctx, w, nodesFor(nodes, specs))
	if err != nil {
		return nil, looked{}, err
	}
	for _, at := range []sizeOf{previewSize, liveSize} {
		need, err := w.needed(sizes, at, limits)
		if err != nil {
			return nil, looked{}, err
		}
		if short := lacking(need, free, count, at); len(short) > 0 {
			return short, looked{}, nil
		}
	}
	return nil, looked{}, nil
}

func lacking(need, free corev1.ResourceList, nodes int, at sizeOf) []string {
	var short []string
	for _, name := range countedOnNodes {
		wanted, room := need[name], free[name]
		if wanted.Cmp(room) > 0 {
			short = append(short, fmt.Sprintf("%s the release needs %s of %s, and %d nodes have %s free", at.when, wanted.String(), name, nodes, room.String()))
		}
	}
	return short
}

// pageSize bounds what is read of the cluster at once.
const pageSize = 500

func (a *Applier) nodes(ctx context.Context) ([]corev1.Node, error) {
	var all []corev1.Node
	for next := ""; ; {
		var page corev1.NodeList
		if err := a.Client.List(ctx, &page, client.Limit(pageSize), client.Continue(next)); err != nil {
			return nil, fmt.Errorf("listing nodes: %w", err)
		}
		all = append(all, page.Items...)
		if next = page.Continue; next == "" {
			return all, nil
		}
	}
}

// nodesFor are the nodes that take some Pod of the content, by name.
func nodesFor(nodes []corev1.Node, specs []*corev1.PodSpec) map[string]corev1.Node {
	found := map[string]corev1.Node{}
	for _, node := range nodes {
		if slices.ContainsFunc(specs, func(spec *corev1.PodSpec) bool { return takes(&node, spec) }) {
			found[node.Name] = node
		}
	}
	return found
}

// takes leaves affinities to the scheduler.
func takes(node *corev1.Node, spec *corev1.PodSpec) bool {
	if node.Spec.Unschedulable || !slices.ContainsFunc(node.Status.Conditions, isReady) {
		return false
	}
	for name, value := range spec.NodeSelector {
		if node.Labels[name] != value {
			return false
		}
	}
	return !slices.ContainsFunc(node.Spec.Taints, func(taint corev1.Taint) bool { return repels(taint, spec) })
}

func isReady(c corev1.NodeCondition) bool {
	return c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue
}

func repels(taint corev1.Taint, spec *corev1.PodSpec) bool {
	return taint.Effect != corev1.TaintEffectPreferNoSchedule &&
		!slices.ContainsFunc(spec.Tolerations, func(t corev1.Toleration) bool { return t.ToleratesTaint(logr.Discard(), &taint, false) })
}

// freeOn is what the nodes have beside the Pods that are on them, or still to be placed: but for those that the Stack has in
// the slot, whose place is taken.
func (a *Applier) freeOn(ctx context.Context, w *slotWork, nodes map[string]corev1.Node) (corev1.ResourceList, int, error) {
	free := corev1.ResourceList{}
	for _, node := range nodes {
		for _, name := range countedOnNodes {
			plus(free, name, node.Status.Allocatable[name], 1)
		}
	}
	used := corev1.ResourceList{}
	err := a.eachPod(ctx, func(pod *corev1.Pod) {
		_, here := nodes[pod.Spec.NodeName]
		if (here || pod.Spec.NodeName == "") && !w.owns(pod) {
			addPod(used, &pod.Spec, 1)
		}
	})
	for _, name := range countedOnNodes {
		left := free[name].DeepCopy()
		left.Sub(used[name])
		free[name] = left
	}
	return free, len(nodes), err
}

// unfinished Pods are those that have what they asked for.
var unfinished = fields.ParseSelectorOrDie("status.phase!=Succeeded,status.phase!=Failed")

func (a *Applier) eachPod(ctx context.Context, do func(*corev1.Pod)) error {
	for next := ""; ; {
		var page corev1.PodList
		running := client.MatchingFieldsSelector{Selector: unfinished}
		if err := a.Client.List(ctx, &page, client.Limit(pageSize), client.Continue(next), running); err != nil {
			return fmt.Errorf("listing Pods: %w", err)
		}
		for i := range page.Items {
			do(&page.Items[i])
		}
		if next = page.Continue; next == "" {
			return nil
		}
	}
}

// owns is whether the Pod is the Stack's in the slot.
func (w *slotWork) owns(pod *corev1.Pod) bool {
	return pod.Namespace == w.slot.Namespace && pod.Labels[v1alpha1.LabelStack] == w.stack.Name && pod.Labels[v1alpha1.LabelStackNamespace] == w.stack.Namespace
}
