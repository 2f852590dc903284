package controller

import (
	"context"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/internal/entry"
)

// byRoute is the index of Stacks by the routes of their entries.
const byRoute = "spec.entries.route"

// routerInterval is how soon a router that was installed later is noticed.
const routerInterval = 15 * time.Second

// routeKinds in any of which an entry may be.
func routeKinds() []schema.GroupVersionKind {
	return []schema.GroupVersionKind{
		entry.Spec{Entry: v1alpha1.Entry{VirtualService: &v1alpha1.VirtualServiceEntry{}}}.Kind(),
		entry.Spec{Entry: v1alpha1.Entry{HTTPRoute: &v1alpha1.HTTPRouteEntry{}}}.Kind(),
	}
}

func indexRoutes(ctx context.Context, mgr ctrl.Manager) error {
	if err := mgr.GetFieldIndexer().IndexField(ctx, &v1alpha1.Stack{}, byRoute, routesOf); err != nil {
		return fmt.Errorf("indexing Stacks by their routes: %w", err)
	}
	return nil
}

func routesOf(o client.Object) []string {
	stack, ok := o.(*v1alpha1.Stack)
	if !ok {
		return nil
	}
	var all []string
	for _, spec := range entry.Specs(stack) {
		all = append(all, routeKey(spec.Kind().Kind, spec.Key()))
	}
	return all
}

func routeKey(kind string, key types.NamespacedName) string { return kind + "/" + key.String() }

// routeWatcher watches routes, metadata only: adopted ones carry no label before they are first written. Kinds that the
// cluster does not have are watched once it does.
type routeWatcher struct {
	manager    ctrl.Manager
	controller controller.Controller
	maps       mapper
}

// Start runs until every kind of route is watched.
func (w *routeWatcher) Start(ctx context.Context) error {
	missing := routeKinds()
	err := wait.PollUntilContextCancel(ctx, routerInterval, true, func(ctx context.Context) (bool, error) {
		var still []schema.GroupVersionKind
		for _, kind := range missing {
			if !w.watch(ctx, kind) {
				still = append(still, kind)
			}
		}
		missing = still
		return len(missing) == 0, nil
	})
	if ctx.Err() != nil {
		return nil
	}
	return err
}

func (w *routeWatcher) watch(ctx context.Context, kind schema.GroupVersionKind) bool {
	object := &metav1.PartialObjectMetadata{}
	object.SetGroupVersionKind(kind)
	if !served(w.manager, object) {
		return false
	}
	find := func(ctx context.Context, o client.Object) []types.NamespacedName {
		return w.maps.stacks(ctx, client.MatchingFields{byRoute: routeKey(kind.Kind, client.ObjectKeyFromObject(o))})
	}
	err := w.controller.Watch(source.Kind[client.Object](w.manager.GetCache(), object, w.maps.to(find)))
	if err != nil {
		log.FromContext(ctx).Error(err, "cannot watch routes; trying again", "kind", kind.Kind)
	}
	return err == nil
}
