package observe

import (
	"context"
	"fmt"
	"sync"

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

// gateways are read once in a pass, however many ask for them.
type gateways struct {
	mu   sync.Mutex
	read map[string]func() (*unstructured.Unstructured, error)
}

func (g *gateways) of(key string, read func() (*unstructured.Unstructured, error)) (*unstructured.Unstructured, error) {
	g.mu.Lock()
	if g.read == nil {
		g.read = map[string]func() (*unstructured.Unstructured, error){}
	}
	if g.read[key] == nil {
		g.read[key] = sync.OnceValues(read)
	}
	once := g.read[key]
	g.mu.Unlock()
	return once()
}

func (p *pass) gateway(ctx context.Context, spec entry.Spec, parent entry.Parent) (*unstructured.Unstructured, error) {
	kind := gatewayKind(spec)
	return p.gateways.of(kind.Group+" "+parent.Namespace+"/"+parent.Name, func() (*unstructured.Unstructured, error) {
		gateway := &unstructured.Unstructured{}
		gateway.SetGroupVersionKind(kind)
		err := p.Live.Get(ctx, types.NamespacedName{Namespace: parent.Namespace, Name: parent.Name}, gateway)
		return gateway, err
	})
}

// expectGateways reads the gateways of a route that Lockstep makes while the route itself is being read. What comes of it
// is looked at later.
func (p *pass) expectGateways(ctx context.Context, spec entry.Spec) {
	if spec.Adopted() {
		return
	}
	made, err := entry.Write(spec, nil, p.trialIntent(0))
	if err != nil {
		return
	}
	for _, parent := range entry.Parents(spec, made) {
		if parent.Kind == entry.KindGateway {
			_, _ = p.gateway(ctx, spec, parent)
		}
	}
}

// decode reads the part of an object that T names.
func decode[T any](u *unstructured.Unstructured) (*T, error) {
	out := new(T)
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, out); err != nil {
		return nil, fmt.Errorf("%s %s/%s cannot be understood: %w", u.GetKind(), u.GetNamespace(), u.GetName(), err)
	}
	return out, nil
}
