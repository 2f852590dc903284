package observe

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/internal/entry"
	"github.com/lockstep-dev/lockstep/internal/plan"
)

// The gateways that routes are attached to. They are read unstructured: the libraries' types refuse fields that are
// newer than they are.
var (
	istioGatewayKind = schema.GroupVersionKind{Group: "networking.istio.io", Version: "v1", Kind: "Gateway"}
	apiGatewayKind   = schema.GroupVersionKind{Group: "gateway.networking.k8s.io", Version: "v1", Kind: "Gateway"}
)

func gatewayKind(spec entry.Spec) schema.GroupVersionKind {
	if spec.Entry.VirtualService != nil {
		return istioGatewayKind
	}
	return apiGatewayKind
}

// gatewaysMissing looks for the gateways of a route that Lockstep makes: users would ask in vain.
func (p *pass) gatewaysMissing(ctx context.Context, spec entry.Spec, route *unstructured.Unstructured) (*plan.Problem, error) {
	for _, parent := range entry.Parents(spec, route) {
		if parent.Kind != entry.KindGateway {
			continue
		}
		_, err := p.gateway(ctx, spec, parent)
		switch {
		case err == nil:
		case unknownKind(err), apierrors.IsNotFound(err):
			return problem(v1alpha1.ReasonGatewayMissing, "entry %s: there is no %s; create it, or correct its name in the Stack", spec.Entry.Name, parent), nil
		case lasting(err):
			return problem(v1alpha1.ReasonEntryUnreadable, "entry %s: %s cannot be read: %v", spec.Entry.Name, parent, err), nil
		default:
			return nil, fmt.Errorf("reading %s: %w", parent, err)
		}
	}
	return nil, nil
}

func (p *pass) gateway(ctx context.Context, spec entry.Spec, parent entry.Parent) (*unstructured.Unstructured, error) {
	gateway := &unstructured.Unstructured{}
	gateway.SetGroupVersionKind(gatewayKind(spec))
	err := p.Live.Get(ctx, types.NamespacedName{Namespace: parent.Namespace, Name: parent.Name}, gateway)
	return gateway, err
}

// decode reads the part of an object that T names.
func decode[T any](u *unstructured.Unstructured) (*T, error) {
	out := new(T)
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, out); err != nil {
		return nil, fmt.Errorf("%s %s/%s cannot be understood: %w", u.GetKind(), u.GetNamespace(), u.GetName(), err)
	}
	return out, nil
}
