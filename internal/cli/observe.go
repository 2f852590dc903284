package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/config"
	"github.com/lockstep-dev/lockstep/internal/observe"
	"github.com/lockstep-dev/lockstep/internal/plan"
)

// Observe looks at the cluster with its user's rights. What they may not read, and the controller may, is taken to be as
// it should be; it returns what was assumed.
func Observe(ctx context.Context, c *Cluster, stack *v1alpha1.Stack) (*plan.Snapshot, []string, error) {
	policy, binding, err := shippedPolicy()
	if err != nil {
		return nil, nil, err
	}
	reader := &assuming{Reader: c, stack: observe.WithDefaults(stack), policy: policy, binding: binding}
	observer := observe.New(observe.Options{Live: reader, ControllerNamespace: c.system(ctx), Policy: policy, Prober: farProber{}})
	snapshot, err := observer.Observe(ctx, client.ObjectKeyFromObject(stack))
	return snapshot, reader.sentences(), err
}

// system is the namespace of the controller, as far as its user may see.
func (c *Cluster) system(ctx context.Context) string {
	if d, err := c.controller(ctx); err == nil && d != nil {
		return d.Namespace
	}
	return config.Namespace
}

// farProber stands outside the cluster, where the Pods of gateways cannot be asked. What the controller has recorded of
// them is believed all the same.
type farProber struct{}

var errFar = errors.New("only the controller can ask the gateway's Pods")

func (farProber) Ask(context.Context, observe.Question) (observe.Answer, error) {
	return observe.Answer{}, errFar
}

func shippedPolicy() (*admissionv1.ValidatingAdmissionPolicy, *admissionv1.ValidatingAdmissionPolicyBinding, error) {
	objects, err := config.Policy()
	if err != nil {
		return nil, nil, err
	}
	policy, binding := &admissionv1.ValidatingAdmissionPolicy{}, &admissionv1.ValidatingAdmissionPolicyBinding{}
	for _, o := range objects {
		if err := into(o, policy, binding); err != nil {
			return nil, nil, fmt.Errorf("the admission policy of this build is broken: %w", err)
		}
	}
	return policy, binding, nil
}

func into(o *unstructured.Unstructured, policy *admissionv1.ValidatingAdmissionPolicy, binding *admissionv1.ValidatingAdmissionPolicyBinding) error {
	switch o.GetKind() {
	case "ValidatingAdmissionPolicy":
		return runtime.DefaultUnstructuredConverter.FromUnstructured(o.Object, policy)
	case "ValidatingAdmissionPolicyBinding":
		return runtime.DefaultUnstructuredConverter.FromUnstructured(o.Object, binding)
	}
	return nil
}

// assuming reads what its user may read, and makes up what is forbidden to them.
type assuming struct {
	client.Reader
	stack   *v1alpha1.Stack
	policy  *admissionv1.ValidatingAdmissionPolicy
	binding *admissionv1.ValidatingAdmissionPolicyBinding

	mu      sync.Mutex
	assumed []string
}

func (r *assuming) sentences() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	slices.Sort(r.assumed)
	return slices.Compact(r.assumed)
}

func (r *assuming) assume(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.assumed = append(r.assumed, fmt.Sprintf(format, args...))
}

// Get makes up an object that may not be read.
func (r *assuming) Get(ctx context.Context, key client.ObjectKey, obj client.Object, opts ...client.GetOption) error {
	err := r.Reader.Get(ctx, key, obj, opts...)
	if !apierrors.IsForbidden(err) {
		return err
	}
	switch o := obj.(type) {
	case *coordinationv1.Lease:
		r.assume("no other Stack of queue group %s has the turn", r.stack.Spec.Queue.Group)
	case *metav1.PartialObjectMetadata:
		r.assume("the frozen content is there")
	case *corev1.Namespace:
		o.Labels = map[string]string{v1alpha1.LabelStack: r.stack.Name, v1alpha1.LabelStackNamespace: r.stack.Namespace}
		r.assume("namespace %s is there, with its consent", key.Name)
	case *rbacv1.RoleBinding:
		o.RoleRef = rbacv1.RoleRef{Kind: "ClusterRole", Name: v1alpha1.ReleaserClusterRole}
		o.Subjects = []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Name: r.stack.Spec.ServiceAccountName, Namespace: r.stack.Namespace}}
		r.assume("ServiceAccount %s may work in namespace %s", r.stack.Spec.ServiceAccountName, key.Namespace)
	case *admissionv1.ValidatingAdmissionPolicy:
		r.policy.DeepCopyInto(o)
		r.assume("the admission policy is in force")
	case *admissionv1.ValidatingAdmissionPolicyBinding:
		r.binding.DeepCopyInto(o)
		r.assume("the admission policy is in force")
	default:
		return err
	}
	return nil
}

// List takes the user's own namespace for the whole cluster where that may not be listed.
func (r *assuming) List(ctx context.Context, list client.ObjectList, opts ...client.ListOption) error {
	err := r.Reader.List(ctx, list, opts...)
	if _, stacks := list.(*v1alpha1.StackList); stacks && apierrors.IsForbidden(err) {
		r.assume("no Stack of another namespace claims the same route or slot")
		return r.Reader.List(ctx, list, client.InNamespace(r.stack.Namespace))
	}
	return err
}
