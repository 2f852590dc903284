package observe

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/internal/entry"
	"github.com/lockstep-dev/lockstep/internal/plan"
)

// hostnameTaken looks for another route that answers everything at a hostname of this one, at the same gateway: users
// would meet whichever the router likes better. Routes that cannot be read are not known of.
func (p *pass) hostnameTaken(ctx context.Context, spec entry.Spec, route *unstructured.Unstructured) (*plan.Problem, error) {
	if spec.Entry.Service != nil {
		return nil, nil
	}
	var list unstructured.UnstructuredList
	list.SetGroupVersionKind(spec.Kind())
	err := p.Live.List(ctx, &list)
	switch {
	case err != nil && (unknownKind(err) || lasting(err)):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("listing every %s: %w", spec.Kind().Kind, err)
	}
	for i := range list.Items {
		other := &list.Items[i]
		if client.ObjectKeyFromObject(other) == spec.Key() {
			continue
		}
		if host, gateway := entry.Rivals(spec, route, other); host != "" {
			return problem(v1alpha1.ReasonHostnameConflict,
				"entry %s: %s %s/%s answers everything at hostname %s of %s already; give one of the two another hostname, or adopt that route in place of this one",
				spec.Entry.Name, other.GetKind(), other.GetNamespace(), other.GetName(), orElse(host, "*"), gateway), nil
		}
	}
	return nil, nil
}
