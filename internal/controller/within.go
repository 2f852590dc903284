package controller

import (
	"context"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

// Within restricts a client to namespaces where it lists objects of all of them: what it may not read elsewhere is as if it
// were not there. In those of gateways it looks for no kinds of Lockstep's own. With no namespaces it is the client itself.
// Everything else is left to the rights that it has.
func Within(c client.Client, namespaces, gateways []string) client.Client {
	if len(namespaces) == 0 {
		return c
	}
	return &within{Client: c, stacks: namespaces, all: slices.Compact(slices.Sorted(slices.Values(slices.Concat(namespaces, gateways))))}
}

type within struct {
	client.Client
	// stacks are where Stacks and Releases may be; all, where anything else may be.
	stacks, all []string
}

// List lists namespace by namespace where none is named.
func (w *within) List(ctx context.Context, list client.ObjectList, options ...client.ListOption) error {
	namespaces, err := w.namespaces(list, options)
	if err != nil {
		return err
	}
	if namespaces == nil {
		return w.Client.List(ctx, list, options...)
	}
	var all []runtime.Object
	for _, namespace := range namespaces {
		if err := w.Client.List(ctx, list, slices.Concat(options, []client.ListOption{client.InNamespace(namespace)})...); err != nil {
			return fmt.Errorf("in namespace %s: %w", namespace, err)
		}
		items, err := meta.ExtractList(list)
		if err != nil {
			return err
		}
		all = append(all, items...)
		// The next one is decoded into new items, so that these stay.
		if err := meta.SetList(list, nil); err != nil {
			return err
		}
	}
	return meta.SetList(list, all)
}

// namespaces are those to look in for a list; nil where it names one, or its objects have none.
func (w *within) namespaces(list client.ObjectList, options []client.ListOption) ([]string, error) {
	if (&client.ListOptions{}).ApplyOptions(options).Namespace != "" {
		return nil, nil
	}
	kind, err := w.GroupVersionKindFor(list)
	if err != nil {
		return nil, err
	}
	namespaced, err := w.IsObjectNamespaced(list)
	if err != nil || !namespaced {
		return nil, err
	}
	if kind.Group == v1alpha1.Group {
		return w.stacks, nil
	}
	return w.all, nil
}
