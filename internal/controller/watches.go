package controller

import (
	"context"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

// labelledKinds are watched where they carry a Stack's label, metadata only. EndpointSlices take theirs from their
// Service. Pods are not watched: what they come to shows in these.
// Whoever may see some namespaces only cannot watch Namespaces, which belong to none.
func labelledKinds(namespaces []string) []client.Object {
	kinds := []client.Object{
		&appsv1.Deployment{}, &appsv1.StatefulSet{}, &appsv1.DaemonSet{}, &batchv1.Job{}, &batchv1.CronJob{},
		&corev1.Service{}, &discoveryv1.EndpointSlice{},
	}
	if len(namespaces) == 0 {
		kinds = append(kinds, &corev1.Namespace{})
	}
	return kinds
}

func policyKinds() []client.Object {
	return []client.Object{&admissionv1.ValidatingAdmissionPolicy{}, &admissionv1.ValidatingAdmissionPolicyBinding{}}
}

// CacheOptions restrict the manager's cache to what triggers passes: objects that carry a Stack's label, and of those
// little more than their names; and to the namespaces, where there are any.
func CacheOptions(controllerNamespace string, namespaces ...string) cache.Options {
	labelled, _ := labels.NewRequirement(v1alpha1.LabelStack, selection.Exists, nil) // a constant: it cannot fail
	only := cache.ByObject{Label: labels.NewSelector().Add(*labelled)}
	options := cache.Options{ByObject: map[client.Object]cache.ByObject{}, DefaultTransform: strip}
	for _, namespace := range namespaces {
		if options.DefaultNamespaces == nil {
			options.DefaultNamespaces = map[string]cache.Config{}
		}
		options.DefaultNamespaces[namespace] = cache.Config{}
	}
	for _, object := range labelledKinds(namespaces) {
		options.ByObject[object] = only
	}
	frozen, _ := labels.NewRequirement(v1alpha1.LabelContent, selection.Exists, nil) // a constant: it cannot fail
	options.ByObject[&corev1.Secret{}] = cache.ByObject{
		Label:      labels.NewSelector().Add(*frozen),
		Namespaces: map[string]cache.Config{controllerNamespace: {}},
	}
	grouped, _ := labels.NewRequirement(v1alpha1.LabelQueueGroup, selection.Exists, nil) // a constant: it cannot fail
	options.ByObject[&coordinationv1.Lease{}] = cache.ByObject{
		Label:      labels.NewSelector().Add(*grouped),
		Namespaces: map[string]cache.Config{controllerNamespace: {}},
	}
	return options
}

// strip leaves of what is watched for its metadata only the names and labels.
func strip(in any) (any, error) {
	object, ok := in.(client.Object)
	if !ok {
		return in, nil
	}
	object.SetManagedFields(nil)
	if bare, ok := in.(*metav1.PartialObjectMetadata); ok {
		bare.Annotations = nil
	}
	return in, nil
}

// served reports whether the API server has the kind; older ones lack the admission policies.
func served(mgr ctrl.Manager, object client.Object) bool {
	gvk, err := apiutil.GVKForObject(object, mgr.GetScheme())
	if err != nil {
		return false
	}
	_, err = mgr.GetRESTMapper().RESTMapping(gvk.GroupKind(), gvk.Version)
	return err == nil
}

// What of an event makes it a trigger.
var (
	// specOrAnnotations leaves out the status, which Lockstep itself writes.
	specOrAnnotations = predicate.Or[client.Object](predicate.GenerationChangedPredicate{}, predicate.AnnotationChangedPredicate{})
	// open Decisions wait for an answer.
	open = predicate.NewPredicateFuncs(func(o client.Object) bool {
		d, ok := o.(*v1alpha1.Decision)
		return ok && d.Status.Result == ""
	})
	ofPolicy = predicate.NewPredicateFuncs(func(o client.Object) bool { return o.GetName() == v1alpha1.DecisionPolicy })
	gone     = predicate.Funcs{
		CreateFunc:  func(event.CreateEvent) bool { return false },
		UpdateFunc:  func(event.UpdateEvent) bool { return false },
		GenericFunc: func(event.GenericEvent) bool { return false },
	}
)

// mapper finds the Stacks that an event concerns. It reads from the cache: a trigger that is missed there comes again
// with the event of what was missing.
type mapper struct{ client client.Reader }

func (mapper) to(find func(context.Context, client.Object) []types.NamespacedName) handler.EventHandler {
	return handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, o client.Object) []reconcile.Request {
		var requests []reconcile.Request
		for _, key := range find(ctx, o) {
			requests = append(requests, reconcile.Request{NamespacedName: key})
		}
		return requests
	})
}

// settle is how long what the cluster's own controllers write is left to come together: a Pod that gets ready changes its
// workload and its EndpointSlice several times over. A pass for each would take from the Pods the processors that they start on.
const settle = 50 * time.Millisecond

// settled has a handler ask for passes a little later. What was asked for in the meantime is one pass.
func settled(h handler.EventHandler) handler.EventHandler {
	return handler.Funcs{
		CreateFunc: func(ctx context.Context, e event.CreateEvent, q queue) { h.Create(ctx, e, unhurried{q}) },
		UpdateFunc: func(ctx context.Context, e event.UpdateEvent, q queue) { h.Update(ctx, e, unhurried{q}) },
		DeleteFunc: func(ctx context.Context, e event.DeleteEvent, q queue) { h.Delete(ctx, e, unhurried{q}) },
	}
}

type queue = workqueue.TypedRateLimitingInterface[reconcile.Request]

// unhurried is a queue that requests enter after a while.
type unhurried struct{ queue }

func (u unhurried) Add(request reconcile.Request) { u.AddAfter(request, settle) }

func stackByLabel(_ context.Context, o client.Object) []types.NamespacedName {
	key := types.NamespacedName{Namespace: o.GetLabels()[v1alpha1.LabelStackNamespace], Name: o.GetLabels()[v1alpha1.LabelStack]}
	if key.Namespace == "" || key.Name == "" {
		return nil
	}
	return []types.NamespacedName{key}
}

func stackOfRelease(_ context.Context, o client.Object) []types.NamespacedName {
	release, ok := o.(*v1alpha1.Release)
	if !ok {
		return nil
	}
	return []types.NamespacedName{{Namespace: release.Namespace, Name: release.Spec.Stack}}
}

func (m mapper) stackOfDecision(ctx context.Context, o client.Object) []types.NamespacedName {
	decision, ok := o.(*v1alpha1.Decision)
	if !ok {
		return nil
	}
	release := &v1alpha1.Release{}
	if err := m.client.Get(ctx, types.NamespacedName{Namespace: decision.Namespace, Name: decision.Spec.Release}, release); err != nil {
		return nil
	}
	return stackOfRelease(ctx, release)
}

func (m mapper) everyStack(ctx context.Context, _ client.Object) []types.NamespacedName {
	return m.stacks(ctx)
}

func (m mapper) stacks(ctx context.Context, options ...client.ListOption) []types.NamespacedName {
	var stacks v1alpha1.StackList
	if err := m.client.List(ctx, &stacks, options...); err != nil {
		return nil
	}
	var keys []types.NamespacedName
	for i := range stacks.Items {
		keys = append(keys, client.ObjectKeyFromObject(&stacks.Items[i]))
	}
	return keys
}

// stacksOfGroup are those that may get the turn when a Lease changes hands.
func (m mapper) stacksOfGroup(ctx context.Context, o client.Object) []types.NamespacedName {
	return m.inGroup(ctx, o.GetLabels()[v1alpha1.LabelQueueGroup])
}

// groupOfStack are those that wait behind a Stack, or ahead of it, in its queue group.
func (m mapper) groupOfStack(ctx context.Context, o client.Object) []types.NamespacedName {
	stack, ok := o.(*v1alpha1.Stack)
	if !ok {
		return nil
	}
	return m.inGroup(ctx, stack.Spec.Queue.Group)
}

func (m mapper) inGroup(ctx context.Context, group string) []types.NamespacedName {
	var stacks v1alpha1.StackList
	if group == "" || m.client.List(ctx, &stacks) != nil {
		return nil
	}
	var keys []types.NamespacedName
	for i := range stacks.Items {
		if stacks.Items[i].Spec.Queue.Group == group {
			keys = append(keys, client.ObjectKeyFromObject(&stacks.Items[i]))
		}
	}
	return keys
}

func (m mapper) releasesOfStack(ctx context.Context, o client.Object) []types.NamespacedName {
	var releases v1alpha1.ReleaseList
	if err := m.client.List(ctx, &releases, client.InNamespace(o.GetNamespace())); err != nil {
		return nil
	}
	var keys []types.NamespacedName
	for i := range releases.Items {
		if releases.Items[i].Spec.Stack == o.GetName() {
			keys = append(keys, client.ObjectKeyFromObject(&releases.Items[i]))
		}
	}
	return keys
}

func (m mapper) decisionsOfRelease(ctx context.Context, o client.Object) []types.NamespacedName {
	var decisions v1alpha1.DecisionList
	if err := m.client.List(ctx, &decisions, client.InNamespace(o.GetNamespace())); err != nil {
		return nil
	}
	var keys []types.NamespacedName
	for i := range decisions.Items {
		if decisions.Items[i].Spec.Release == o.GetName() {
			keys = append(keys, client.ObjectKeyFromObject(&decisions.Items[i]))
		}
	}
	return keys
}
